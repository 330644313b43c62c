"""A token bucket: what a platform lets us ask in a second, and how much at once."""

from __future__ import annotations

import time
from collections.abc import Callable


class RateLimit:
    """`burst` requests at once, `requests_per_s` in the long run; one for a whole platform in this process."""

    def __init__(self, requests_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        if requests_per_s <= 0 or burst < 1:
            raise ValueError("a rate limit needs requests_per_s > 0 and burst >= 1")
        self._per_s = requests_per_s
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def take(self) -> float:
        """Take the next free place and return the seconds to wait for it; 0 is now."""
        self._refill()
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._per_s)

    def give_back(self) -> None:
        """The place was not used after all."""
        self._tokens = min(float(self._burst), self._tokens + 1.0)

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(float(self._burst), self._tokens + (now - self._at) * self._per_s)
        self._at = now
