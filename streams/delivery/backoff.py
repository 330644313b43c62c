"""How long to wait before the next try: exponential, with full jitter, never less than the platform asked for."""

from __future__ import annotations

import random


class Backoff:
    """`base_s` doubles with each failure up to `cap_s`; the wait is drawn evenly from zero to that."""

    def __init__(self, base_s: float, cap_s: float, rng: random.Random | None = None) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret

    def wait_s(self, failures: int, after_s: float | None = None) -> float:
        """Seconds to wait after the `failures`-th failure in a row (1 is the first).

        `after_s` is what the platform asked for: the wait is at least that, with jitter on top so that
        everybody who was told the same does not come back at once.
        """
        if after_s is not None:
            return after_s + self._rng.uniform(0.0, self._base_s)
        doublings = min(max(failures - 1, 0), 32)
        return self._rng.uniform(0.0, min(self._cap_s, self._base_s * 2.0**doublings))
