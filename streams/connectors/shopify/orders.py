"""Orders: evidence for an address, never proof of consent, and no statement about names or contact points.

An order's e-mail and phone are what was typed at the checkout: nobody has verified them, and a mere string must not
make a contact anywhere. `buyer_accepts_marketing` says neither how nor when, and contradicts the customer's own
consent in practice.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streams.connectors.shopify import body as read
from streams.connectors.shopify.body import Body
from streams.connectors.verdicts import DpvCodes, graded
from streams.model import Invalid, Millis, Statement
from streams.model.change import Actor

VERDICT: Final = "address_verdict"
VERIFIED_BY: Final = "smarty"


class CheckoutVerdict(msgspec.Struct, frozen=True):
    """What our checkout extension wrote into the order: the validator's codes for the shipping address."""

    dpv_match_code: str | None = None
    dpv_footnotes: str | None = None
    active: str | None = None
    vacant: str | None = None

    @property
    def confidence(self) -> float:
        codes = DpvCodes(self.dpv_match_code, self.dpv_footnotes, self.active, self.vacant)
        return graded(codes).confidence


class OrderSaid(msgspec.Struct, frozen=True):
    """An order's addresses, and what was left out by name."""

    attributes: dict[str, Statement]
    ignored: tuple[str, ...] = ()


def addresses_said(body: Body, *, fresh: bool) -> OrderSaid:
    """What an order says of its addresses; null says nothing, since an order need not have either.

    `fresh`: the order is as the checkout left it. Later an edit may have put in another address than the one that
    the checkout asked about.
    """
    shipping, billing = _address(body, "shipping_address"), _address(body, "billing_address")
    ignored: tuple[str, ...] = ()
    if shipping is not None and fresh:
        shipping, ignored = _with_verdict(shipping, body)
    said = {"shipping_address": shipping, "billing_address": billing}
    return OrderSaid({name: statement for name, statement in said.items() if statement is not None}, ignored)


def bought_at(body: Body) -> Millis | None:
    """The earlier of `created_at` and `processed_at`: an imported order was created long after the purchase."""
    times = [at for field in ("created_at", "processed_at") if (at := read.time(body, field)) is not None]
    return min(times) if times else read.time(body, "updated_at")


def placed_by(body: Body) -> Actor:
    """A draft order was typed in by the shop's staff."""
    return "agent" if read.text(body, "source_name") == "shopify_draft_order" else "customer"


def maybe_a_guests(body: Body, customer: Body) -> bool:
    """False for an order that its customer placed: who was there before it, and whose e-mail it has.

    Shopify gives an order to the customer with its e-mail at once; who gets it later came later, or has another one.
    """
    email = read.text(body, "email") or read.text(body, "contact_email")
    own = read.text(customer, "email")
    if email is None or own is None or email.casefold() != own.casefold():
        return True
    came, bought = read.time(customer, "created_at"), bought_at(body)
    return came is not None and bought is not None and came > bought


def _address(body: Body, field: str) -> Statement | None:
    given = read.part(body, field)
    found = read.address(given) if given else None
    return Statement(value=found) if found else None


def _with_verdict(shipping: Statement, body: Body) -> tuple[Statement, tuple[str, ...]]:
    text = _verdict_text(body)
    if text is None:
        return shipping, ()
    try:
        verdict = msgspec.json.decode(text, type=CheckoutVerdict)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return shipping, (f"{VERDICT}_unreadable",)
    return msgspec.structs.replace(shipping, confidence=verdict.confidence, verified_by=VERIFIED_BY), ()


def _verdict_text(body: Body) -> str | None:
    notes: Any = body.get("note_attributes")
    if notes is None:
        return None
    if not isinstance(notes, list):
        raise Invalid("bad_type", "note_attributes")
    values = [note.get("value") for note in notes if isinstance(note, dict) and note.get("name") == VERDICT]
    return values[0] if values and isinstance(values[0], str) else None
