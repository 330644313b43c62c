"""One platform's delivery: what a sink does with a batch of commands."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence

from streams.connectors.base import Answer, Client, Later, Rate
from streams.delivery.backoff import Backoff
from streams.delivery.circuit import Circuit
from streams.delivery.fence import Fence, Rows
from streams.delivery.outcomes import Delivered
from streams.delivery.rate import RateLimit
from streams.delivery.run import LastWord, Run
from streams.delivery.settings import DeliverySettings
from streams.delivery.tries import Tries
from streams.model import Command, Millis

PROBED_S = 0.1
"""How often a run looks again while another run's call tries the platform."""


def wall_clock() -> Millis:
    """Milliseconds since the epoch: a receipt's `at`."""
    return time.time_ns() // 1_000_000


class Delivery:
    """Delivers commands to one platform; runs for several partitions share its rate, its circuit and its tries.

    Promise: a command's effect at the platform happens at least once and never after a newer one (R14). Commands of
    one record keep their order, consent overtakes. Nothing is dropped: each command ends applied, refused,
    superseded or failed, or is left for the next run.
    """

    def __init__(
        self,
        client: Client,
        rate: Rate,
        settings: DeliverySettings | None = None,
        *,
        stop: asyncio.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], Millis] = wall_clock,
        rng: random.Random | None = None,
    ) -> None:
        self._client = client
        self._batch_max = rate.batch_max
        self._settings = limits = settings or DeliverySettings()
        self._stop = stop or asyncio.Event()
        self._clock = clock
        self._now = now
        self._final: dict[str, LastWord] = {}
        self._rate = RateLimit(rate.requests_per_s, rate.burst, clock)
        self._tries = Tries(limits, Backoff(limits.retry_base_s, limits.retry_cap_s, rng))
        self.circuit = Circuit(Backoff(limits.pause_base_s, limits.pause_cap_s, rng), clock)
        self.in_flight = 0
        """Calls that are out now."""

    @property
    def put_off(self) -> int:
        """Commands that were tried and wait for another try."""
        return len(self._tries)

    async def open(self) -> None:
        """Open the client."""
        await self._client.open()

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def run(self, commands: Sequence[Command], rows: Rows) -> Delivered:
        """Deliver what can be delivered now, and wait as long as there is nothing to tell.

        Returns when all are finished; or when some are and the others must wait, or `run_max_s` is over; or soon
        after `stop`. May be cancelled: what was applied by then is delivered again, to the same effect.
        """
        run = Run(commands, Fence(rows), self._tries, self._final, self._now)
        deadline = self._clock() + self._settings.run_max_s
        while (due := run.due(self._clock())) or not run.finished:
            wait_s = self._wait_s(run, due)
            if self._stop.is_set() or (run.progress and (wait_s > 0 or self._clock() >= deadline)):
                return self._delivered(run, wait_s)
            if wait_s > 0:
                await self._stopped_within(wait_s)
            else:
                await self._round(run, due, deadline)
        return self._delivered(run, 0.0)

    def _delivered(self, run: Run, retry_after_s: float) -> Delivered:
        delivered = run.delivered(retry_after_s)
        while len(self._final) > self._settings.tries_kept_max:  # of partitions that went elsewhere
            del self._final[next(iter(self._final))]
        return delivered

    def _wait_s(self, run: Run, due: Sequence[int]) -> float:
        """Seconds until a call makes sense: for the next try, for the platform, or for another run's probe of it."""
        if not due:
            return run.wait_s(self._clock())
        return PROBED_S if self.circuit.state == "half_open" else self.circuit.pause_s

    async def _round(self, run: Run, due: Sequence[int], deadline: float) -> None:
        """One call for each batch of what is due, some at the same time."""
        batches = deque(due[start : start + self._batch_max] for start in range(0, len(due), self._batch_max))
        await self._bounded(asyncio.ensure_future(self._side_by_side(run, batches, deadline)))

    async def _side_by_side(self, run: Run, batches: deque[Sequence[int]], deadline: float) -> None:
        workers = min(self._settings.in_flight_max, len(batches))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(run, batches, deadline))
        except ExceptionGroup as bugs:  # one is enough to end the process, and it keeps its own traceback
            raise bugs.exceptions[0] from None

    async def _work(self, run: Run, batches: deque[Sequence[int]], deadline: float) -> None:
        while batches and not self._stop.is_set() and not (run.progress and self._clock() >= deadline):
            batch = batches.popleft()
            if not await self._turn():
                return
            await self._call(run, batch)

    async def _turn(self) -> bool:
        """Wait for a place in the rate; False where we are told to stop, or the platform is paused."""
        wait_s = self._rate.take()
        stopped = wait_s > 0 and await self._stopped_within(wait_s)
        if stopped or not self.circuit.admits():
            self._rate.give_back()
            return False
        return True

    async def _call(self, run: Run, batch: Sequence[int]) -> None:
        self.in_flight += 1
        try:
            answers = await self._answers([run.command(position) for position in batch])
        except BaseException:
            self.circuit.abandoned()
            raise
        finally:
            self.in_flight -= 1
        self._judge_platform(answers)
        for position, answer in zip(batch, answers, strict=True):
            run.take(position, answer, self.circuit.answers, self._clock())

    async def _answers(self, commands: Sequence[Command]) -> Sequence[Answer]:
        try:
            async with asyncio.timeout(self._settings.call_timeout_s):
                return await self._client.deliver(commands)
        except TimeoutError:
            return [Later("call_timeout")] * len(commands)

    def _judge_platform(self, answers: Sequence[Answer]) -> None:
        down = [answer for answer in answers if isinstance(answer, Later) and answer.whole_platform]
        if not down:
            self.circuit.answered()
            return
        asked = [answer.after_s for answer in down if answer.after_s is not None]
        self.circuit.failed(down[0].reason, max(asked, default=None))

    async def _bounded(self, calls: asyncio.Future[None]) -> None:
        """Let the calls end; once told to stop, for `stop_grace_s` only. Ends them when we are cancelled."""
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((calls, stopping), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((calls,), timeout=self._settings.stop_grace_s)
        finally:
            stopping.cancel()
            calls.cancel()
            await asyncio.wait((calls,))
        if not calls.cancelled():
            calls.result()

    async def _stopped_within(self, wait_s: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), wait_s)
        except TimeoutError:
            return False
        return True
