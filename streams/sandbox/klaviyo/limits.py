"""Two fixed windows a group of endpoints: a burst by the second, a steady rate by the minute."""

from __future__ import annotations

import math
from typing import NamedTuple

from streams.sandbox.clock import Clock


class Windows(NamedTuple):
    """Requests allowed in a second and in a minute."""

    burst: int
    steady: int


PROFILES = Windows(75, 750)
JOBS = Windows(75, 750)
PRIVACY = Windows(3, 60)


class Limiter:
    """Counts the requests of one group. The account's own windows may be replaced (`windows`)."""

    def __init__(self, clock: Clock, windows: Windows) -> None:
        self._clock = clock
        self.windows = windows
        self._second = (0, 0)
        self._minute = (0, 0)

    def take(self) -> int | None:
        """None where the request may pass; else how many seconds to wait."""
        now = self._clock()
        second, minute = now // 1000, now // 60_000
        in_second = self._second[1] if self._second[0] == second else 0
        in_minute = self._minute[1] if self._minute[0] == minute else 0
        if in_minute >= self.windows.steady:
            return math.ceil(60 - now / 1000 % 60)
        if in_second >= self.windows.burst:
            return 1
        self._second, self._minute = (second, in_second + 1), (minute, in_minute + 1)
        return None

    def headers(self) -> dict[str, str]:
        """What answers tell of the steady window; a 429 tells none of it."""
        used = self._minute[1]
        return {
            "RateLimit-Limit": str(self.windows.steady),
            "RateLimit-Remaining": str(max(0, self.windows.steady - used)),
            "RateLimit-Reset": str(math.ceil(60 - self._clock() / 1000 % 60)),
        }
