"""Steward requests on one customer: pins, releases, policy activation (K1, R15)."""

from __future__ import annotations

from streams.core.canonical import check_separators, is_email, is_empty, is_full, is_phone
from streams.core.contact_points import canonical_contact, joined
from streams.core.fold import Fold
from streams.core.rules import Policy
from streams.core.state import Pin, Slot
from streams.model import Address, Invalid, Millis, StewardRequest, Value

# What a steward can make of a review.
DECISIONS = ("approve", "dismiss")


def check_request(request: StewardRequest, policy: Policy) -> None:
    """Raise Invalid, with the field's name, for a request that cannot be carried out."""
    if request.action == "merge" and request.with_ is None:
        raise Invalid("bad_request", "merge needs the other customer")
    if request.action == "unlink" and request.record is None:
        raise Invalid("bad_request", "unlink needs a record")
    if request.action in ("pin", "unpin", "release") and request.attribute is None and request.contact_point is None:
        raise Invalid("bad_request", f"{request.action} needs an attribute or a contact point")
    if request.attribute is not None:
        check_value(request.attribute, request.value, policy)
    if request.contact_point is not None and None in (request.channel, request.purpose):
        raise Invalid("bad_request", "a contact point needs channel and purpose")
    check_separators("contact_point", request.contact_point, request.channel, request.purpose)
    if request.action == "pin" and request.contact_point is not None and request.value != "opt_out":
        raise Invalid("bad_request", "consent can be pinned to opt_out only")
    if request.action == "release" and request.record is None:
        raise Invalid("bad_request", "release needs a record")
    if request.action == "review" and (request.review is None or request.value not in DECISIONS):
        raise Invalid("bad_request", "review needs a review, and approve or dismiss as its value")


def check_value(attribute: str, value: Value | None, policy: Policy) -> None:
    """Raise Invalid for an attribute that the policy does not have, or a value that is not of its kind."""
    rule = policy.attributes.get(attribute)
    if rule is None:
        raise Invalid("bad_request", "unknown attribute")
    if value is not None and isinstance(value, Address) != (rule.kind == "address"):
        raise Invalid("bad_value", "value")
    if isinstance(value, Address) and not is_full(value):
        # Every platform would be told it as it is: no parcel arrives at half an address (R6).
        raise Invalid("bad_value", "value: not a full address")
    if isinstance(value, str):
        check_separators("value", value)


def fold_request(fold: Fold, request: StewardRequest) -> None:
    """Carry out a request on this customer; one that was seen before is ignored."""
    request_id = request.request_id or fold.cause
    if request_id in fold.state.requests:
        return
    fold.state.requests = [*fold.state.requests, request_id][-fold.policy.limits.requests_max :]
    if request.action in ("pin", "unpin"):
        _fold_pin(fold, request, request_id)
    elif request.action == "release":
        _release(fold, request)


def _fold_pin(fold: Fold, request: StewardRequest, request_id: str) -> None:
    """K1: pins are a register ordered by (`at`, `request_id`)."""
    at = request.at if request.at is not None else fold.at
    key = _consent_key(fold, request) if request.contact_point is not None else request.attribute or ""
    value = request.value
    if request.attribute is not None and isinstance(value, str):
        value = None if is_empty(value) else _stated(fold, request.attribute, value)
    if isinstance(value, str) and fold.policy.is_contact(key):
        _appear(fold, value, at)
    known = fold.state.pins.get(key)
    if known is not None and (at, request_id) <= (known.at, known.request_id):
        return
    fold.state.pins[key] = Pin(at, request_id, request.action == "pin", value, request.by, request.why)
    if request.contact_point is not None:
        fold.keys.add(key)
    else:
        fold.attributes.add(key)


def _appear(fold: Fold, contact_point: str, at: Millis) -> None:
    """C5: a pin makes a contact point appear, and it stays so when the pin is taken back."""
    known = fold.state.appeared.get(contact_point)
    if (known is None or at < known) and (is_email(contact_point) or is_phone(contact_point)):
        fold.state.appeared[contact_point] = at
        fold.spoken.add(contact_point)


def _stated(fold: Fold, attribute: str, value: str) -> str:
    """E-mails and phones are golden in their canonical form; names as they are stated."""
    kind = fold.policy.attributes[attribute].kind
    return fold.policy.canonical(attribute, value) if kind in ("email", "phone") else value


def _consent_key(fold: Fold, request: StewardRequest) -> str:
    channel, purpose = request.channel or "", request.purpose or ""
    contact_point = canonical_contact(request.contact_point or "", channel, fold.policy.default_region)
    return joined(contact_point, channel, purpose)


def _release(fold: Fold, request: StewardRequest) -> None:
    """A refused or quarantined value may be commanded again."""
    record = fold.state.records.get(request.record or "")
    if record is None:
        fold.note("release_unmatched")
        return
    if request.attribute is not None:
        _free(record.slots.get(request.attribute))
        fold.touch(request.record or "", request.attribute)
    else:
        key = _consent_key(fold, request)
        _free(record.consents.get(key))
        fold.touch_consent(request.record or "", key)


def _free(slot: Slot | None) -> None:
    if slot is None:
        return
    slot.refused = slot.quarantined = None
    for sent in slot.sent:
        sent.contradicted = False
