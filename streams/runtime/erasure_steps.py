"""What customers are told of the erasure of another one, on the topic `customer.changes` (K3)."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.codec.versioned import Versioned
from streams.lane import Record
from streams.model import Millis

# The version byte of these messages, and of the fences.
VERSION: Final = b"\x03"


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One message to a customer's row."""


class Bury(Step, frozen=True, array_like=True, tag=0):
    """At an alias: the customer that it had become was erased."""

    at: Millis


class Shun(Step, frozen=True, array_like=True, tag=1):
    """At a customer that holds a contact point too: it was erased with another one."""

    contact_point: str
    channels: tuple[str, ...]
    at: Millis


class Disown(Step, frozen=True, array_like=True, tag=2):
    """At `customer_id`, which an unlink set apart from one of `ids`: one of them was erased at `at`.

    `ids` grows from customer to customer, so that each hears of it once.
    """

    customer_id: str
    ids: tuple[str, ...]
    at: Millis


_steps: Final = Versioned[Step](Bury | Shun | Disown, VERSION, "erasure")
encode_step: Final = _steps.encode


def decode_step(record: Record) -> Step:
    """From the topic `customer.changes`; raises Invalid."""
    return _steps.decode(record.value)


def is_step(record: Record) -> bool:
    """True for one of these messages."""
    return record.value is not None and record.value[:1] == VERSION
