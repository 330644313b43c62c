"""The state of one run: which commands are finished, with what receipt, and what is known of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from streams.connectors.base import Answer, Applied, Later, Refused
from streams.delivery.fence import Done, Fence, Passes, Superseded
from streams.delivery.lanes import Lanes
from streams.delivery.outcomes import Delivered, Failure
from streams.delivery.tries import Tries
from streams.model import Change, Command, Millis, Receipt
from streams.model.command import Outcome

LastWord: TypeAlias = tuple[Receipt, Failure | None]


class Run:
    """Judges, takes answers, and tells what is finished; makes no call itself.

    `final` holds refusals and failures that lie behind a command which is not finished: they are presented again
    with the rest, and must not be tried again, since their receipts are out. The fence does that for applied ones.
    """

    def __init__(
        self,
        commands: Sequence[Command],
        fence: Fence,
        tries: Tries,
        final: dict[str, LastWord],
        now: Callable[[], Millis],
    ) -> None:
        self._commands = commands
        self._fence = fence
        self._tries = tries
        self._final = final
        self._now = now
        self._lanes = Lanes(commands)
        self._passes: dict[int, Passes] = {}
        self._receipts: list[Receipt | None] = [None] * len(commands)
        self._changes: list[Change] = []
        self._failures: list[Failure] = []
        self.progress = False
        """Whether a call has finished a command: then there are receipts that somebody waits for."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left."""
        return not self._lanes.left

    def due(self, now: float) -> list[int]:
        """Positions of the commands to deliver now; answers first those that need no call."""
        while self._judged():
            pass
        ready = self._lanes.due(lambda command: self._tries.not_before(command.command_id) <= now)
        return sorted(ready, key=self._urgency)

    def wait_s(self, now: float) -> float:
        """Seconds until the next command is due."""
        times = [self._tries.not_before(self._commands[position].command_id) for position in self._lanes.heads()]
        return max(0.0, min(times, default=now) - now)

    def command(self, position: int) -> Command:
        """The command as it is to be delivered: without its stale keys."""
        return self._passes[position].command

    def take(self, position: int, answer: Answer, answers: int, now: float) -> None:
        """What the platform said to a command; `answers`: the circuit's count before this call."""
        match answer:
            case Applied():
                self._applied(position, answer)
            case Refused():
                self._fence.not_told(self._commands[position])
                self._finish(position, self._receipt(position, "refused", detail=answer.detail))
            case Later():
                self._later(position, answer, answers, now)

    def delivered(self, retry_after_s: float) -> Delivered:
        """What there is to say."""
        done = next((place for place, receipt in enumerate(self._receipts) if receipt is None), len(self._receipts))
        self._remember(done)
        return Delivered(
            tuple(self._receipts),
            done,
            0.0 if self.finished else retry_after_s,
            tuple(self._changes),
            tuple(self._failures),
        )

    def _remember(self, done: int) -> None:
        """Keep what is final behind the finished prefix, and forget what is in it: only the rest comes again."""
        for command in self._commands[:done]:
            self._final.pop(command.command_id, None)
        failed = {failure.position: failure for failure in self._failures}
        for position, receipt in enumerate(self._receipts[done:], done):
            if receipt is not None and receipt.outcome in ("refused", "failed"):
                self._final[self._commands[position].command_id] = receipt, failed.get(position)

    def _urgency(self, position: int) -> tuple[bool, int, int]:
        command = self._commands[position]
        return not command.consents, self._tries.laters(command.command_id), position

    def _judged(self) -> bool:
        """Judge the heads that were not judged yet; True where one was finished, so that there is a new head."""
        new = [position for position in self._lanes.heads() if position not in self._passes]
        judged = [self._judge(position) for position in new]
        return any(judged)

    def _judge(self, position: int) -> bool:
        if (known := self._final.get(self._commands[position].command_id)) is not None:
            receipt, failure = known
            if failure is not None:
                self._failures.append(Failure(position, failure.reason, failure.detail))
            self._settle(position, receipt)
            return True
        match self._fence.judge(self._commands[position]):
            case Passes() as passes:
                self._passes[position] = passes
                return False
            case Superseded():
                self._settle(position, self._receipt(position, "superseded"))
            case Done() as done:
                self._settle(position, self._receipt(position, "applied", done.at, done.record_id))
        return True

    def _applied(self, position: int, answer: Applied) -> None:
        at = self._now()
        passes = self._passes[position]
        self._fence.applied(passes.command, at, answer.record_id)
        self._changes += answer.changes
        detail = f"superseded: {', '.join(passes.left_out)}" if passes.left_out else answer.detail
        self._finish(position, self._receipt(position, "applied", at, answer.record_id, detail))

    def _later(self, position: int, answer: Later, answers: int, now: float) -> None:
        reason = self._tries.put_off(self._commands[position].command_id, answer, answers, now)
        if reason is not None:
            self._fence.not_told(self._commands[position])
            self._failures.append(Failure(position, reason, answer.reason))
            self._finish(position, self._receipt(position, "failed", detail=answer.reason))

    def _finish(self, position: int, receipt: Receipt) -> None:
        self.progress = True
        self._settle(position, receipt)

    def _settle(self, position: int, receipt: Receipt) -> None:
        self._receipts[position] = receipt
        self._lanes.finish(position)
        self._tries.forget(self._commands[position].command_id)

    def _receipt(
        self,
        position: int,
        outcome: Outcome,
        at: Millis | None = None,
        record_id: str | None = None,
        detail: str | None = None,
    ) -> Receipt:
        command = self._commands[position]
        return Receipt(
            outcome,
            command.command_id,
            command.customer_id,
            command.platform,
            record_id if record_id is not None else command.record_id,
            command.golden_version,
            self._now() if at is None else at,
            detail,
        )
