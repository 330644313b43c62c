"""A history without what an erased customer had said while it was one with this one (K3).

An unlink leaves the past as it was: what was golden then, whoever had said it. The erasure of who left ends that.
"""

from __future__ import annotations

import msgspec

from streams.core.contact_points import split
from streams.core.foreign import own_points
from streams.core.state import PERSON, Customer
from streams.core.timeline import Consent, Disowned, Entry, Shown, Snapshot, Told, decode_entry, encode_entry
from streams.model import StewardRequest


def disowned(state: Customer, ids: tuple[str, ...]) -> Disowned | None:
    """What the history of this customer loses with one of `ids`; None where no record of it had been here."""
    parted = state.moves.parted if state.moves is not None else {}
    records = tuple(sorted(name for name, to in parted.items() if to in ids))
    if not records or state.erased_at is not None:
        return None
    pinned = tuple(pin.value for pin in state.pins.values() if pin.value is not None)
    requests = tuple(sorted({pin.request_id for pin in state.pins.values()}))
    return Disowned(records, tuple(sorted(own_points(state))), pinned, requests)


def entry_without(stored: bytes, lost: Disowned) -> bytes:
    """The entry, known by the same mark; what the records had said was golden of nobody."""
    entry = decode_entry(stored)
    shorter = msgspec.structs.replace(
        entry,
        golden={name: shown if _stays(shown, lost) else None for name, shown in entry.golden.items()},
        consents=_consents(entry, lost),
        commands=tuple(_told(one, lost) for one in entry.commands),
        request=_request(entry.request, lost),
    )
    return stored if shorter == entry else encode_entry(shorter)


def base_without(base: Snapshot, lost: Disowned) -> Snapshot:
    """The same of what was golden before the first entry."""
    golden = {name: shown for name, shown in base.golden.items() if _stays(shown, lost)}
    consents = {key: one for key, one in base.consents.items() if _own(split(key).contact_point, lost)}
    return Snapshot(base.at, base.version, base.whole, golden, consents)


def _stays(shown: Shown | None, lost: Disowned) -> bool:
    if shown is None or shown.value is None:
        return True
    return shown.value in lost.pinned if shown.record is None else shown.record not in lost.records


def _own(point: str, lost: Disowned) -> bool:
    return point == PERSON or point in lost.points


def _consents(entry: Entry, lost: Disowned) -> tuple[Consent, ...]:
    return tuple(one for one in entry.consents if _own(one.contact_point, lost))


def _told(told: Told, lost: Disowned) -> Told:
    return msgspec.structs.replace(told, consents=tuple(one for one in told.consents if _own(one[0], lost)))


def _request(request: StewardRequest | None, lost: Disowned) -> StewardRequest | None:
    """A pin that holds no more may have been on a value of the one who left."""
    if request is None or request.request_id in lost.requests:
        return request
    if request.contact_point is not None and not _own(request.contact_point, lost):
        return msgspec.structs.replace(request, contact_point=None)
    return request if request.attribute is None else msgspec.structs.replace(request, value=None)
