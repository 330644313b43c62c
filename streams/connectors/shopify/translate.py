"""Shopify's webhooks as changes: one function a topic, everything else counted by name.

Times: a customer's `updated_at`; a consent's or a deletion's `X-Shopify-Triggered-At`; an order's moment of purchase,
because later deliveries about the order (payment, shipping, refunds) repeat the address that was given then. Among
deliveries about one order the later `updated_at` wins, as the sequence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from streams.connectors.base import EraseRequest, Headers, Refetch, Translation
from streams.connectors.merges import merged_into
from streams.connectors.shopify import body as read
from streams.connectors.shopify.body import Body
from streams.connectors.shopify.consent import marketing, statement
from streams.connectors.shopify.orders import addresses_said, bought_at, maybe_a_guests, placed_by
from streams.connectors.shopify.records import guest_order, orders_of
from streams.model import Change, Identifiers, Invalid, Millis, Statement, parse_time

_TOPIC = re.compile(r"[a-z0-9_]{1,60}(/[a-z0-9_]{1,60}){0,2}")
_EVENT_ID = re.compile(r"[!-~]{1,128}")
_MERGES = frozenset({"requested", "in_progress", "completed", "failed"})
_ORDERS_MAX = 1000


class Delivery(msgspec.Struct, frozen=True):
    """One webhook delivery: what the headers say of it, and its body."""

    platform: str
    topic: str
    event_id: str | None
    triggered_at: Millis | None
    fingerprint: str
    body: Body

    def change_id(self, record_id: str) -> str:
        """The same for each delivery of one event: the event's id, else the body's hash, with topic and record.

        One event id comes under several topics, and a bulk edit may share it among records.
        """
        return f"shopify:{self.event_id or self.fingerprint}:{self.topic}:{record_id}"

    def named(self, why: str) -> Translation:
        """Nothing to say, counted by topic and reason."""
        return Translation(ignored=(f"{self.topic}:{why}",))


Reader: TypeAlias = Callable[[Delivery], Translation]


def translate(platform: str, headers: Headers, raw: bytes) -> Translation:
    """What one delivery says; raises Invalid for what cannot be read."""
    topic = topic_of(headers)
    if topic not in _READERS:
        return Translation(ignored=(topic,))
    return _READERS[topic](_delivery(platform, topic, headers, raw))


def record_key(headers: Headers, raw: bytes) -> str | None:
    """The record that a delivery speaks of; None where there is none, or where it cannot be read."""
    try:
        owner = _OWNERS.get(topic_of(headers))
        return owner(read.object_in(raw)) if owner else None
    except Invalid:
        return None


def topic_of(headers: Headers) -> str:
    """The topic, in Shopify's form `customers/update`; raises Invalid("no_topic") or Invalid("bad_topic")."""
    topic = read.header(headers, "topic")
    if topic is None:
        raise Invalid("no_topic", "no topic header")
    if not _TOPIC.fullmatch(topic):
        raise Invalid("bad_topic", "not a topic's name")
    return topic


def _delivery(platform: str, topic: str, headers: Headers, raw: bytes) -> Delivery:
    triggered = read.header(headers, "triggered-at")
    event_id = read.header(headers, "event-id")
    if event_id is not None and not _EVENT_ID.fullmatch(event_id):
        raise Invalid("bad_event_id", "the event's id is no plain word")
    return Delivery(
        platform=platform,
        topic=topic,
        event_id=event_id,
        triggered_at=parse_time(triggered) if triggered else None,
        fingerprint=hashlib.sha256(raw).hexdigest()[:32],
        body=read.object_in(raw),
    )


def _customer_id(body: Body) -> str | None:
    return read.record_id(body, "Customer")


def _consent_customer_id(body: Body) -> str | None:
    """The e-mail topic calls it `customer_id`, the SMS topic `id`."""
    return read.record_id(body, "Customer", "customer_id") or read.record_id(body, "Customer")


def _order_record_id(body: Body) -> str | None:
    """The record of the customer's orders, or of this order where it has no customer."""
    owner = _order_customer_id(body)
    if owner:
        return orders_of(owner)
    order = read.record_id(body, "Order")
    return guest_order(order) if order else None


