"""The three families of errors: what is invalid for ever, what may be tried again, and everything else (a bug)."""

from __future__ import annotations


class Invalid(Exception):
    """A message that no retry can mend; it goes to the dead letters with `reason` (a stable word) and `detail`.

    `detail` names fields and places, never values: it is logged and shown.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Retry(Exception):
    """Not now: keep the work and try again after `after_s` seconds (None: the caller's own backoff)."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s
