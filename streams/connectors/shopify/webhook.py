"""Shopify's webhook signature: base64 of HMAC-SHA256 over the raw body.

The time header is not signed: the window only bounds how long a captured delivery is any use to somebody who does not
think of changing the header. What makes a replay harmless is that a change folded twice changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from streams.connectors.base import Headers, Setting
from streams.connectors.shopify.body import header
from streams.model import Invalid, Millis, parse_time

# Deliveries come up to a day late, and are retried for four hours with the time of the first attempt.
WINDOW_S: Final = 100_800.0

SETTINGS = (
    Setting("WEBHOOK_SECRET", "the app's client secret; several, parted by commas, while one is rotated", secret=True),
    Setting("REPLAY_WINDOW_S", "seconds within which a delivery is taken", default=str(WINDOW_S)),
)


def verify(headers: Headers, body: bytes, settings: Mapping[str, str], now: Millis) -> None:
    """Raises Invalid("bad_signature"), or Invalid("stale_signature") for a delivery out of the window."""
    given = (header(headers, "hmac-sha256") or "").encode("utf-8", "replace")
    secrets = [secret for secret in settings.get("WEBHOOK_SECRET", "").replace(",", " ").split() if secret]
    if not secrets:
        raise Invalid("bad_signature", "no WEBHOOK_SECRET is set")
    matches = [hmac.compare_digest(given, _signature(secret, body)) for secret in secrets]
    if not any(matches):
        raise Invalid("bad_signature", "the body does not match its signature")
    _fresh(headers, float(settings.get("REPLAY_WINDOW_S", WINDOW_S)), now)


def _signature(secret: str, body: bytes) -> bytes:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())


def _fresh(headers: Headers, window_s: float, now: Millis) -> None:
    text = header(headers, "triggered-at")
    if text is None:
        return
    try:
        at = parse_time(text)
    except Invalid:
        raise Invalid("stale_signature", "the time of the delivery is unreadable") from None
    if abs(now - at) > window_s * 1000:
        raise Invalid("stale_signature", "the delivery is out of the replay window")
