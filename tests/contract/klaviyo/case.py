"""Klaviyo's case: an account that knows three profiles, with its answers in the API's own shapes."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from streams.model import Address, Assignment, Command, ConsentOrder, Millis
from tests.contract.case import NOW, Case, Fault, Message, Reply, Request, message

PROFILE, OTHER, THIRD = (f"01KEXAMPLEPR0F1LE00000000{place}" for place in (1, 2, 3))
SETTINGS = {"API_KEY": "pk_invented", "WEBHOOK_SECRET": "hush", "CONFIRM_TRIES_MAX": "2", "CONFIRM_WAIT_MS": "1"}
HEADERS = {"content-type": "application/json", "klaviyo-webhook-id": "01KEXAMPLEWEBH00K000000001"}
HOME = Address("77 Lakeview Ave", "", "Madison", "WI", "53703", "US")
CONSENT = {PROFILE: "UNSUBSCRIBED", OTHER: "UNSUBSCRIBED", THIRD: "SUBSCRIBED"}


def klaviyo(name: str, *records: str, ignored: tuple[str, ...] = ()) -> Message:
    return message("klaviyo", name, HEADERS, *records, ignored=ignored)


UNKNOWN = ("topic:event:klaviyo.opened_push",)
MESSAGES = (
    klaviyo("unsubscribed_email", PROFILE),
    klaviyo(
        "batch_of_everything",
        *(PROFILE, OTHER, PROFILE, OTHER, PROFILE, OTHER, PROFILE),
        ignored=(*UNKNOWN, "invalid:no_profile"),
    ),
    klaviyo("our_own_subscription", PROFILE),
    klaviyo("profile_updated", PROFILE),
    klaviyo("profile_alone", PROFILE),
    klaviyo("merged_profile", OTHER, PROFILE),
    klaviyo("profile_merge", OTHER, "01KEXAMPLEPR0F1LE000000003", PROFILE),
    klaviyo("poll_page", PROFILE, OTHER, ignored=("location_without_street",)),
)


def sign(given: Mapping[str, str], body: bytes, now: Millis) -> Mapping[str, str]:
    timestamp = "Fri, 09 Jan 2026 17:00:00 GMT"  # five hours ahead, as seen in the wild
    digest = hmac.new(b"hush", body + timestamp.encode(), hashlib.sha256).hexdigest()
    return {**given, "klaviyo-timestamp": timestamp, "klaviyo-signature": digest}


def command(op: str, record_id: str | None = PROFILE, customer_id: str = "C1", **said: Any) -> Command:
    attributes = {
        name: Assignment(clear=True) if value is None else Assignment(value)
        for name, value in said.get("attributes", {}).items()
    }
    return Command(
        command_id=f"{op}-{record_id}-{'-'.join(attributes)}-{len(said.get('consents', ()))}",
        customer_id=customer_id,
        platform="esp",
        record_id=record_id,
        golden_version=4,
        op=op,  # type: ignore[arg-type]
        reason="survivorship",
        caused_by="evt-1",
        issued_at=NOW - 5000,
        attributes=attributes,
        consents=said.get("consents", ()),
    )


def email_of(record_id: str) -> str:
    return f"person{record_id[-1]}@example.com"


def order(decision: str, contact_point: str, channel: str = "email", explicit: bool = True) -> ConsentOrder:
    return ConsentOrder(contact_point, channel, "marketing", decision, NOW - 60_000, explicit)  # type: ignore[arg-type]


UPDATE = command("update", attributes={"phone": "+16085550177", "first_name": None, "shipping_address": HOME})
OPT_OUT = command("update", OTHER, "C2", consents=(order("opt_out", email_of(OTHER)),))
OPT_IN = command("update", THIRD, "C3", consents=(order("opt_in", email_of(THIRD)),))
CREATE = command("create", None, "C4", attributes={"email": "new@example.com", "last_name": "Rojas"})
ERASE = command("erase", "01KEXAMPLEPR0F1LE000000004", "C5")


def profile(record_id: str, consent: str, **attributes: Any) -> dict[str, Any]:
    marketing = {"can_receive_email_marketing": True, "consent": consent, "suppression": [], "list_suppressions": []}
    said = {"email": email_of(record_id), "subscriptions": {"email": {"marketing": marketing}}, **attributes}
    return {"data": {"type": "profile", "id": record_id, "attributes": said}}


def success(request: Request) -> Reply:
    if "-jobs" in request.path:
        return Reply(202)
    if request.method == "POST":
        return Reply(201, profile(PROFILE, "NEVER_SUBSCRIBED"))
    record_id = request.path.rsplit("/", 1)[-1]
    return Reply(200, profile(record_id, CONSENT.get(record_id, "NEVER_SUBSCRIBED")))


def refusing(status: int, code: str) -> Any:
    error = {"id": "0b7e", "status": status, "code": code, "title": "No.", "detail": "as invented", "meta": {}}
    return lambda _: Reply(status, {"errors": [error]})


ALL = (UPDATE, OPT_OUT, OPT_IN, CREATE, ERASE)
CASE = Case(
    vendor="klaviyo",
    platform="esp",
    settings=SETTINGS,
    commands=ALL,
    success=success,
    messages=MESSAGES,
    sign=sign,
    unknown=klaviyo("unknown_topic", ignored=UNKNOWN),
    faults=(
        Fault("two profiles", refusing(409, "duplicate_profile"), refused="duplicate_profile"),
        Fault("invalid", refusing(400, "invalid"), refused="invalid"),
        Fault("gone", refusing(404, "not_found"), refused="not_found", commands=(UPDATE,)),
        Fault("no right", refusing(403, "permission_denied"), later="permission_denied", after_s=300),
    ),
    fetched=PROFILE,
    gone=refusing(404, "not_found"),
)
