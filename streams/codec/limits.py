"""What a Change may hold at most, whatever it came in; a message over a limit is a dead letter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from streams.model import Address, Change, ConsentStatement, Invalid, Statement, Suppression, Verdict

RECORD_ID_CHARS_MAX: Final = 512
TEXT_CHARS_MAX: Final = 4096
EVIDENCE_BYTES_MAX: Final = 4096
MEMBERS_MAX: Final = 64
TIME_MIN_MS: Final = -30_610_224_000_000  # 1000-01-01, the first year that is shown with four digits
TIME_MAX_MS: Final = 253_402_300_799_999  # 9999-12-31
SEQUENCE_MAX: Final = 2**63 - 1


def check_change(change: Change) -> Change:
    """The change itself; raises Invalid: `missing_field`, `too_long`, `too_many`, `bad_time`, `bad_field`."""
    if not change.record_id or not change.platform or not change.change_id:
        raise Invalid("missing_field", "change_id, platform and record_id must not be empty")
    if len(change.record_id) > RECORD_ID_CHARS_MAX:
        raise Invalid("too_long", "record_id")
    check_text("change_id", change.change_id)
    check_text("platform", change.platform)
    check_text("customer_id", change.customer_id)
    check_time("observed_at", change.observed_at)
    if change.sequence is not None and not -SEQUENCE_MAX - 1 <= change.sequence <= SEQUENCE_MAX:
        raise Invalid("bad_field", "sequence")
    _check_members(change)
    return change


def check_text(path: str, text: str | None) -> None:
    """Raise Invalid("too_long")."""
    if text is not None and len(text) > TEXT_CHARS_MAX:
        raise Invalid("too_long", path)


def check_time(path: str, at: int | None) -> None:
    """Raise Invalid("bad_time") for a time that no text can show."""
    if at is not None and not TIME_MIN_MS <= at <= TIME_MAX_MS:
        raise Invalid("bad_time", path)


def _check_members(change: Change) -> None:
    if change.attributes:
        _check_count("attributes", len(change.attributes))
        for name, statement in change.attributes.items():
            check_text("attributes", name)
            _check_statement(statement)
    for path, values in _identifiers(change):
        _check_count(path, len(values))
        for value in values:
            check_text(path, value)
    for consent in _bounded("consents", change.consents):
        _check_consent(consent)
    for verdict in _bounded("verdicts", change.verdicts):
        _check_verdict(verdict)
    for suppression in _bounded("suppressions", change.suppressions):
        _check_suppression(suppression)


def _identifiers(change: Change) -> Iterator[tuple[str, tuple[str, ...]]]:
    found = change.identifiers
    if found.email:
        yield "identifiers.email", found.email
    if found.phone:
        yield "identifiers.phone", found.phone
    if found.external:
        yield "identifiers.external", found.external


def _bounded(path: str, members: tuple[Any, ...]) -> tuple[Any, ...]:
    _check_count(path, len(members))
    return members


def _check_count(path: str, count: int) -> None:
    if count > MEMBERS_MAX:
        raise Invalid("too_many", path)


def _check_statement(statement: Statement) -> None:
    value = statement.value
    if type(value) is Address:
        check_address("attributes[...].value", value)
    else:
        check_text("attributes[...].value", value)  # type: ignore[arg-type]
    if statement.confidence is not None:
        check_confidence("attributes[...].confidence", statement.confidence)
    if statement.verified_by is not None:
        check_text("attributes[...].verified_by", statement.verified_by)
    if (value not in (None, "")) + statement.clear + statement.retract > 1:
        raise Invalid("bad_field", "attributes[...]: one of value, clear and retract")


def check_address(path: str, address: Address) -> None:
    """Raise Invalid("too_long") for one of its parts."""
    longest = max(
        len(address.line1),
        len(address.line2),
        len(address.city),
        len(address.region),
        len(address.postal_code),
        len(address.country),
    )
    if longest > TEXT_CHARS_MAX:
        raise Invalid("too_long", path)


def check_confidence(path: str, confidence: float) -> None:
    """Raise Invalid("bad_field") unless it is a number from 0 to 1."""
    if not (math.isfinite(confidence) and 0.0 <= confidence <= 1.0):
        raise Invalid("bad_field", path)


def _check_texts(path: str, texts: Iterable[str | None]) -> None:
    for text in texts:
        check_text(path, text)


def _check_named(path: str, texts: Iterable[str]) -> None:
    """Whose and what a decision is: without it an opt-out would be kept and heeded by nobody."""
    for text in texts:
        if not text or text.isspace():
            raise Invalid("missing_field", path)
        check_text(path, text)


def _check_consent(consent: ConsentStatement) -> None:
    _check_named("consents[...]", (consent.contact_point, consent.channel, consent.purpose))
    check_text("consents[...]", consent.method)
    check_time("consents[...].at", consent.at)
    check_time("consents[...].expires_at", consent.expires_at)
    if consent.evidence is not None:
        check_evidence("consents[...].evidence", consent.evidence)


def check_evidence(path: str, evidence: dict[str, Any]) -> None:
    """Raise Invalid for evidence that is too long, or that is not JSON."""
    try:
        size = len(msgspec.json.encode(evidence))
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise Invalid("bad_field", path) from None
    if size > EVIDENCE_BYTES_MAX:
        raise Invalid("too_long", path)


def _check_verdict(verdict: Verdict) -> None:
    _check_texts("verdicts[...]", (verdict.record, verdict.attribute))
    check_address("verdicts[...].input", verdict.input)
    if verdict.standardized is not None:
        check_address("verdicts[...].standardized", verdict.standardized)
    check_confidence("verdicts[...].confidence", verdict.confidence)
    check_time("verdicts[...].at", verdict.at)


def _check_suppression(suppression: Suppression) -> None:
    _check_named("suppressions[...]", (suppression.contact_point, suppression.channel))
    check_time("suppressions[...].at", suppression.at)
