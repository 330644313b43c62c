"""From what a person asks for to customers: by id, by record, by contact point."""

from __future__ import annotations

from typing import Any

from streams.codec.state import decode_customer, decode_row
from streams.core import canonical
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.runtime.contacts import ContactRow, decode_contact_row, publish
from streams.web.rows import RowReader


class Lookups:
    """Reads states and rows through the workers that hold them."""

    def __init__(self, reader: RowReader, policy: Policy) -> None:
        self._reader = reader
        self.policy = policy

    async def customer(self, customer_id: str) -> Customer | None:
        """A customer's state."""
        stored = await self._reader.read("customers", customer_id.encode())
        return decode_customer(stored) if stored is not None else None

    async def customer_of(self, platform: str, record_id: str) -> str | None:
        """The customer that a record is bound to."""
        stored = await self._reader.read("identity", f"{platform}:{record_id}".encode())
        return decode_row(stored).customer if stored is not None else None

    async def customers_at(self, contact_point: str) -> list[str]:
        """The customers that hold a contact point."""
        _, row = await self._contact(contact_point)
        return sorted(row.holdings)

    async def consents(self, contact_point: str) -> dict[str, Any]:
        """The effective consent of a contact point: the most restrictive over its customers, and each one's own."""
        point, row = await self._contact(contact_point)
        published = publish(point, row, 0)
        return {
            "contact_point": point,
            "states": [
                {
                    "channel": one.channel,
                    "purpose": one.purpose,
                    "state": one.state,
                    "sendable": one.sendable,
                    "reasons": list(one.reasons),
                }
                for one in published.states
            ],
            "customers": {
                customer: [
                    {"channel": one.channel, "purpose": one.purpose, "state": one.state, "sendable": one.sendable}
                    for one in mine.values()
                ]
                for customer, mine in sorted(row.holdings.items())
            },
        }

    async def _contact(self, given: str) -> tuple[str, ContactRow]:
        email = canonical.email(given)
        point = email if canonical.is_email(email) else canonical.phone(given, self.policy.default_region)
        stored = await self._reader.read("contacts", point.encode())
        return point, decode_contact_row(stored) if stored is not None else ContactRow()
