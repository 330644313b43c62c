"""System webhooks: what happened, gathered into signed deliveries of at most 1000 events."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from typing import Any

from streams.sandbox.klaviyo.shapes import api_time
from streams.sandbox.outbox import Webhook
from streams.sandbox.simulator import Simulator

EVENTS_MAX = 1000
WEBHOOK_ID = "01KSANDB0XWEBH00K000000001"


class Notices:
    """Gathers events for `gather_s` and sends them as one delivery."""

    def __init__(self, simulator: Simulator, secret: Callable[[], str]) -> None:
        self._simulator = simulator
        self._secret = secret
        self._gathered: list[dict[str, Any]] = []
        self.gather_s = 0.05

    def tell(self, topic: str, payload: dict[str, Any]) -> None:
        """`topic` without its `event:klaviyo.` prefix; `payload` as the JSON:API document."""
        external_id = payload["data"]["id"] if payload["data"]["type"] == "event" else uuid.uuid4().hex[:11]
        told = {"topic": f"event:klaviyo.{topic}", "external_id": external_id, "payload": payload}
        self._gathered.append(told)
        if len(self._gathered) >= EVENTS_MAX:
            self.send_now()
        elif len(self._gathered) == 1:
            self._simulator.later(self.gather_s, self.send_now)

    def tell_of_profile(self, document: dict[str, Any]) -> None:
        """Send a profile as a delivery of its own, `{"data": {profile}}`, signed like the others."""
        self._send(document, document["data"]["id"], str(api_time(self._simulator.clock())))

    def send_now(self) -> None:
        """Send what is gathered."""
        events, self._gathered = self._gathered, []
        if not events:
            return
        sent_at = str(api_time(self._simulator.clock()))
        meta = {
            "timestamp": sent_at,
            "klaviyo_webhook_id": WEBHOOK_ID,
            "klaviyo_account_id": "SNDBX1",
            "version": "2026-07-15",
        }
        self._send({"meta": meta, "data": events}, "batch", sent_at)

    def forget(self) -> None:
        """Drop what is gathered."""
        self._gathered.clear()

    def _send(self, shape: dict[str, Any], about: str, sent_at: str) -> None:
        body = json.dumps(shape, ensure_ascii=False).encode()
        self._simulator.outbox.send(Webhook(self._simulator.platform, about, self.sign(body, sent_at), body))

    def sign(self, body: bytes, sent_at: str) -> dict[str, str]:
        """The headers of a delivery; the time is signed with the body."""
        signature = hmac.new(self._secret().encode(), body + sent_at.encode(), hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "Klaviyo-Webhook-Id": WEBHOOK_ID,
            "Klaviyo-Timestamp": sent_at,
            "Klaviyo-Signature": signature,
        }
