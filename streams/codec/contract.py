"""The contracts' JSON shapes: what a person writes, what a replay reads and prints.

Times are RFC 3339 text. Unknown fields are ignored, null is as good as absent, unknown enum values are Invalid.
Every reader raises Invalid with `missing_field`, `unknown_enum`, `bad_field`, `bad_time`, `too_long` or `too_many`,
and a path; never a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from streams.codec.limits import check_address, check_change, check_text, check_time
from streams.codec.shape import shaped
from streams.model import (
    Address,
    Assignment,
    Change,
    Command,
    ConsentOrder,
    Invalid,
    LedgerEntry,
    Note,
    Receipt,
    StewardRequest,
    Value,
    format_time,
    parse_time,
)
from streams.model.suppression import PublishedSuppression

T = TypeVar("T")
Flat = TypeVar("Flat", Receipt, StewardRequest)

_TIMES: Final = {
    "consents": ("at", "expires_at"),
    "verdicts": ("at",),
    "suppressions": ("at",),
}


def change_from_json(obj: Any) -> Change:
    """The contract `Change`; an attribute that is null or empty stays in it as a statement that says nothing (R5)."""
    fields = _present(obj, "")
    _read_times(fields, ("observed_at",), "")
    for name, times in _TIMES.items():
        if name in fields:
            fields[name] = [_member(member, times, name) for member in _listed(fields[name], name)]
    if "attributes" in fields:
        fields["attributes"] = {
            name: _statement(statement) for name, statement in _mapped(fields["attributes"], "attributes").items()
        }
    if "identifiers" in fields:
        fields["identifiers"] = _present(fields["identifiers"], "identifiers")
    return _encodable(check_change(shaped(fields, Change)))


def receipt_from_json(obj: Any) -> Receipt:
    """The contract `Receipt`; only `outcome` is required."""
    return _flat(obj, Receipt)


def steward_from_json(obj: Any) -> StewardRequest:
    """The contract `Steward request`; only `action` is required, what each action needs is the core's to judge."""
    fields = _present(obj, "")
    fields["value"] = _value(fields.get("value"), "value")
    request = _flat(fields, StewardRequest)
    if isinstance(request.value, Address):
        check_address("value", request.value)
    return request


def change_to_json(change: Change) -> dict[str, Any]:
    """The contract `Change`; what it does not say is left out."""
    fields = msgspec.to_builtins(change)
    _show_times(fields, ("observed_at",))
    for name, times in _TIMES.items():
        for member in fields.get(name, ()):
            _show_times(member, times)
    return dict(fields)


def command_to_json(command: Command) -> dict[str, Any]:
    """The contract `Command`: addresses with all six parts, `attributes` and `consents` always present."""
    return {
        "command_id": command.command_id,
        "customer_id": command.customer_id,
        "platform": command.platform,
        "record_id": command.record_id,
        "golden_version": command.golden_version,
        "op": command.op,
        "attributes": {name: _assignment(told) for name, told in command.attributes.items()},
        "consents": [_order(order) for order in command.consents],
        "caused_by": command.caused_by,
        "reason": command.reason,
        "issued_at": format_time(command.issued_at),
    }


def receipt_to_json(receipt: Receipt) -> dict[str, Any]:
    """The contract `Receipt`."""
    fields = msgspec.structs.asdict(receipt)
    if receipt.golden_version is None:
        del fields["golden_version"]
    return _show_times(fields, ("at",))


def steward_to_json(request: StewardRequest) -> dict[str, Any]:
    """The contract `Steward request`; what it does not say is left out."""
    fields = dict(msgspec.to_builtins(request))
    if isinstance(request.value, Address):
        fields["value"] = request.value.parts()
    return _show_times(fields, ("at",))


def ledger_to_json(entry: LedgerEntry) -> dict[str, Any]:
    """A ledger row; `judgement` and `names` only in the rows that have them."""
    fields = msgspec.structs.asdict(entry)
    for rare in ("judgement", "names"):
        if fields[rare] is None:
            del fields[rare]
    return _show_times(fields, ("at", "stated_at", "expires_at", "names"))


