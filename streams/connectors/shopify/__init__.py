"""Shopify: customers, their consent and their orders, by webhooks in and the Admin GraphQL API out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.connectors.base import Client, Connector, Headers, Rate, Setting, Translation
from streams.connectors.http import LIMIT_SETTINGS
from streams.connectors.shopify import translate, webhook
from streams.connectors.shopify.client import API_VERSION, ShopifyClient
from streams.model import Millis

_LENGTH_MAX = {"max_length": 255}


class ShopifyConnector:
    """One shop, reached by a custom app's token; its webhooks are signed with the app's client secret."""

    vendor = "shopify"
    settings = (
        Setting("BASE_URL", "the shop's address, https://<name>.myshopify.com"),
        Setting("ACCESS_TOKEN", "Admin API token: read and write customers, read orders, data erasure", secret=True),
        *webhook.SETTINGS,
        Setting("API_VERSION", "Admin API version, 2025-04 or later", default=API_VERSION),
        *LIMIT_SETTINGS,
    )
    # The smallest plan restores 100 points a second; a write costs 10, and most commands are a read and a write.
    rate = Rate(requests_per_s=5.0, burst=20)
    # Orders are evidence: a customer's row is told, its orders are not.
    read_only_prefixes: tuple[str, ...] = ("orders-", "order-")
    erases: bool = True
    quirks: Mapping[str, Mapping[str, Any]] = {
        "first_name": _LENGTH_MAX,
        "last_name": _LENGTH_MAX,
        "shipping_address.line1": _LENGTH_MAX,
        "shipping_address.line2": _LENGTH_MAX,
        "shipping_address.city": _LENGTH_MAX,
    }

    def configured(self, settings: Mapping[str, str]) -> ShopifyConnector:
        """Itself: its translation has no settings."""
        return self

    def verify(self, headers: Headers, body: bytes, settings: Mapping[str, str], now: Millis) -> None:
        """Raise Invalid("bad_signature") or Invalid("stale_signature")."""
        webhook.verify(headers, body, settings, now)

    def record_key(self, headers: Headers, body: bytes) -> str | None:
        """The record that the delivery speaks of."""
        return translate.record_key(headers, body)

    def translate(self, platform: str, headers: Headers, body: bytes) -> Translation:
        """What the delivery says; raises Invalid."""
        return translate.translate(platform, headers, body)

    def client(self, platform: str, settings: Mapping[str, str]) -> Client:
        """A client of the Admin API; raises Invalid("bad_setting")."""
        return ShopifyClient(platform, settings)


CONNECTOR: Connector = ShopifyConnector()
