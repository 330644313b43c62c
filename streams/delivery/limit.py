"""A bound on dead letters: a bad deploy must stop, not empty a topic into the dead letters."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from streams.delivery.settings import DlqSettings


class DlqLimitExceeded(RuntimeError):
    """Too many dead letters: the process must end, without acknowledging the batch at hand."""


class DlqLimit:
    """Counts messages and dead letters over a sliding window; one for each process."""

    def __init__(self, settings: DlqSettings | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings or DlqSettings()
        self._clock = clock
        self._counted: deque[tuple[float, int, int]] = deque()
        self._messages = 0
        self._dead = 0

    def count(self, messages: int, dead: int) -> None:
        """Count a batch of `messages`, `dead` of them dead letters, before these are sent.

        Raises DlqLimitExceeded, whose text is the sentence to log.
        """
        now = self._clock()
        self._counted.append((now, messages, dead))
        self._messages += messages
        self._dead += dead
        while self._counted[0][0] <= now - self._settings.window_s:
            _, old_messages, old_dead = self._counted.popleft()
            self._messages -= old_messages
            self._dead -= old_dead
        self._judge()

    def _judge(self) -> None:
        limit = self._settings
        too_many = self._dead > limit.count_max
        enough = self._messages >= limit.messages_min
        if too_many or (enough and self._dead > limit.ratio_max * self._messages):
            raise DlqLimitExceeded(
                f"{self._dead} of {self._messages} messages in {limit.window_s:g} s were dead letters "
                f"(limits: {limit.ratio_max:.0%} of {limit.messages_min} or more, {limit.count_max} in all); "
                "stopping so that the rest stays in its topic: see `writeback dead-letters list`"
            )
