"""The storefront: a Shopify shop with its Admin API, its webhooks, its customers' edits and its checkout."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from aiohttp import web

from streams.sandbox.clock import millis, zulu_ms
from streams.sandbox.journal import Received
from streams.sandbox.outbox import Webhook
from streams.sandbox.people import Person
from streams.sandbox.shopify import shapes
from streams.sandbox.shopify.api import Api, Bucket
from streams.sandbox.shopify.records import Consent, Customer, MailingAddress, UserError, native_address, write_address
from streams.sandbox.shopify.resolvers import Root
from streams.sandbox.shopify.store import (
    CREATED,
    DELETED,
    EMAIL_CONSENT,
    MERGED,
    ORDER_UPDATED,
    ORDERED,
    REDACTED,
    SMS_CONSENT,
    UPDATED,
    Store,
)
from streams.sandbox.simulator import BadEdit, Edit, Holding, Options, Simulator, Surroundings, UnknownRecord, parts_of

API_VERSION = "2026-07"
SHOP = "sandbox-shop.myshopify.com"
_WORDS = {"first_name": "firstName", "last_name": "lastName", "email": "email", "phone": "phone"}


class ShopOptions(Options):
    """`protected_data_approved = False` makes the API answer ACCESS_DENIED; `erasure_delay_s` is ten days in life."""

    protected_data_approved: bool = True
    erasure_delay_s: float = 0.2


class Shopify(Simulator):
    """One shop."""

    options: ShopOptions

    vendor: ClassVar[str] = "shopify"
    platform: ClassVar[str] = "storefront"
    secret_names: ClassVar[tuple[str, ...]] = ("ACCESS_TOKEN", "WEBHOOK_SECRET")

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.options = ShopOptions()
        self._guest_orders: dict[str, dict[str, Any]] = {}
        self.store = Store(self.clock, self._announce)
        root = Root(self.store, SHOP, lambda: self.options.protected_data_approved, self._erase_later)
        self.api = Api(root, Bucket(self.clock), lambda: self.secrets["ACCESS_TOKEN"])

    def application(self) -> web.Application:
        return self.api.application()

    def settings(self, base_url: str) -> dict[str, str]:
        return {"BASE_URL": base_url, "API_VERSION": API_VERSION}

    def refusal(self, status: int, retry_after_s: float) -> web.Response:
        """Throttling is an error in a 200 body; down and broken are pages for people."""
        if status == 429:
            return web.json_response(self.api.throttled())
        headers = {"Retry-After": f"{retry_after_s:g}"} if status == 503 else {}
        return web.Response(status=status, text="<html><body>Something went wrong</body></html>", headers=headers)

    def is_write(self, received: Received) -> bool:
        query = received.body.get("query") if isinstance(received.body, dict) else None
        return isinstance(query, str) and query.lstrip().startswith("mutation")

    def reset(self) -> None:
        self.store.clear()
        self._guest_orders.clear()
        self.options = ShopOptions()

    def record_ids(self) -> list[str]:
        return [str(number) for number in self.store.customers]

    def seed(self, person: Person, record_id: str | None = None, announce: bool = False) -> str:
        number = int(record_id) if record_id else self.store.next_id()
        at = millis(person.consent_at) if person.consent_at else None
        created = at or self.clock()
        customer = Customer(number, created, created, person.first_name, person.last_name)
        customer.email = person.email.lower() if person.email else None
        customer.phone = person.phone
        customer.email_consent = _seeded(person.email_consent, at)
        customer.sms_consent = _seeded(person.sms_consent, at)
        if person.shipping_address is not None:
            address = MailingAddress(self.store.next_id(), person.first_name, person.last_name)
            _checked(write_address(address, native_address(person.shipping_address)))
            customer.addresses, customer.default_address_id = [address], address.id
        self.store.customers[number] = customer
        if announce:
            stated = ((customer.email_consent, EMAIL_CONSENT), (customer.sms_consent, SMS_CONSENT))
            self._announce(customer, [CREATED, *(topic for consent, topic in stated if consent.updated_at)])
        return str(number)

    def holds(self, record_id: str) -> Holding:
        customer = self._customer(record_id)
        address = customer.default_address
        return Holding(
            record_id=record_id,
            attributes={
                "first_name": customer.first_name,
                "last_name": customer.last_name,
                "email": customer.email,
                "phone": customer.phone,
                "shipping_address": address.in_our_words() if address else None,
            },
            consents={"email": customer.email_consent.state, "sms": customer.sms_consent.state},
            native=shapes.graphql_customer(customer),
        )

    def sign(self, body: bytes, topic: str = UPDATED) -> dict[str, str]:
        digest = hmac.digest(self.secrets["WEBHOOK_SECRET"].encode(), body, hashlib.sha256)
        return {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
            "X-Shopify-Shop-Domain": SHOP,
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Webhook-Id": str(uuid.uuid4()),
            "X-Shopify-Event-Id": str(uuid.uuid4()),
            "X-Shopify-Triggered-At": zulu_ms(self.clock()),
        }

    @property
    def edits(self) -> Mapping[str, Edit]:
        return {
            "customer_edits": self.customer_edits,
            "checkout": self.checkout,
            "subscribe": self.subscribe,
            "unsubscribe": self.unsubscribe,
            "delete": self.delete,
            "link_order": self.link_order,
            "merge": self.merge,
            "request_redaction": self.request_redaction,
        }

    def customer_edits(self, record_id: str, **values: Any) -> dict[str, Any]:
        """The customer changes names, e-mail, phone or `shipping_address` in their account."""
        customer = self._customer(record_id)
        address = parts_of(values.pop("shipping_address", None))
        if unknown := set(values) - set(_WORDS):
            raise BadEdit(f"the account page has no {', '.join(sorted(unknown))}")
        if values:
            _, errors = self.store.update(customer.id, {_WORDS[name]: value for name, value in values.items()})
            _checked(errors)
        if address is not None:
            native = native_address(address)
            _checked(self.store.write_address(customer.id, customer.default_address_id, native, True)[1])
        return {"record_id": record_id}

    def checkout(self, record_id: str | None = None, **given: Any) -> dict[str, Any]:
        """An order with `shipping_address` and maybe `billing_address`, `email`, `phone`, `buyer_accepts_marketing` and
        `note_attributes` (`[{"name": …, "value": …}]`: what an extension of the checkout wrote down).

        No record: a guest. The customer's own default address stays as it is.
        """
        customer = self._customer(record_id) if record_id else None
        addresses = {
            name: self._order_address(customer, given.get(name)) for name in ("shipping_address", "billing_address")
        }
        number = self.store.next_id()
        if customer is not None:
            customer.orders += 1
        body = shapes.webhook_order(number, self.clock(), customer, addresses, given)
        if customer is None:
            self._guest_orders[str(number)] = body
        self._send(ORDERED, record_id or f"guest {number}", str(uuid.uuid4()), body)
        return {"record_id": record_id, "order_id": str(number)}

    def subscribe(self, record_id: str, channel: str = "email", double_opt_in: bool = False) -> dict[str, Any]:
        """The customer ticks the box; with `double_opt_in` they also followed the link in the mail."""
        level = "CONFIRMED_OPT_IN" if double_opt_in else "SINGLE_OPT_IN"
        return self._consent(record_id, channel, {"marketingState": "SUBSCRIBED", "marketingOptInLevel": level})

    def unsubscribe(self, record_id: str, channel: str = "email") -> dict[str, Any]:
        """The customer follows the unsubscribe link in one of the shop's mails, or answers STOP."""
        return self._consent(record_id, channel, {"marketingState": "UNSUBSCRIBED"})

    def delete(self, record_id: str) -> dict[str, Any]:
        """Somebody deletes the customer in the shop's admin."""
        _checked(self.store.delete(self._customer(record_id).id))
        return {"record_id": record_id}

    def link_order(self, record_id: str, order_id: str) -> dict[str, Any]:
        """A guest's order is given to a customer, who made an account later: the order comes again with them."""
        customer, body = self._customer(record_id), self._guest_orders.pop(order_id, None)
        if body is None:
            raise UnknownRecord(f"{self.platform}:order {order_id}")
        customer.orders += 1
        linked = {**body, "customer": shapes.ordering_customer(customer), "updated_at": shapes.shop_time(self.clock())}
        self._send(ORDER_UPDATED, record_id, str(uuid.uuid4()), linked)
        return {"record_id": record_id, "order_id": order_id}

    def merge(self, record_id: str, other: str, fails: bool = False) -> dict[str, Any]:
        """The shop's staff merges another customer into this one: a job that says how far it is, and may fail."""
        kept, gone = self._customer(record_id), self._customer(other)
        if kept is gone:
            raise BadEdit("a customer cannot be merged with itself")
        states = ("requested", "in_progress", "failed" if fails else "completed")
        for state in states:
            self._send(MERGED, other, str(uuid.uuid4()), shapes.webhook_merged(kept.id, gone.id, state))
        if not fails:
            self.store.merge(kept, gone)
        return {"record_id": record_id}

    def request_redaction(self, record_id: str) -> dict[str, Any]:
        """The customer asks to be forgotten, and the shop passes it on to its apps; it has deleted nothing yet."""
        self._announce(self._customer(record_id), [REDACTED])
        return {"record_id": record_id}

    def _consent(self, record_id: str, channel: str, given: dict[str, Any]) -> dict[str, Any]:
        if channel not in ("email", "sms"):
            raise BadEdit(f"no such channel: {channel}")
        _checked(self.store.consent(self._customer(record_id).id, channel, given)[1])
        return {"record_id": record_id}

    def _customer(self, record_id: str) -> Customer:
        customer = self.store.customers.get(int(record_id)) if record_id.isdecimal() else None
        if customer is None:
            raise UnknownRecord(f"{self.platform}:{record_id}")
        return customer

    def _order_address(self, customer: Customer | None, given: Any) -> MailingAddress | None:
        address = parts_of(given)
        if address is None:
            return None
        written = MailingAddress(0)
        if customer is not None:
            written.first_name, written.last_name = customer.first_name, customer.last_name
        _checked(write_address(written, native_address(address)))
        return written

    def _erase_later(self, number: int) -> None:
        self.later(self.options.erasure_delay_s, lambda: self.store.redact(number))

    def _announce(self, customer: Customer, topics: list[str]) -> None:
        """One merchant action: its topics share an event id."""
        event_id = str(uuid.uuid4())
        for topic in topics:
            self._send(topic, str(customer.id), event_id, _BODIES[topic](customer))

    def _send(self, topic: str, about: str, event_id: str, shape: dict[str, Any]) -> None:
        body = json.dumps(shape, ensure_ascii=False).encode()
        headers = {**self.sign(body, topic), "X-Shopify-Event-Id": event_id}
        self.outbox.send(Webhook(self.platform, about, headers, body))


_BODIES: dict[str, Callable[[Customer], dict[str, Any]]] = {
    CREATED: shapes.webhook_customer,
    UPDATED: shapes.webhook_customer,
    EMAIL_CONSENT: shapes.webhook_email_consent,
    SMS_CONSENT: shapes.webhook_sms_consent,
    DELETED: shapes.webhook_deleted,
    REDACTED: lambda customer: shapes.webhook_redacted(customer, SHOP),
}


def _seeded(state: str | None, at: int | None) -> Consent:
    return Consent(state, "single_opt_in", at) if state else Consent()


def _checked(errors: list[UserError]) -> None:
    if errors:
        raise BadEdit(errors[0].message)
