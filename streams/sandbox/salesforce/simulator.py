"""The CRM: a Salesforce org with its REST API, its relayed change events, its agents and its nightly batch."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from streams.model import Address
from streams.sandbox.clock import millis
from streams.sandbox.journal import Received
from streams.sandbox.outbox import Webhook
from streams.sandbox.people import Person
from streams.sandbox.salesforce.api import Api
from streams.sandbox.salesforce.capture import Captor
from streams.sandbox.salesforce.fields import BadRequest
from streams.sandbox.salesforce.org import By, Committed, Contact, Flows, Org, Row
from streams.sandbox.salesforce.sessions import Sessions
from streams.sandbox.salesforce.shapes import address_in_our_words, rest_contact
from streams.sandbox.simulator import BadEdit, Edit, Holding, Options, Simulator, Surroundings, UnknownRecord, parts_of

API_VERSION = "66.0"
AGENT = "005Sb0000000002AAA"
# Pages write through an internal client of the API; flows and triggers leave the origin empty.
PAGES = By(AGENT, f"com/salesforce/api/soap/{API_VERSION};client=SfdcInternalAPI/")
FLOW = By(AGENT)
_WORDS = {"first_name": "FirstName", "last_name": "LastName", "email": "Email", "phone": "Phone"}
_ADDRESSES = {"shipping_address": "Mailing", "billing_address": "Other"}


class OrgOptions(Options):
    """`cut` and `phones_as_national`: see `Flows`. `enriched`: fields that every update event carries.

    `masters`: the event of a deletion names the contact into which the record was merged.
    """

    cut: dict[str, int] = msgspec.field(default_factory=dict)
    phones_as_national: bool = True
    enriched: tuple[str, ...] = ()
    masters: bool = False


class Salesforce(Simulator):
    """The mailing address is where parcels go, the other address is where bills go."""

    options: OrgOptions

    vendor: ClassVar[str] = "salesforce"
    platform: ClassVar[str] = "crm"
    secret_names: ClassVar[tuple[str, ...]] = ("CLIENT_ID", "CLIENT_SECRET", "WEBHOOK_SECRET")
    external_id = "Writeback_Customer__c"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.org = Org(self.clock, self.switch, self._capture)
        self.org.declare_external_id(self.external_id)
        self.sessions = Sessions(self.clock, self.secrets)
        self.api = Api(self.org, self.sessions)
        self._captor = Captor()
        self.options = OrgOptions()

    def application(self) -> web.Application:
        return self.api.application()

    def settings(self, base_url: str) -> dict[str, str]:
        return {"BASE_URL": base_url, "API_VERSION": API_VERSION, "CUSTOMER_FIELD": self.external_id}

    def configure(self, **changes: Any) -> None:
        super().configure(**changes)
        self._apply_options()

    def is_write(self, received: Received) -> bool:
        return received.method != "GET" and received.path.startswith("/services/data")

    def refusal(self, status: int, retry_after_s: float) -> web.Response:
        """Too many calls is a 403 here, and says nothing of when to come back."""
        code, message = {
            429: ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            500: ("UNKNOWN_EXCEPTION", "An unexpected error occurred."),
            503: ("SERVER_UNAVAILABLE", "The server is temporarily unavailable."),
        }[status]
        headers = {"Retry-After": f"{retry_after_s:g}"} if status == 503 else {}
        body = [{"message": message, "errorCode": code}]
        return web.json_response(body, status=403 if status == 429 else status, headers=headers)

    def reset(self) -> None:
        self.org.contacts.clear()
        self.options = OrgOptions()
        self._apply_options()

    def record_ids(self) -> list[str]:
        return [contact.id for contact in self.org.contacts.values() if not contact.deleted]

    def seed(self, person: Person, record_id: str | None = None, announce: bool = False) -> str:
        at = millis(person.consent_at) if person.consent_at else self.clock()
        contact = Contact(record_id or self.org.next_id(), at, at)
        native = _native(
            {
                "first_name": person.first_name,
                "last_name": person.last_name,
                "email": person.email,
                "phone": person.phone,
                "shipping_address": person.shipping_address,
                "billing_address": person.billing_address,
            }
        )
        contact.fields = {name: value for name, value in native.items() if value}
        contact.fields["HasOptedOutOfEmail"] = person.email_consent == "unsubscribed"
        for platform, other in person.external.items():
            name = f"Writeback_{platform.capitalize()}_Id__c"
            self.org.declare_external_id(name)
            contact.fields[name] = other
        self.org.contacts[contact.id] = contact
        if announce:
            self._capture([Committed(contact, "CREATE", ())], PAGES)
        return contact.id

    def holds(self, record_id: str) -> Holding:
        contact = self._contact(record_id)
        fields = contact.fields
        return Holding(
            record_id=contact.id,
            attributes={
                **{word: fields.get(name) for word, name in _WORDS.items()},
                **{word: address_in_our_words(contact, prefix) for word, prefix in _ADDRESSES.items()},
            },
            consents={"email": "unsubscribed" if fields.get("HasOptedOutOfEmail") else "not_opted_out"},
            native=rest_contact(contact, f"v{API_VERSION}"),
        )

    def sign(self, body: bytes, topic: str = "") -> dict[str, str]:
        timestamp = str(self.clock() // 1000)
        signed = timestamp.encode() + b"." + body
        signature = hmac.new(self.secrets["WEBHOOK_SECRET"].encode(), signed, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "X-Relay-Signature": signature,
            "X-Relay-Timestamp": timestamp,
        }

    @property
    def edits(self) -> Mapping[str, Edit]:
        return {
            "agent_edits": self.agent_edits,
            "agent_opts_out": self.agent_opts_out,
            "agent_opts_in": self.agent_opts_in,
            "nightly_batch": self.nightly_batch,
            "delete": self.delete,
            "undelete": self.undelete,
            "merge": self.merge,
            "gap": self.gap,
            "expire_sessions": self.expire_sessions,
        }

    def agent_edits(self, record_id: str, **values: Any) -> dict[str, Any]:
        """An agent types new values on the contact's page: names, e-mail, phone, the addresses."""
        if unknown := set(values) - set(_WORDS) - set(_ADDRESSES):
            raise BadEdit(f"the contact page has no {', '.join(sorted(unknown))}")
        return self._type_in(record_id, _native(values))

    def agent_opts_out(self, record_id: str) -> dict[str, Any]:
        """An agent ticks "Email Opt Out"."""
        return self._type_in(record_id, {"HasOptedOutOfEmail": True})

    def agent_opts_in(self, record_id: str) -> dict[str, Any]:
        """An agent takes the tick away."""
        return self._type_in(record_id, {"HasOptedOutOfEmail": False})

    def nightly_batch(
        self, record_ids: list[str] | None = None, opted_out: bool | None = None, touch: bool = True
    ) -> dict[str, Any]:
        """The export of the night: every contact with its opt-out flag.

        `opted_out` overrides the flag with what an older copy said; `touch` gives the rows a new time, as a batch
        job does that rewrites every row.
        """
        contacts = [self._contact(one) for one in record_ids or self.record_ids()]
        for contact in contacts:
            if opted_out is not None:
                contact.fields["HasOptedOutOfEmail"] = opted_out
            if touch:
                contact.modified_at = self.clock()
        self._send("batch", {"records": [rest_contact(one, f"v{API_VERSION}") for one in contacts]})
        return {"record_ids": [one.id for one in contacts]}

    def delete(self, record_id: str) -> dict[str, Any]:
        """An agent deletes the contact."""
        return self._done(record_id, self.org.delete(record_id))

    def undelete(self, record_id: str) -> dict[str, Any]:
        """An agent takes the contact out of the recycle bin."""
        return self._done(record_id, self.org.undelete(record_id))

    def merge(self, record_id: str, losers: list[str]) -> dict[str, Any]:
        """An agent merges up to two contacts into this one: they are deleted, and it takes over what it lacks."""
        if not 1 <= len(losers) <= 2 or record_id in losers:
            raise BadEdit("one or two other contacts can be merged into a contact")
        master = self._contact(record_id)
        self.org.commit([*self.org.merge(master, [self._contact(one) for one in losers])], PAGES)
        return {"record_id": master.id}

    def gap(self, record_id: str) -> dict[str, Any]:
        """A change whose event could not be made: it comes without values."""
        self._capture([Committed(self._contact(record_id), "GAP_UPDATE", ())], FLOW)
        return {"record_id": record_id}

    def expire_sessions(self) -> dict[str, Any]:
        """Every access token ends now."""
        self.sessions.expire_all()
        return {}

    def _apply_options(self) -> None:
        self.org.flows = Flows(self.options.cut, self.options.phones_as_national)
        self._captor.enriched = self.options.enriched
        self._captor.masters = self.options.masters

    def _type_in(self, record_id: str, native: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._done(record_id, self.org.update(record_id, native))
        except BadRequest as bad:
            raise BadEdit(bad.body[0]["message"]) from None

    def _done(self, record_id: str, outcome: tuple[Row, Committed | None]) -> dict[str, Any]:
        (contact, error), committed = outcome
        if contact is None:
            if error is not None and error.code in ("MALFORMED_ID", "INVALID_CROSS_REFERENCE_KEY"):
                raise UnknownRecord(f"{self.platform}:{record_id}")
            raise BadEdit(error.message if error else "refused")
        self.org.commit([committed], PAGES)
        return {"record_id": contact.id}

    def _contact(self, record_id: str) -> Contact:
        contact, _ = self.org.contact(record_id)
        if contact is None:
            raise UnknownRecord(f"{self.platform}:{record_id}")
        return contact

    def _capture(self, rows: list[Committed], by: By) -> None:
        for event in self._captor.events(rows, by, self.clock()):
            self._send(event.about, event.body)

    def _send(self, about: str, shape: dict[str, Any]) -> None:
        body = json.dumps(shape, ensure_ascii=False).encode()
        self.outbox.send(Webhook(self.platform, about, self.sign(body), body))


def _native(values: Mapping[str, Any]) -> dict[str, Any]:
    """Our words as the contact's fields."""
    fields: dict[str, Any] = {_WORDS[word]: value for word, value in values.items() if word in _WORDS}
    for word, prefix in _ADDRESSES.items():
        if word in values:
            fields |= _native_address(prefix, parts_of(values[word]) or Address())
    return fields


def _native_address(prefix: str, address: Address) -> dict[str, str | None]:
    street = "\n".join(line for line in (address.line1, address.line2) if line)
    return {
        f"{prefix}Street": street or None,
        f"{prefix}City": address.city or None,
        f"{prefix}State": address.region or None,
        f"{prefix}PostalCode": address.postal_code or None,
        f"{prefix}Country": address.country or None,
    }