def suppression_to_json(row: PublishedSuppression) -> dict[str, Any]:
    """A row of `suppressions`."""
    states = [dict(msgspec.structs.asdict(state), reasons=list(state.reasons)) for state in row.states]
    return {
        "contact_point": row.contact_point,
        "states": states,
        "customer_count": row.customer_count,
        "updated_at": format_time(row.updated_at),
    }


def note_to_json(note: Note) -> dict[str, Any]:
    """A note: kind, change_id, platform and attribute always, the rest where there is something to say."""
    fields = msgspec.structs.asdict(note)
    for rare in ("record_id", "customer_id", "detail", "other_id", "identifier", "rule", "change_ids"):
        if not fields[rare]:
            del fields[rare]
    return fields


def value_to_json(value: Value | None) -> str | dict[str, str] | None:
    """An address as its six parts, everything else as it is."""
    return value.parts() if isinstance(value, Address) else value


def _assignment(told: Assignment) -> dict[str, Any]:
    return {"clear": True} if told.clear else {"value": value_to_json(told.value)}


def _order(order: ConsentOrder) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "contact_point": order.contact_point,
        "channel": order.channel,
        "purpose": order.purpose,
        "decision": order.decision,
        "decided_at": format_time(order.decided_at),
    }
    return {**shown, "explicit": True} if order.explicit else shown


def _show_times(fields: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    for name in names:
        at = fields.get(name)
        if at is not None:
            fields[name] = format_time(at)
    return fields


def _present(obj: Any, path: str) -> dict[str, Any]:
    return {name: value for name, value in _mapped(obj, path).items() if value is not None}


def _mapped(obj: Any, path: str) -> dict[str, Any]:
    if not isinstance(obj, dict):
        raise Invalid("bad_field", path or "not an object")
    return obj


def _listed(obj: Any, path: str) -> list[Any]:
    if not isinstance(obj, list):
        raise Invalid("bad_field", path)
    return obj


def _read_times(fields: dict[str, Any], names: Iterable[str], path: str) -> None:
    for name in names:
        if name in fields:
            fields[name] = _time(fields[name], path + name)


def _time(text: Any, path: str) -> int:
    if not isinstance(text, str):
        raise Invalid("bad_time", path)
    try:
        return parse_time(text)
    except (Invalid, OverflowError):
        raise Invalid("bad_time", path) from None


def _member(member: Any, times: Iterable[str], name: str) -> dict[str, Any]:
    path = f"{name}[...]"
    fields = _present(member, path)
    _read_times(fields, times, f"{path}.")
    for part in ("input", "standardized"):
        if part in fields:
            fields[part] = _present(fields[part], f"{path}.{part}")
    return fields


def _statement(statement: Any) -> dict[str, Any]:
    if statement is None:
        return {}
    fields = _present(statement, "attributes[...]")
    if "value" in fields:
        fields["value"] = _value(fields["value"], "attributes[...].value")
    return fields


def _value(value: Any, path: str) -> Any:
    return _present(value, path) if isinstance(value, dict) else value


def _flat(obj: Any, shape: type[Flat]) -> Flat:
    fields = _present(obj, "")
    _read_times(fields, ("at",), "")
    found = shaped(fields, shape)
    for name in shape.__struct_fields__:
        value = getattr(found, name)
        if isinstance(value, str):
            check_text(name, value)
    check_time("at", found.at)
    return _encodable(found)


def _encodable(found: T) -> T:
    """Text from a lenient JSON parser may hold half of a surrogate pair, and numbers may be of any size."""
    try:
        msgspec.msgpack.encode(found)
    except (UnicodeEncodeError, OverflowError):
        raise Invalid("bad_field", "text that is not Unicode, or a number out of range") from None
    return found