def _order_customer_id(body: Body) -> str | None:
    customer = read.part(body, "customer")
    return _customer_id(customer) if customer else None


def _required(record_id: str | None) -> str:
    if record_id is None:
        raise Invalid("no_id", "no customer or order id")
    return record_id


def customer_attributes(body: Body) -> dict[str, Statement]:
    """What a customer says of itself; `default_address` is where its parcels go."""
    said = {name: value for field in _FIELDS for name, value in read.stated(body, field).items()}
    if "default_address" in body:
        given = read.part(body, "default_address")
        found = read.address(given) if given else None
        said["shipping_address"] = Statement(value=found) if found else read.NOTHING_SAID
    return said


_FIELDS = ("first_name", "last_name", "email", "phone")


def customer_identifiers(body: Body) -> Identifiers:
    """The e-mail address where Shopify says that it is verified; it verifies no phone."""
    email = read.text(body, "email") if read.flag(body, "verified_email") else None
    return Identifiers(email=(email,)) if email else Identifiers()


def _customer(delivery: Delivery) -> Translation:
    """customers/create, customers/update. Marketing fields of old API versions are not read: they say neither how nor
    when the customer decided, and the consent topics say both."""
    body = delivery.body
    record_id = _required(_customer_id(body))
    observed_at = read.time(body, "updated_at")
    attributes = customer_attributes(body)
    if all(said == read.NOTHING_SAID for said in attributes.values()):
        return delivery.named("empty")
    change = Change(
        change_id=delivery.change_id(record_id),
        platform=delivery.platform,
        record_id=record_id,
        observed_at=delivery.triggered_at if observed_at is None else observed_at,
        identifiers=customer_identifiers(body),
        attributes=attributes,
    )
    ignored = tuple(f"{delivery.topic}:{field}" for field in _OLD_CONSENT if body.get(field) is not None)
    return Translation(changes=(change,), ignored=ignored)


_OLD_CONSENT = ("accepts_marketing", "email_marketing_consent", "sms_marketing_consent")


def _deleted(delivery: Delivery) -> Translation:
    record_id = _required(_customer_id(delivery.body))
    change = Change(
        change_id=delivery.change_id(record_id),
        platform=delivery.platform,
        record_id=record_id,
        op="delete",
        observed_at=delivery.triggered_at,
    )
    return Translation(changes=(change,))


def _consent(channel: str, contact_field: str, consent_field: str) -> Reader:
    """The reader of a consent topic."""

    def reader(delivery: Delivery) -> Translation:
        body = delivery.body
        record_id = _required(_consent_customer_id(body))
        said = marketing(read.part(body, consent_field) or {})
        if not said.decided:
            return delivery.named(said.state or "empty")
        contact_point = read.text(body, contact_field)
        if contact_point is None:
            # The decision is real, but not whose: the customer's own view has both.
            return Translation(refetch=(Refetch(record_id, f"{delivery.topic}:no_{contact_field}"),))
        evidence = {"topic": delivery.topic, "event_id": delivery.event_id}
        change = Change(
            change_id=delivery.change_id(record_id),
            platform=delivery.platform,
            record_id=record_id,
            observed_at=delivery.triggered_at,
            consents=(statement(said, channel, contact_point, evidence),),
        )
        return Translation(changes=(change,))

    return reader


def _order(delivery: Delivery) -> Translation:
    body = delivery.body
    if read.flag(body, "test"):
        return delivery.named("test")
    if read.text(body, "cancel_reason") == "fraud":
        return delivery.named("fraud")
    record_id = _required(_order_record_id(body))
    said = addresses_said(body, fresh=delivery.topic == "orders/create")
    if not said.attributes:
        return delivery.named("no_address")
    purchased_at = bought_at(body)
    change = Change(
        change_id=delivery.change_id(record_id),
        platform=delivery.platform,
        record_id=record_id,
        observed_at=delivery.triggered_at if purchased_at is None else purchased_at,
        sequence=read.time(body, "updated_at"),
        actor=placed_by(body),
        identifiers=_order_identifiers(delivery, body),
        attributes=said.attributes,
    )
    return Translation(changes=(change,), ignored=tuple(f"{delivery.topic}:{why}" for why in said.ignored))


