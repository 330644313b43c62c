"""Salesforce: Contact change events and full loads in, sObject Collections out (docs/connectors.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from streams.connectors.base import Client, Connector, Headers, Rate, Setting, Translation
from streams.connectors.http import LIMIT_SETTINGS
from streams.connectors.salesforce.client import BATCH_MAX, SalesforceClient
from streams.connectors.salesforce.fields import CUSTOMER_FIELD, LENGTHS
from streams.connectors.salesforce.header import Own
from streams.connectors.salesforce.translate import only_record, translate_body
from streams.connectors.salesforce.webhook import WINDOW_S, verify_relay
from streams.connectors.settings import flag, several
from streams.model import Millis

SETTINGS = (
    Setting("BASE_URL", "the org's My Domain address, https://<name>.my.salesforce.com"),
    Setting("CLIENT_ID", "consumer key of the connected app (client-credentials flow)"),
    Setting("CLIENT_SECRET", "consumer secret of the connected app", secret=True),
    Setting("WEBHOOK_SECRET", "key of the relay's signature; several, separated by commas, in rotation", secret=True),
    Setting("API_VERSION", "REST API version", default="62.0"),
    Setting("CUSTOMER_FIELD", "unique external-id field of Contact for our customer id", default=CUSTOMER_FIELD),
    Setting("STATE_COUNTRY_CODES", "true where the org has state and country picklists", default="false"),
    Setting("REPLAY_WINDOW_S", "seconds within which a relay's signature is taken", default=WINDOW_S),
    Setting("LIMIT_PAUSE_S", "seconds to wait when the daily API limit is used up", default="900"),
    Setting("INTEGRATION_USERS", "ids of users whose every write is ours, separated by commas", default=""),
    Setting("TRUST_EMAIL", "false where a Contact's e-mail must not bind it to a customer", default="true"),
    *LIMIT_SETTINGS,
)
RATE = Rate(requests_per_s=5, burst=10, batch_max=BATCH_MAX)


def _quirks() -> dict[str, dict[str, Any]]:
    """The lengths at which the client cuts, by attribute path."""
    names = {name: {"max_length": LENGTHS[name]} for name in ("first_name", "last_name")}
    parts = [part for part in LENGTHS if part not in names]
    return names | {
        f"{attribute}.{part}": {"max_length": LENGTHS[part]}
        for attribute in ("shipping_address", "billing_address")
        for part in parts
    }


@dataclass(frozen=True)
class Salesforce:
    """The connector; `own` says how our own writes are known and whether an e-mail may bind a record."""

    own: Own = Own()  # noqa: RUF009 (a NamedTuple is immutable)
    vendor: str = "salesforce"
    settings: tuple[Setting, ...] = SETTINGS
    rate: Rate = RATE
    erases: bool = True

    @property
    def read_only_prefixes(self) -> tuple[str, ...]:
        """None: a Contact can be written."""
        return ()

    @property
    def quirks(self) -> Mapping[str, Mapping[str, Any]]:
        """What Salesforce holds at most."""
        return _quirks()

    def configured(self, settings: Mapping[str, str]) -> Salesforce:
        """This connector as `INTEGRATION_USERS` and `TRUST_EMAIL` say."""
        users = frozenset(user[:15] for user in several(settings, "INTEGRATION_USERS"))
        return replace(self, own=Own(users=users, trust_email=flag(settings, "TRUST_EMAIL", "true")))

    def verify(self, headers: Headers, body: bytes, settings: Mapping[str, str], now: Millis) -> None:
        """Check the relay's signature."""
        verify_relay(headers, body, settings, now)

    def record_key(self, headers: Headers, body: bytes) -> str | None:
        """The Contact's id where the body speaks of exactly one."""
        return only_record(body)

    def translate(self, platform: str, headers: Headers, body: bytes) -> Translation:
        """Change events and rows to changes."""
        return translate_body(platform, body, self.own)

    def client(self, platform: str, settings: Mapping[str, str]) -> Client:
        """A client that is not open yet."""
        return SalesforceClient(platform, settings, self.configured(settings).own)


CONNECTOR: Connector = Salesforce()
