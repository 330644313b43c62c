"""Raw bodies to changes: change events (several wrappers), rows of a full load, and arrays of either."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from streams.connectors.base import Translation
from streams.connectors.batches import joined
from streams.connectors.salesforce.bodies import elements, header_of
from streams.connectors.salesforce.events import translate_event
from streams.connectors.salesforce.header import Own, read_header
from streams.connectors.salesforce.rows import translate_row
from streams.model import Invalid


def translate_body(platform: str, body: bytes, own: Own) -> Translation:
    """Everything that a body means. One bad element among good ones is named in `ignored`; alone it is Invalid."""
    digest = sha256(body).hexdigest()[:32]
    found: list[Translation] = []
    bad: list[Invalid] = []
    for place, element in enumerate(elements(body)):
        try:
            found.append(_translated(platform, element, own, f"{digest}:{place}"))
        except Invalid as invalid:
            bad.append(invalid)
    return joined(found, bad)


def _translated(platform: str, element: dict[str, Any], own: Own, digest: str) -> Translation:
    header = header_of(element)
    if header is None:
        return translate_row(platform, element, own, digest)
    return translate_event(platform, header, element, own, digest)


def only_record(body: bytes) -> str | None:
    """The record of a body that speaks of exactly one; None for several, for none, and for what cannot be read."""
    try:
        found = list(elements(body))
        if len(found) != 1:
            return None
        header = header_of(found[0])
        if header is None:
            changes = translate_row("", found[0], Own(), "").changes
            return changes[0].record_id if changes else None
        named = read_header(header, Own()).record_ids
        return named[0] if len(named) == 1 else None
    except Invalid:
        return None
