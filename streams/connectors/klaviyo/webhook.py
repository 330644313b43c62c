"""Klaviyo's signature: hex HMAC-SHA256 of the raw body followed by the `Klaviyo-Timestamp` header exactly as sent.

That header comes as ISO 8601 or as an RFC 1123 date, and has been seen with local time labelled GMT: the window for
it is therefore wider than any offset. A repetition within it is harmless, since an event folded twice changes nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from streams.connectors.klaviyo.shapes import moment
from streams.connectors.settings import number, several
from streams.model import Invalid, Millis

SIGNATURE: Final = "klaviyo-signature"
TIMESTAMP: Final = "klaviyo-timestamp"
WINDOW_S: Final = "54000"  # the widest offset of local time, 14 hours, and one hour of delivery


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The signature that Klaviyo sends."""
    return hmac.new(secret.encode(), body + timestamp.encode("utf-8", "replace"), "sha256").hexdigest()


def verify_webhook(headers: Mapping[str, str], body: bytes, settings: Mapping[str, str], now: Millis) -> None:
    """Raises Invalid("bad_signature") or Invalid("stale_signature"); compares in constant time.

    While a secret is rotated `WEBHOOK_SECRET` holds several, separated by commas.
    """
    timestamp, given = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "").strip().lower()
    secrets = several(settings, "WEBHOOK_SECRET")
    if not (secrets and timestamp and given):
        raise Invalid("bad_signature", "a header or the secret is missing")
    sent = given.encode("utf-8", "replace")
    matches = [hmac.compare_digest(signature(secret, timestamp, body).encode(), sent) for secret in secrets]
    if not any(matches):
        raise Invalid("bad_signature", "the body does not match its signature")
    sent_at = _sent_at(timestamp)
    if sent_at is None or abs(now - sent_at) > number(settings, "REPLAY_WINDOW_S", WINDOW_S) * 1000:
        raise Invalid("stale_signature", "the time is unreadable or out of the replay window")


def _sent_at(timestamp: str) -> Millis | None:
    at = moment(timestamp)
    if at is not None:
        return at
    try:
        return int(parsedate_to_datetime(timestamp).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None
