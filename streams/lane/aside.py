"""A processor's decisions in processes of their own, so that one worker uses more than one core.

The worker keeps the consumer, the tables and the producer, and its event loop stays free to answer; what `process`
computes is computed aside. A partition always goes to the same process, so nothing of the delivery guarantee changes:
a batch is decided, then the worker takes the outcome through the checkpoint. A process that dies takes the worker
with it, unacknowledged; a worker that dies closes the socket, at which the process ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias, TypeVar

import msgspec

from streams.lane.errors import AsideFailed, Refused, place_of
from streams.lane.records import Batch, Done, Emit, Processor, Record
from streams.lane.rows import Held, Rows

T = TypeVar("T")
Counts: TypeAlias = list[tuple[str, tuple[str, ...], float]]
"""What was counted: name, labels, by how much. The lane only carries it."""

_LENGTH_BYTES: Final = 8
_BUFFER_BYTES: Final = 4 * 1024 * 1024
Pairs: TypeAlias = dict[bytes, bytes | None]

log = logging.getLogger(__name__)


class Work(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    """A batch with the rows that were read for it."""

    topic: str
    partition: int
    generation: int
    records: Sequence[Record]
    table: str
    limit_bytes: int
    rows: Pairs


class Read(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Rows that were not foreseen; `stop` is given for a scan of local rows from `start`."""

    start: bytes
    stop: bytes | None = None
    limit: int = 0
    local: bool = False


class Found(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The answer to a `Read`: of one row at most one pair."""

    pairs: list[tuple[bytes, bytes]]


class Decided(msgspec.Struct, frozen=True, array_like=True, tag=3, gc=False):
    """What the processor made of its batch."""

    emits: Sequence[Emit]
    done_offset: int | None
    retry_after_s: float
    written: Pairs
    local: Pairs
    counts: Counts


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The processor raised; `refused` where the text says what to do, else it names the type and the line alone."""

    text: str
    refused: bool


Answer: TypeAlias = Read | Decided | Failed

_encode: Final = msgspec.msgpack.Encoder().encode
_works: Final = msgspec.msgpack.Decoder(Work)
_founds: Final = msgspec.msgpack.Decoder(Found)
_answers: Final = msgspec.msgpack.Decoder(Answer)


# In the worker


class Aside:
    """A processor whose `process` runs in one of `count` processes of `argv`, which gets a socket's number appended.

    `greeting` is handed over first. `counted` takes what the process counted with a batch. `process` raises
    AsideFailed, or Refused where the processor did.
    """

    def __init__(
        self,
        processor: Processor,
        argv: Sequence[str],
        greeting: bytes,
        count: int,
        counted: Callable[[Counts], None],
    ) -> None:
        self._processor = processor
        self._argv = argv
        self._greeting = greeting
        self._count = count
        self._counted = counted
        self._ends: list[_End] = []

    def start(self) -> None:
        """Start the processes; before the worker's event loop runs."""
        self._ends = [_End(self._argv, self._greeting) for _ in range(self._count)]

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """The processor's."""
        return self._processor.keys(batch)

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """Hand the batch over, answer what is asked, and take the outcome over into `rows`."""
        decided = await self._ends[batch.partition % len(self._ends)].decide(batch, rows)
        rows.written.update(decided.written)
        rows.local.update(decided.local)
        self._counted(decided.counts)
        return Done(decided.emits, decided.done_offset, decided.retry_after_s)

    def close(self) -> None:
        """End the processes."""
        for end in self._ends:
            end.close()


class _End:
    """The worker's end of one process."""

    def __init__(self, argv: Sequence[str], greeting: bytes) -> None:
        self._free = asyncio.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            for one in (self._socket, theirs):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            argv = [*argv, str(theirs.fileno())]
            self._child = subprocess.Popen(argv, pass_fds=[theirs.fileno()])  # noqa: S603 - built by us, no input
        self._socket.sendall(_framed(greeting))
        self._socket.setblocking(False)

    async def decide(self, batch: Batch, rows: Rows) -> Decided:
        """One batch. Where it is cancelled, the answer is awaited all the same: the next one needs the socket."""
        return await asyncio.shield(asyncio.ensure_future(self._decide(batch, rows)))

    async def _decide(self, batch: Batch, rows: Rows) -> Decided:
        work = Work(
            batch.topic, batch.partition, batch.generation, batch.records, rows.table, rows.limit_bytes, rows.foreseen
        )
        async with self._free:
            answer, failure = await self._ask(work, rows)
        if failure is not None:
            raise failure
        if isinstance(answer, Failed):
            raise (Refused if answer.refused else AsideFailed)(answer.text)
        return answer

    async def _ask(self, work: Work, rows: Rows) -> tuple[Decided | Failed, Exception | None]:
        """The answer; with it what went wrong in reading rows (of a partition that was taken away meanwhile)."""
        failure: Exception | None = None
        await self._send(_encode(work))
        while True:
            answer = _answers.decode(await self._receive())
            if not isinstance(answer, Read):
                return answer, failure
            pairs: list[tuple[bytes, bytes]] = []
            try:
                pairs = _read(rows.held, answer)
            except Exception as error:
                failure = error
            await self._send(_encode(Found(pairs)))

    async def _send(self, message: bytes) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, _framed(message))
        except OSError:
            raise self._ended() from None

    async def _receive(self) -> memoryview:
        length = int.from_bytes(await self._exactly(_LENGTH_BYTES), "big")
        return await self._exactly(length)

    async def _exactly(self, size: int) -> memoryview:
        loop, got = asyncio.get_running_loop(), 0
        view = memoryview(bytearray(size))
        while got < size:
            try:
                count = await loop.sock_recv_into(self._socket, view[got:])
            except OSError:
                count = 0
            if not count:
                raise self._ended()
            got += count
        return view

    def _ended(self) -> AsideFailed:
        return AsideFailed(f"the process that decides ended with {self._child.poll()}")

    def close(self) -> None:
        """Its end of the socket is closed, at which it ends."""
        self._socket.close()
        self._child.wait()


