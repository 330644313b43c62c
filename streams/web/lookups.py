"""From what a person asks for to customers: by id, by record, by contact point."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from streams.codec.state import decode_customer, decode_row
from streams.core import canonical
from streams.core.bond_words import asked_keys, bond_view
from streams.core.identity import Row
from streams.core.moves import remembered
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.model.suppression import SendableState
from streams.runtime.contacts import ContactRow, Holding, decode_contact_row, publish
from streams.web.rows import RowSource

# Records of one customer whose binding is told.
BINDINGS_MAX: Final = 100

# How often a customer is followed that was merged into one that was merged; each is older than the one before.
ALIASES_MAX: Final = 100


class Lookups:
    """Reads states and rows through the workers that hold them."""

    def __init__(self, rows: RowSource, policy: Policy) -> None:
        self._rows = rows
        self.policy = policy

    async def customer(self, customer_id: str) -> Customer | None:
        """A customer's state; of one that was merged, the survivor's (I3), erased or not."""
        for _ in range(ALIASES_MAX):
            stored = await self._rows.read("customers", customer_id.encode())
            state = decode_customer(stored) if stored is not None else None
            moves = remembered(state) if state is not None else None
            following = (moves.survivor or moves.buried_with) if moves is not None else None
            if following is None:
                return state
            customer_id = following
        return None

    async def customer_of(self, platform: str, record_id: str) -> str | None:
        """The customer that a record is bound to."""
        if platform.startswith("@"):
            return None  # the identity rows of e-mails, phones and customers
        stored = await self._rows.read("identity", f"{platform}:{record_id}".encode())
        return decode_row(stored).customer if stored is not None else None

    async def bindings(self, state: Customer) -> list[dict[str, Any]]:
        """Why each of the customer's records belongs to it."""
        names = sorted(state.records)[:BINDINGS_MAX]
        rows = await asyncio.gather(*(self._identity(name) for name in names))
        keys = sorted({key for row in rows if row is not None for key in asked_keys(row)})
        found = zip(keys, await asyncio.gather(*(self._identity(key) for key in keys)), strict=True)
        others = {key: row for key, row in found if row is not None}
        return [bond_view(name, row, others, self.policy) for name, row in zip(names, rows, strict=True)]

    async def _identity(self, key: str) -> Row | None:
        stored = await self._rows.read("identity", key.encode())
        return decode_row(stored) if stored is not None else None

    async def customers_at(self, contact_point: str) -> list[str]:
        """The customers that hold a contact point; between the two steps of a merge the survivor alone."""
        _, row = await self._contact(contact_point)
        if len(row.holdings) < 2:
            return list(row.holdings)
        found = [(await self.customer(holder), holder) for holder in row.holdings]
        return sorted({state.customer_id if state is not None else holder for state, holder in found})

    async def consents(self, contact_point: str) -> dict[str, Any]:
        """The effective consent of a contact point: the most restrictive over its customers, and each one's own."""
        point, row = await self._contact(contact_point)
        return {
            "contact_point": point,
            "states": [_state(one) for one in publish(point, row, 0).states],
            "customers": {
                customer: [_state(one) for _, one in sorted(mine.items())]
                for customer, mine in sorted(row.holdings.items())
            },
        }

    async def _contact(self, given: str) -> tuple[str, ContactRow]:
        point = self.contact_point(given)
        stored = await self._rows.read("contacts", point.encode())
        return point, decode_contact_row(stored) if stored is not None else ContactRow()

    def contact_point(self, given: str) -> str:
        """The canonical form of an e-mail address or a phone number."""
        email = canonical.email(given)
        return email if canonical.is_email(email) else canonical.phone(given, self.policy.default_region)

    def path_of(self, asked: str) -> tuple[str, ...]:
        """The page that answers what a person types: a contact point, a record's name, or a customer's id."""
        asked = asked.strip()
        platform, colon, record_id = asked.partition(":")
        if colon and platform in self.policy.platforms:
            return ("customers", "by", platform, record_id)
        point = self.contact_point(asked)
        if canonical.is_email(point):
            return ("customers", "by", "email", point)
        return ("consents", point) if canonical.is_phone(point) else ("customers", asked)


def _state(one: SendableState | Holding) -> dict[str, Any]:
    return {
        "channel": one.channel,
        "purpose": one.purpose,
        "state": one.state,
        "sendable": one.sendable,
        "reasons": list(one.reasons),
    }
