"""Klaviyo: system webhooks and profiles in, profile writes and consent jobs out (docs/connectors.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from streams.connectors.base import Client, Connector, Headers, Rate, Setting, Translation
from streams.connectors.http import LIMIT_SETTINGS
from streams.connectors.klaviyo.client import BATCH_MAX, KlaviyoClient
from streams.connectors.klaviyo.translate import only_record, translate_body
from streams.connectors.klaviyo.webhook import WINDOW_S, verify_webhook
from streams.connectors.settings import flag
from streams.model import Millis

SETTINGS = (
    Setting("API_KEY", "private API key", secret=True),
    Setting("WEBHOOK_SECRET", "the webhook's secret; several, separated by commas, in rotation", secret=True),
    Setting("BASE_URL", "the API's address", default="https://a.klaviyo.com"),
    Setting("REVISION", "API revision, a date", default="2026-07-15"),
    Setting("LIST_ID", "list that people are subscribed to; empty: none", default=""),
    Setting("REPLAY_WINDOW_S", "seconds within which a signature is taken", default=WINDOW_S),
    Setting("CONFIRM_TRIES_MAX", "times a profile is read to see a consent job done", default="6"),
    Setting("CONFIRM_WAIT_MS", "milliseconds before the second of those reads, doubled each time", default="100"),
    Setting("TRUST_EMAIL", "false where a profile's e-mail must not bind it to a customer", default="true"),
    *LIMIT_SETTINGS,
)
# Two windows: 75 requests a second in bursts, 750 a minute on the whole.
RATE = Rate(requests_per_s=12.5, burst=75, batch_max=BATCH_MAX)


@dataclass(frozen=True)
class Klaviyo:
    """The connector; `trust_email` says whether an e-mail may bind a profile to a customer."""

    trust_email: bool = True
    vendor: str = "klaviyo"
    settings: tuple[Setting, ...] = SETTINGS
    rate: Rate = RATE
    erases: bool = True

    @property
    def read_only_prefixes(self) -> tuple[str, ...]:
        """None: a profile can be written."""
        return ()

    @property
    def quirks(self) -> Mapping[str, Mapping[str, Any]]:
        """None: Klaviyo keeps what it is given; the country's two notations are equal in their canonical form."""
        return {}

    def configured(self, settings: Mapping[str, str]) -> Klaviyo:
        """This connector as `TRUST_EMAIL` says."""
        return replace(self, trust_email=flag(settings, "TRUST_EMAIL", "true"))

    def verify(self, headers: Headers, body: bytes, settings: Mapping[str, str], now: Millis) -> None:
        """Check Klaviyo's signature."""
        verify_webhook(headers, body, settings, now)

    def record_key(self, headers: Headers, body: bytes) -> str | None:
        """The profile's id where the body speaks of exactly one."""
        return only_record(body)

    def translate(self, platform: str, headers: Headers, body: bytes) -> Translation:
        """Events and profiles to changes."""
        return translate_body(platform, body, self.trust_email)

    def client(self, platform: str, settings: Mapping[str, str]) -> Client:
        """A client that is not open yet."""
        settings = {"BASE_URL": "https://a.klaviyo.com", **settings}
        return KlaviyoClient(platform, settings, self.configured(settings).trust_email)


CONNECTOR: Connector = Klaviyo()
