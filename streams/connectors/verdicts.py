"""What the US postal codes of an address check are worth: the one table, shared by the validator and the checkout.

Two connectors hear the same codes: the validator's own, and a storefront whose checkout asked the validator. Neither
imports the other, so the table lives here. `docs/validation.md` shows it; a test keeps the two the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec


class DpvCodes(msgspec.Struct, frozen=True):
    """The codes of one candidate. None or an empty text: the validator did not say.

    `footnotes` are the two-letter DPV footnotes, run together (`AABB`).
    """

    match_code: str | None = None
    footnotes: str | None = None
    active: str | None = None
    vacant: str | None = None

    def noted(self, *wanted: str) -> bool:
        """True where any of the footnotes is among the codes."""
        text = self.footnotes or ""
        return any(text[at : at + 2] in wanted for at in range(0, len(text), 2))


class Grade(msgspec.Struct, frozen=True):
    """How far an address may be believed. `deliverable` is None where the codes say neither yes nor no.

    `standard`: the candidate's standard form may replace what the customer wrote.
    """

    name: str
    confidence: float
    deliverable: bool | None
    standard: bool
    meaning: str


_Test: TypeAlias = Callable[[DpvCodes], bool]


def _is(code: str) -> _Test:
    return lambda codes: codes.match_code == code


def _confirmed(further: _Test) -> _Test:
    return lambda codes: codes.match_code == "Y" and further(codes)


# The first row that fits holds. Only Y may rewrite an address: S has dropped a unit that a record may rightly hold,
# D lacks one, and the rest is no match at all.
TABLE: tuple[tuple[Grade, _Test], ...] = (
    (
        Grade("no_delivery", 0.60, False, False, "confirmed, but a route without delivery (R7)"),
        _confirmed(lambda codes: codes.noted("R7")),
    ),
    (
        Grade("inactive", 0.60, None, True, "confirmed, but not active"),
        _confirmed(lambda codes: codes.active == "N"),
    ),
    (
        Grade("vacant", 0.60, None, True, "confirmed, but vacant for 90 days or more"),
        _confirmed(lambda codes: codes.vacant == "Y"),
    ),
    (
        Grade("military", 0.95, True, True, "confirmed, military (APO, FPO, DPO)"),
        _confirmed(lambda codes: codes.noted("F1")),
    ),
    (
        Grade("mailbox_missing", 0.70, None, True, "confirmed, a mail agency without its mailbox number (R1)"),
        _confirmed(lambda codes: codes.noted("R1")),
    ),
    (
        Grade("confirmed", 0.98, True, True, "confirmed in every part, PO boxes included"),
        _confirmed(lambda codes: codes.noted("AA") and codes.noted("BB")),
    ),
    (
        Grade("confirmed_by_zip", 0.90, True, True, "confirmed, by a unique ZIP or as general delivery (U1, G1)"),
        _confirmed(lambda codes: codes.noted("U1", "G1")),
    ),
    (
        Grade("confirmed_barely", 0.80, True, True, "confirmed, without the footnotes that say by what"),
        _is("Y"),
    ),
    (Grade("unit_unknown", 0.70, None, False, "the building is confirmed, the given unit is not"), _is("S")),
    (Grade("unit_missing", 0.60, None, False, "the building is confirmed, its unit is missing"), _is("D")),
    (Grade("not_confirmed", 0.15, False, False, "not a delivery point"), _is("N")),
)

NOT_CHECKED = Grade("not_checked", 0.15, None, False, "never compared with the delivery points: no match code")
NO_CANDIDATE = Grade("no_candidate", 0.0, False, False, "no candidate at all")
AMBIGUOUS_MOST = 0.5


def graded(codes: DpvCodes) -> Grade:
    """The grade of one candidate; a match code that is missing, empty or unknown is `not_checked`."""
    return next((grade for grade, fits in TABLE if fits(codes)), NOT_CHECKED)


def ambiguous(top: Grade) -> Grade:
    """Several candidates: no more than 0.5 however good each is, and none of them is the address."""
    meaning = "several candidates: the best one's confidence, at most 0.5"
    return Grade("ambiguous", min(AMBIGUOUS_MOST, top.confidence), None, False, meaning)
