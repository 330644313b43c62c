"""Why records belong together, in words: what bound each, which merges followed, and what an old row cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.core.bonds import ALONE, CLAIMED, MADE, NAMED, REFUSED, UNLINKED, kind_of, parts_of
from streams.core.identity import Row
from streams.core.rules import Policy
from streams.core.state import Customer, Join
from streams.model import format_time

IDENTIFIERS_MAX = 8
_KINDS = {"external": "an external id", "email": "an e-mail address", "phone": "a phone number"}


def asked_keys(row: Row) -> list[str]:
    """The identifier rows that say who else named what bound this record."""
    kind, _ = parts_of(row.bond)
    return [key for key in row.claimed if kind_of(key) == kind][:IDENTIFIERS_MAX]


def bond_view(name: str, row: Row | None, others: Mapping[str, Row], policy: Policy) -> dict[str, Any]:
    """Why a record belongs to its customer; `others` are the rows of `asked_keys`.

    `by`: the kind of identifier or one of `core/bonds.py`, "" where it is not known; `change_id`: the record's change
    that was bound; `identifiers`: their values, and the record and the change that named each first; `rule`, `why`.
    """
    by, change_id = parts_of(row.bond) if row is not None else ("", "")
    keys = asked_keys(row) if row is not None else []
    identifiers = [_identifier(key, others.get(key), name) for key in keys]
    claimer = parts_of(row.first) if row is not None and by == CLAIMED else ("", "")
    return {
        "record": name,
        "by": by,
        "change_id": change_id or None,
        "identifiers": identifiers,
        "rule": _rule(by, policy),
        "why": _why(name, by, change_id, identifiers, claimer),
    }


def _identifier(key: str, row: Row | None, own: str) -> dict[str, Any]:
    record, change_id = parts_of(row.first) if row is not None else ("", "")
    known = record not in ("", own)
    return {
        "kind": kind_of(key),
        "value": key.partition(":")[2] if key.startswith("@") else key,
        "first_named_by": record if known else None,
        "first_change_id": change_id if known else None,
    }


def _rule(by: str, policy: Policy) -> str:
    match by:
        case "external" | "email" | "phone" | "claimed":
            return f"identity.match ({', '.join(policy.identity.match)})"
        case "refused":
            return "platforms.<platform>.unique or max_records"
        case "customer_id":
            return "an unbound record binds to the customer_id of its change"
        case "unlinked":
            return "a steward's unlink"
        case "made":
            return "platforms.<platform>.create"
        case "alone":
            return "nothing matches: a new customer"
    return ""


def _why(name: str, by: str, change_id: str, identifiers: list[dict[str, Any]], claimer: tuple[str, str]) -> str:
    change = f"change {change_id}" if change_id else "a change"
    match by:
        case "external" | "email" | "phone":
            return f"{change} named {_shared(by, identifiers)}"
        case _ if by == CLAIMED:
            return f"{_claimed_by(claimer)} had named {name} as an external id before it spoke"
        case _ if by == NAMED:
            return f"{change} named this customer"
        case _ if by == ALONE:
            return f"nothing that {change} named was known, so that the record became a customer of its own"
        case _ if by == REFUSED:
            return f"the customer that {change} led to may not have another record of this platform"
        case _ if by == UNLINKED:
            return "a steward took it out of another customer"
        case _ if by == MADE:
            return "a command of ours made it at its platform"
    return "it was bound before this was kept, or its row does not tell"


def _claimed_by(claimer: tuple[str, str]) -> str:
    record, change_id = claimer
    return f"{record} in change {change_id}" if record else "another record"


def _shared(kind: str, identifiers: list[dict[str, Any]]) -> str:
    """The identifiers of the kind, and who had named them."""
    if not identifiers:
        return f"{_KINDS[kind]} of this customer"
    told = [
        f"{one['value']}, which {one['first_named_by']} had named in change {one['first_change_id']}"
        if one["first_named_by"]
        else str(one["value"])
        for one in identifiers
    ]
    return f"{_KINDS[kind]} of this customer: {'; '.join(told)}"


# Merges


def joins_view(state: Customer) -> list[dict[str, Any]]:
    """The customers that became part of this one, in order: who asked, or which identifier under which rule."""
    return [_join(one) for one in state.joins]


def _join(join: Join) -> dict[str, Any]:
    return {
        "customer_id": join.other_id,
        "at": format_time(join.at),
        "request_id": join.request_id,
        "by": join.by,
        "why": join.why,
        "identifier": join.identifier or None,
        "record": join.record or None,
        "change_ids": join.change_ids,
        "rule": f"identity.{join.rule}" if join.rule else None,
        "words": _join_words(join),
    }


def _join_words(join: Join) -> str:
    if join.identifier:
        kind = _KINDS.get(join.identifier, join.identifier)
        changes = f" in change {', '.join(join.change_ids)}" if join.change_ids else ""
        record = join.record or "a record of one"
        return f"{record} named {kind} of the other{changes}, and identity.{join.rule or 'merge'} lets such two be one"
    who = join.by or "a steward"
    return f"{who} asked for it{f': {join.why}' if join.why else ''}"