def _read(held: Held, read: Read) -> list[tuple[bytes, bytes]]:
    if read.stop is not None:
        return held.scan_local(read.start, read.stop, read.limit)
    value = held.read_local(read.start) if read.local else held.read(read.start)
    return [] if value is None else [(read.start, value)]


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


# In the process aside


def serve(number: int, make: Callable[[bytes], Processor], counts: Callable[[], Counts]) -> None:
    """Decide batches until the worker is gone. `make` gets the greeting; `counts` what was counted since the last."""
    for told in (signal.SIGINT, signal.SIGTERM):
        # Where the whole group is told to stop, the worker hears it, finishes its batches, and then closes the socket.
        signal.signal(told, signal.SIG_IGN)
    with socket.socket(fileno=number) as worker:
        end = _Worker(worker)
        greeting = end.receive()
        if greeting is not None:
            processor, loop = make(bytes(greeting)), asyncio.new_event_loop()
            while (message := end.receive()) is not None:
                end.send(_outcome(_works.decode(message), processor, end, loop, counts))
            loop.close()


class _Worker:
    """The socket to the worker, and the rows that only it can read."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def receive(self) -> memoryview | None:
        """One message, None when the worker is gone."""
        length = self._exactly(_LENGTH_BYTES)
        return None if length is None else self._exactly(int.from_bytes(length, "big"))

    def _exactly(self, size: int) -> memoryview | None:
        view, got = memoryview(bytearray(size)), 0
        while got < size:
            try:
                count = self._connection.recv_into(view[got:])
            except OSError:
                count = 0
            if not count:
                return None
            got += count
        return view

    def send(self, message: Answer) -> None:
        """Say something; a worker that is gone is noticed at the next `receive`."""
        try:
            self._connection.sendall(_framed(_encode(message)))
        except OSError:
            log.info("The worker is gone")

    def ask(self, read: Read) -> list[tuple[bytes, bytes]]:
        """Rows of the worker's table. Ends the process when the worker is gone."""
        self.send(read)
        message = self.receive()
        if message is None:
            os._exit(0)
        return _founds.decode(message).pairs


class _Far:
    """A partition's rows, of which the foreseen ones are here and the others with the worker."""

    def __init__(self, foreseen: Pairs, worker: _Worker) -> None:
        self._foreseen = foreseen
        self._worker = worker

    def read_many(self, keys: Iterable[bytes]) -> Pairs:
        """The foreseen ones, whatever is asked for."""
        return self._foreseen

    def read(self, key: bytes) -> bytes | None:
        """One row."""
        return _only(self._worker.ask(Read(key)))

    def read_local(self, key: bytes) -> bytes | None:
        """One local row."""
        return _only(self._worker.ask(Read(key, local=True)))

    def scan_local(self, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Local rows with start <= key < stop in order of key, at most `limit`."""
        return self._worker.ask(Read(start, stop, limit, local=True))


def _only(pairs: list[tuple[bytes, bytes]]) -> bytes | None:
    return pairs[0][1] if pairs else None


def _outcome(
    work: Work,
    processor: Processor,
    worker: _Worker,
    loop: asyncio.AbstractEventLoop,
    counts: Callable[[], Counts],
) -> Decided | Failed:
    batch = Batch(work.topic, work.partition, work.records, work.generation)
    rows = Rows(work.table, _Far(work.rows, worker), (), work.limit_bytes)
    try:
        done = loop.run_until_complete(processor.process(batch, rows))
    except Refused as error:
        return Failed(str(error), True)
    except Exception as error:
        kind = type(error)
        return Failed(f"{kind.__module__}.{kind.__qualname__} at {place_of(error)}", False)
    return Decided(done.emits, done.done_offset, done.retry_after_s, rows.written, rows.local, counts())


__all__ = ["Aside", "AsideFailed", "Counts", "serve"]