def _order_identifiers(delivery: Delivery, body: Body) -> Identifiers:
    """Whose order it is, by the customer's row; the e-mail typed into the order itself is not verified.

    An order that may have been a guest's before names its record of then too.
    """
    customer = read.part(body, "customer")
    owner = _order_customer_id(body)
    if not customer or not owner:
        return Identifiers()
    order = read.record_id(body, "Order")
    named = [owner]
    if order and delivery.topic == "orders/updated" and maybe_a_guests(body, customer):
        named.append(guest_order(order))
    external = tuple(f"{delivery.platform}:{one}" for one in named)
    return msgspec.structs.replace(customer_identifiers(customer), external=external)


def _merge(delivery: Delivery) -> Translation:
    """customers/merge: a job that may fail; only `completed` is a fact about identity."""
    status = (read.text(delivery.body, "status") or "").lower()
    if status and status not in _MERGES:
        raise Invalid("unknown_enum", "status")
    if status != "completed":
        return delivery.named(status or "empty")
    gone, kept = _required(_merged_id(delivery.body)), _required(_merged_id(delivery.body, "kept"))
    change_id = delivery.change_id(gone)
    return Translation(changes=(merged_into(delivery.platform, gone, kept, change_id, delivery.triggered_at),))


def _merged_id(body: Body, which: str = "deleted") -> str | None:
    gid = read.text(body, f"admin_graphql_api_customer_{which}_id")
    return read.digits_of(gid, "Customer") if gid else None


def _redact(delivery: Delivery) -> Translation:
    """customers/redact: the customer's row, or, where there is none, each order of a guest."""
    record_id = _redacted_id(delivery.body)
    records = [record_id] if record_id else [guest_order(order) for order in _orders_to_redact(delivery.body)]
    if not records:
        return delivery.named("empty")
    return Translation(erase_requests=tuple(EraseRequest(one, delivery.change_id(one)) for one in records))


def _redacted_id(body: Body) -> str | None:
    customer = read.part(body, "customer")
    return _customer_id(customer) if customer else None


def _orders_to_redact(body: Body) -> list[str]:
    orders = body.get("orders_to_redact") or []
    if not isinstance(orders, list) or len(orders) > _ORDERS_MAX:
        raise Invalid("bad_type", "orders_to_redact")
    found = [read.record_id({"id": order}, "Order") for order in orders]
    return [order for order in found if order is not None]


def _shop_redact(delivery: Delivery) -> Translation:
    """shop/redact: the shop has gone, and wants everybody erased."""
    return Translation(erase_requests=(EraseRequest(None, delivery.change_id("shop")),))


def _data_request(delivery: Delivery) -> Translation:
    """customers/data_request: the merchant answers it; counted so that it is seen."""
    return Translation(ignored=(delivery.topic,))


_EMAIL_CONSENT = _consent("email", "email_address", "email_marketing_consent")
_SMS_CONSENT = _consent("sms", "phone", "sms_marketing_consent")

_READERS: dict[str, Reader] = {
    "customers/create": _customer,
    "customers/update": _customer,
    "customers/delete": _deleted,
    "customers_email_marketing_consent/update": _EMAIL_CONSENT,
    "customers_marketing_consent/update": _SMS_CONSENT,
    "orders/create": _order,
    "orders/updated": _order,
    "customers/merge": _merge,
    "customers/redact": _redact,
    "customers/data_request": _data_request,
    "shop/redact": _shop_redact,
}

_OWNERS: dict[str, Callable[[Body], Any]] = {
    "customers/create": _customer_id,
    "customers/update": _customer_id,
    "customers/delete": _customer_id,
    "customers_email_marketing_consent/update": _consent_customer_id,
    "customers_marketing_consent/update": _consent_customer_id,
    "orders/create": _order_record_id,
    "orders/updated": _order_record_id,
    "customers/merge": _merged_id,
    "customers/redact": _redacted_id,
}
