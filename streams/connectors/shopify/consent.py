"""Shopify's marketing states as consent statements. Never an opt-in or an opt-out that nobody gave.

| state | statement | why |
|---|---|---|
| `subscribed` | `opt_in` | the customer is subscribed, at the stated time |
| `unsubscribed` | `opt_out` | was subscribed, or refused |
| `pending` | none | the double opt-in mail is out: the confirmation comes as `subscribed`, `confirmed_opt_in` |
| `not_subscribed` | none | the initial state, and what a changed e-mail address resets to: nobody decided it |
| `redacted` | none | the values are gone; erasure has its own way in |
| `invalid` | none | the address is unusable, which is not a decision |
| null | none | a test notification, or a shop that hides the field |

`opt_in_level` says how: `confirmed_opt_in` is the method `double_opt_in`, `single_opt_in` is `checkbox`; both are the
customer's own act, hence explicit with evidence. `unknown` and null are neither: so comes back what this product wrote
(it writes `UNKNOWN`), and so it is recognised as an echo. An opt-out needs no explicitness and carries no method, for
the same reason.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streams.connectors.shopify import body as read
from streams.connectors.shopify.body import Body
from streams.model import ConsentStatement, Invalid

PURPOSE: Final = "marketing"
METHODS: Final = {"confirmed_opt_in": "double_opt_in", "single_opt_in": "checkbox"}
UNDECIDED: Final = frozenset({"pending", "not_subscribed", "redacted", "invalid"})
_LEVELS = frozenset({*METHODS, "unknown"})
_STATES = frozenset({*UNDECIDED, "subscribed", "unsubscribed"})


class Marketing(msgspec.Struct, frozen=True):
    """One marketing state as Shopify tells it; words in lower case, whichever API they came from."""

    state: str | None
    level: str | None
    at: int | None
    collected_from: str | None = None

    @property
    def decided(self) -> bool:
        """True where somebody subscribed or unsubscribed."""
        return self.state is not None and self.state not in UNDECIDED


def marketing(body: Body) -> Marketing:
    """The webhook's `email_marketing_consent` or `sms_marketing_consent`; raises Invalid("unknown_enum")."""
    return Marketing(
        state=_word(body, "state", _STATES),
        level=_word(body, "opt_in_level", _LEVELS),
        at=read.time(body, "consent_updated_at"),
        collected_from=_lower(body, "consent_collected_from"),
    )


def statement(said: Marketing, channel: str, contact_point: str, evidence: dict[str, Any]) -> ConsentStatement:
    """The consent statement of a decided state; `evidence` is kept with an opt-in that names its method."""
    if said.state == "unsubscribed":
        return ConsentStatement(contact_point, channel, PURPOSE, "opt_out", at=said.at)
    method = METHODS.get(said.level or "")
    return ConsentStatement(
        contact_point,
        channel,
        PURPOSE,
        "opt_in",
        at=said.at,
        explicit=method is not None,
        method=method,
        evidence={**evidence, "opt_in_level": said.level, **_collected(said)} if method else None,
    )


def _collected(said: Marketing) -> dict[str, str]:
    return {"consent_collected_from": said.collected_from} if said.collected_from else {}


def _lower(body: Body, field: str) -> str | None:
    value = read.text(body, field)
    return value.lower() if value else None


def _word(body: Body, field: str, known: frozenset[str]) -> str | None:
    value = _lower(body, field)
    if value is not None and value not in known:
        raise Invalid("unknown_enum", field)
    return value
