"""What a run of the delivery has to say about its commands."""

from __future__ import annotations

import msgspec

from streams.model import Change, Receipt


class Failure(msgspec.Struct, frozen=True):
    """The command at `position` goes to the dead letters: `reason` is `retries_used_up` or `gave_up`."""

    position: int
    reason: str
    detail: str


class Delivered(msgspec.Struct, frozen=True):
    """What became of the commands of one run.

    `receipts` has a place for each command, None where it is not finished. `done` is the length of the finished
    prefix; the rest is to be presented again after `retry_after_s`, and what is finished in it will be answered
    again in the same words. `changes` came with the answers: the validator's verdicts.
    """

    receipts: tuple[Receipt | None, ...]
    done: int
    retry_after_s: float = 0.0
    changes: tuple[Change, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def complete(self) -> bool:
        """True where nothing is left."""
        return self.done == len(self.receipts)
