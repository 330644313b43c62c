"""The public topics' codec as the settings want it, with every schema registered before the first message."""

from __future__ import annotations

import os

from streams.codec import PublicCodec, SchemaRegistry
from streams.core.rules import Policy
from streams.model import Retry
from streams.runtime import topics
from streams.runtime.settings import Settings, SettingsError

AUTH = "SCHEMA_REGISTRY_AUTH"


def public_codec(settings: Settings) -> PublicCodec:
    """With the registry of the settings, if there is one."""
    url = settings.schema_registry_url
    return PublicCodec(SchemaRegistry(url, os.environ.get(AUTH) or None) if url else None)


def register_schemas(codec: PublicCodec, policy: Policy) -> None:
    """Register what this process writes; raises SettingsError where the registry does not answer."""
    try:
        codec.prepare("change", topics.CHANGES)
        codec.prepare("command", *(topics.commands(name) for name in topics.delivered_platforms(policy)))
        codec.prepare("consent_ledger_entry", topics.LEDGER)
        codec.prepare("suppression", topics.SUPPRESSIONS)
    except Retry:
        raise SettingsError(["SCHEMA_REGISTRY_URL: the schema registry does not answer"]) from None
