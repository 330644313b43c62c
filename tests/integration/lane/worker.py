"""The one worker that the lane's tests run as a process: it folds numbers per key and emits each new one.

Called with one argument, the settings as JSON; `extra` names the topics and what to do.
"""

import logging
import os
import sys

import msgspec

from streams.lane import Batch, BatchTable, Done, Emit, LaneSettings, Rows, TooLarge, lane_agent, make_app, run


class Job(msgspec.Struct, kw_only=True):
    """What this worker does besides the default."""

    settings: LaneSettings
    source: str
    sink: str
    partitions: int
    work_s: float = 0.0
    part: int = 0  # acknowledge at most so many records of a batch at a time
    loglevel: str = "info"


class Newest:
    """State: the largest number of a key. A record with a larger one is emitted; others are old news."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def keys(self, batch: Batch) -> list[bytes]:
        return [record.key or b"" for record in batch.records]

    async def process(self, batch: Batch, rows: Rows) -> Done:
        if self._job.work_s:
            import asyncio

            await asyncio.sleep(self._job.work_s)
        taken = batch.records[: self._job.part] if self._job.part else batch.records
        emits = [emit for record in taken if (emit := self._fold(record.key or b"", record.value, rows))]
        return Done(emits, taken[-1].offset)

    def _fold(self, key: bytes, value: bytes | None, rows: Rows) -> Emit | None:
        text = value or b"0"
        if text.startswith(b"boom"):
            raise ValueError(f"secret of {key!r}")
        if text.startswith(b"hang"):
            import time

            time.sleep(3600)
        if text.startswith(b"delete"):
            rows.delete(key)
            return Emit(self._job.sink, key, text)
        number, _, _padding = text.partition(b" ")
        last = int((rows.get(key) or b"0").partition(b" ")[0])
        if int(number) <= last:
            return None
        try:
            rows.put(key, text)
        except TooLarge as error:
            return Emit(self._job.sink, key, b"too large %d" % error.size_bytes)
        rows.delete_local(b"%09d " % last + key)
        rows.put_local(b"%09d " % int(number) + key, b"")
        return Emit(self._job.sink, key, number)


def derive(key: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """The index by number."""
    return [(b"%09d " % int(value.partition(b" ")[0]) + key, b"")]


def main() -> None:
    job = msgspec.json.decode(sys.argv[1], type=Job)
    logging.basicConfig(level=job.loglevel.upper(), format="%(asctime)s %(name)s %(levelname)s %(message)s")
    app = make_app(job.settings)
    table = BatchTable(app, "newest", job.partitions, derive)
    lane_agent(app, [job.source], job.partitions, table, Newest(job), "newest")
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    run(app, loglevel=job.loglevel)


if __name__ == "__main__":
    main()
