"""Smarty: a validator of US addresses. It is asked by `validate` commands and answers with verdicts (R8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.connectors.base import Client, Connector, Headers, Rate, Setting, Translation
from streams.connectors.http import LIMIT_SETTINGS
from streams.connectors.smarty.client import BASE_URL, BATCH_MAX, SmartyClient
from streams.model import Invalid, Millis


class SmartyConnector:
    """One account. It publishes nothing: what it says comes with its answers."""

    vendor = "smarty"
    settings = (
        Setting("AUTH_ID", "id of the account's secret key", secret=True),
        Setting("AUTH_TOKEN", "token of the account's secret key", secret=True),
        Setting("BASE_URL", "where the US Street API is", default=BASE_URL),
        Setting("LICENSE", "the licences to use, separated by commas; empty: the account's own choice", default=""),
        Setting("MATCH", "strict or enhanced; enhanced needs a licence that has it", default="strict"),
        *LIMIT_SETTINGS,
    )
    rate = Rate(requests_per_s=10.0, burst=10, batch_max=BATCH_MAX)
    read_only_prefixes: tuple[str, ...] = ()
    erases: bool = False
    quirks: Mapping[str, Mapping[str, Any]] = {}

    def configured(self, settings: Mapping[str, str]) -> SmartyConnector:
        """Itself: its translation has no settings."""
        return self

    def verify(self, headers: Headers, body: bytes, settings: Mapping[str, str], now: Millis) -> None:
        """Raise Invalid("bad_signature"): whatever comes was not sent by a validator."""
        raise Invalid("bad_signature", "a validator sends no webhooks")

    def record_key(self, headers: Headers, body: bytes) -> str | None:
        """A validator has no records."""
        return None

    def translate(self, platform: str, headers: Headers, body: bytes) -> Translation:
        """Raise Invalid("no_events"): a raw message in a validator's name is a mistake."""
        raise Invalid("no_events", "a validator publishes nothing")

    def client(self, platform: str, settings: Mapping[str, str]) -> Client:
        """A client of the US Street API; raises Invalid("bad_setting")."""
        return SmartyClient(platform, settings)


CONNECTOR: Connector = SmartyConnector()
