"""The relay's signature. Salesforce does not sign what it sends; the relay that posts its events here does.

`X-Relay-Timestamp` is Unix seconds or RFC 3339; `X-Relay-Signature` is the hex HMAC-SHA256, under the shared secret,
of that header as sent, a full stop, and the raw body.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

from streams.connectors.settings import number, several
from streams.model import Invalid, Millis, parse_time

SIGNATURE: Final = "x-relay-signature"
TIMESTAMP: Final = "x-relay-timestamp"
WINDOW_S: Final = "300"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The signature that a relay sends."""
    return hmac.new(secret.encode(), timestamp.encode("utf-8", "replace") + b"." + body, "sha256").hexdigest()


def verify_relay(headers: Mapping[str, str], body: bytes, settings: Mapping[str, str], now: Millis) -> None:
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
    try:
        return int(float(timestamp) * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        return parse_time(timestamp)
    except Invalid:
        return None
