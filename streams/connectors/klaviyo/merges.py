"""Klaviyo's merge of profiles: the sources are gone, the destination is the same customer.

The API's own merge document (`profile-merge`) names both sides, and so may a tool that merges pass it on. Of the event
`merged_profile` only the destination is certain; the sources are read where they are, under any of the names in use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streams.connectors.base import Refetch, Translation
from streams.connectors.klaviyo.shapes import identity, inner, key, moment
from streams.connectors.merges import merged_into
from streams.model import Invalid, Millis

TYPE = "profile-merge"
TOPIC = "event:klaviyo.merged_profile"
_SOURCES = (
    "source_profile_ids",
    "source_profile_id",
    "merged_profile_ids",
    "merged_profile_id",
    "Source Profile ID",
    "Merged Profile ID",
)


def translate_merge(platform: str, document: Mapping[str, Any], digest: str) -> Translation:
    """The API's document; raises Invalid("no_profile") or Invalid("merged_with_itself")."""
    sources = inner(document, "relationships", "profiles").get("data")
    named = [one.get("id") for one in sources if isinstance(one, dict)] if isinstance(sources, list) else []
    at = moment(inner(document, "attributes").get("merged_at"))
    return _merged(platform, identity(document.get("id")), _ids(named), digest, at)


def translate_merged(platform: str, event: Mapping[str, Any], digest: str) -> Translation:
    """The event; the destination is read again, because it has taken over what the sources held."""
    body = inner(event, "payload", "data")
    kept = identity(inner(body, "relationships", "profile", "data").get("id"))
    attributes = inner(body, "attributes")
    at = moment(attributes.get("datetime"))
    if at is None:
        at = moment(attributes.get("timestamp"))
    event_id = key(event.get("external_id")) or key(body.get("id")) or digest
    return _merged(platform, kept, _sources(inner(attributes, "event_properties")), event_id, at)


def _merged(platform: str, kept: str | None, gone: list[str], event_id: str, at: Millis | None) -> Translation:
    if kept is None:
        raise Invalid("no_profile", "the profile that stays")
    changes = tuple(merged_into(platform, one, kept, f"{event_id}:merged:{one}", at) for one in gone)
    ignored = () if changes else ("merged_profile:no_source",)
    return Translation(changes, ignored, (Refetch(kept, "merged_profile"),))


def _sources(properties: Mapping[str, Any]) -> list[str]:
    return _ids(one for name in _SOURCES for one in _listed(properties.get(name)))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _ids(found: Iterator[Any] | list[Any]) -> list[str]:
    return list(dict.fromkeys(named for one in found if (named := identity(one)) is not None))
