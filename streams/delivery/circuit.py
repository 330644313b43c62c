"""One platform's circuit: when nothing gets through, wait, then let one call try; other platforms have their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from streams.delivery.backoff import Backoff

State: TypeAlias = Literal["closed", "open", "half_open"]


class Circuit:
    """`closed`: calls pass. `open`: none does until the pause is over. `half_open`: one call is out to try.

    Each failed try lengthens the pause by the backoff; whatever the platform answers to a call closes it. A pause that
    the platform asked for is kept to its end: an answer within it belongs to a call that was out before.
    """

    def __init__(self, backoff: Backoff, clock: Callable[[], float] = time.monotonic) -> None:
        self._backoff = backoff
        self._clock = clock
        self._until = 0.0
        self._failures = 0
        self._asked = False
        self.state: State = "closed"
        self.reason: str | None = None
        self.answers = 0
        """How often the platform has answered: proof that it was up."""

    @property
    def pause_s(self) -> float:
        """Seconds until the next call may pass; 0 where one may try now."""
        return max(0.0, self._until - self._clock()) if self.state == "open" else 0.0

    def admits(self) -> bool:
        """Whether a call may go out now. After a pause True once: that call must end in one of the methods below."""
        if self.state == "open" and self.pause_s == 0.0:
            self.state = "half_open"
            return True
        return self.state == "closed"

    def answered(self) -> None:
        """The platform took or refused a call: it is up."""
        self.answers += 1
        if self.state != "open" or not self._asked:
            self.state, self.reason, self._failures = "closed", None, 0

    def failed(self, reason: str, after_s: float | None = None) -> None:
        """Nothing gets through, for `reason`; the platform asked for `after_s`.

        Calls that were out together fail together: only the first lengthens the pause, but none shortens it.
        """
        if self.state != "open":
            self._failures += 1
            self._until, self._asked = 0.0, False
        self._asked = self._asked or after_s is not None
        self._until = max(self._until, self._clock() + self._backoff.wait_s(self._failures, after_s))
        self.state, self.reason = "open", reason

    def abandoned(self) -> None:
        """The call that was out to try was cancelled: another may try."""
        if self.state == "half_open":
            self.state = "open"
