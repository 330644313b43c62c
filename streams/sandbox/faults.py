"""The fault switch of one platform: what is to go wrong, how often and for how long."""

from __future__ import annotations

import random
import time
from typing import Any, Literal, TypeAlias

import msgspec

Counted: TypeAlias = Literal["throttle_next", "fail_next", "vanish_next", "lock_next"]
Rated: TypeAlias = Literal["fail_rate", "lock_rate", "duplicate_rate", "reorder_rate"]


class Faults(msgspec.Struct, forbid_unknown_fields=True):
    """What is to go wrong. `_next` counts requests, `_rate` is a probability, `_s` are seconds.

    They are tried in this order: latency, down, throttle, fail; `vanish` comes after the request was applied.
    """

    latency_s: float = 0.0
    down_s: float = 0.0  # answers 503 for so long from the moment it is set
    throttle_next: int = 0  # answers as the vendor throttles
    retry_after_s: float = 1.0
    fail_next: int = 0  # answers 500, nothing applied
    fail_rate: float = 0.0
    vanish_next: int = 0  # writes that are applied, then the connection dies with no answer
    vanish_after_s: float = 0.0
    lock_next: int = 0  # rows that are locked by somebody else (crm)
    lock_rate: float = 0.0
    duplicate_rate: float = 0.0  # webhooks that are delivered twice
    reorder_rate: float = 0.0  # webhooks that let the next one pass


class FaultSwitch:
    """Holds the faults of one platform; chances come from a seeded source, so that a run can be repeated."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 chances of faults, nothing secret
        self.faults = Faults()
        self._down_until = 0.0

    def set(self, **changes: Any) -> None:
        """Change some faults, the rest stays; raises msgspec.ValidationError for an unknown name or a wrong type."""
        known = msgspec.structs.asdict(self.faults)
        self.faults = msgspec.convert({**known, **changes}, Faults)
        if "down_s" in changes:
            self._down_until = time.monotonic() + self.faults.down_s

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.faults = Faults()
        self._down_until = 0.0

    def is_down(self) -> bool:
        """True while the platform answers nobody."""
        return time.monotonic() < self._down_until

    def take(self, name: Counted) -> bool:
        """True for each of the next requests that were asked for; counts down."""
        left = getattr(self.faults, name)
        if left <= 0:
            return False
        setattr(self.faults, name, left - 1)
        return True

    def strikes(self, name: Rated) -> bool:
        """True with the probability that was set."""
        rate = getattr(self.faults, name)
        return bool(rate > 0 and self._random.random() < rate)
