"""The change event header: who changed which records, when, and what it lists as changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from streams.connectors.salesforce.fields import moment, plain, record_id, text
from streams.model import Invalid, Millis
from streams.model.change import Actor

ChangeType = Literal["CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP"]
CLIENT_NAME = "writeback"

_NAME = re.compile(r"[A-Za-z0-9_.]{1,120}", re.ASCII)
_CLIENT = re.compile(r";client=([^;/]*)")
_BITMAP = re.compile(r"(?:\d+-)?0x[0-9A-Fa-f]*", re.ASCII)
_TYPES: dict[str, ChangeType] = {"CREATE": "CREATE", "UPDATE": "UPDATE", "DELETE": "DELETE", "UNDELETE": "UNDELETE"}
# The application's own pages write through this internal API client.
_PAGES = "SfdcInternalAPI"


class Own(NamedTuple):
    """How our own writes are known, and whether the org's e-mails may bind a record to a customer."""

    client: str = CLIENT_NAME
    users: frozenset[str] = frozenset()  # the first 15 characters of the integration users' ids
    trust_email: bool = True


class Header(NamedTuple):
    """`listed` is None where the event does not say what changed: no update, or bitmaps without their schema."""

    change_type: ChangeType
    word: str
    record_ids: tuple[str, ...]
    wildcards: int
    at: Millis | None
    sequence: int | None
    actor: Actor
    ours: bool
    listed: frozenset[str] | None
    key: str | None


def entity_of(header: Mapping[str, Any]) -> str:
    """The object's name; one that is not a plain name is "other", so that no free text becomes a counter's name."""
    name = header.get("entityName")
    return name if isinstance(name, str) and _NAME.fullmatch(name) else "other"


def read_header(header: Mapping[str, Any], own: Own) -> Header:
    """Raises Invalid("unknown_change_type") or Invalid("bad_change_event")."""
    word = header.get("changeType")
    if not isinstance(word, str):
        raise Invalid("bad_change_event", "changeType")
    change_type = "GAP" if word.startswith("GAP_") else _TYPES.get(word)
    if change_type is None:
        raise Invalid("unknown_change_type", "changeType")
    found, wildcards = _record_ids(header)
    client = _client(header)
    user = header.get("commitUser")
    return Header(
        change_type=change_type,
        word=word if _NAME.fullmatch(word) else "GAP",
        record_ids=found,
        wildcards=wildcards,
        at=moment(header.get("commitTimestamp")),
        sequence=_sequence(header),
        actor=_actor(client, text(plain(header.get("changeOrigin")))),
        ours=client == own.client or (isinstance(user, str) and user[:15] in own.users),
        listed=_listed(header) if change_type == "UPDATE" else None,
        key=_key(header),
    )


def _record_ids(header: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    named = plain(header.get("recordIds"))
    if not isinstance(named, list) or not named:
        raise Invalid("bad_change_event", "recordIds")
    wildcards = [one for one in named if isinstance(one, str) and one.endswith("*")]
    found = [record_id(one) for one in named if one not in wildcards]
    if None in found:
        raise Invalid("bad_change_event", "recordIds")
    return tuple(dict.fromkeys(one for one in found if one is not None)), len(wildcards)


def _client(header: Mapping[str, Any]) -> str | None:
    match = _CLIENT.search(text(plain(header.get("changeOrigin"))) or "")
    return match[1] if match else None


def _actor(client: str | None, origin: str | None) -> Actor:
    if client == _PAGES:
        return "agent"
    return "integration" if origin else "unknown"


def _sequence(header: Mapping[str, Any]) -> int | None:
    """Order of events with one commitTimestamp: by commit, then inside the transaction; one bit stays for a re-read.

    `sequenceNumber` starts again in every transaction and commitTimestamp has whole seconds in many orgs, so two saves
    within a second need commitNumber to be told apart. It may exceed 2^53 and jump when an org moves; its low 52 bits
    serve, since only events of the same second are compared by it.
    """
    number, commit = plain(header.get("sequenceNumber")), plain(header.get("commitNumber"))
    if not _is_count(number) and not _is_count(commit):
        return None
    inside = min(number, 1023) if _is_count(number) else 0
    return ((commit % 2**52 if _is_count(commit) else 0) << 11) | (inside << 1)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _listed(header: Mapping[str, Any]) -> frozenset[str] | None:
    """The names of the changed and the nulled fields; None where they are absent or bitmaps."""
    changed = plain(header.get("changedFields"))
    if not isinstance(changed, list):
        return None
    nulled = plain(header.get("nulledFields"))
    names = [name for name in [*changed, *(nulled if isinstance(nulled, list) else [])] if isinstance(name, str)]
    return None if any(_BITMAP.fullmatch(name) for name in names) else frozenset(names)


def _key(header: Mapping[str, Any]) -> str | None:
    """transactionKey and sequenceNumber: the event's name; None where either is missing."""
    transaction, number = plain(header.get("transactionKey")), plain(header.get("sequenceNumber"))
    if not isinstance(transaction, str) or len(transaction) > 80 or not transaction.isascii():
        return None
    return f"{transaction}:{number}" if transaction.isprintable() and _is_count(number) and number < 2**63 else None
