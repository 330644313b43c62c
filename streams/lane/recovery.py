"""Bringing the rows of newly assigned partitions up to date from their changelogs, batch by batch."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CorruptRecordException, IllegalStateError, KafkaError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from faust.tables.recovery import RebalanceAgain, ServiceStopped
from faust.tables.recovery import Recovery as FaustRecovery
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from mode import Service

from streams.lane.errors import NotHere, Refused, place_of, stop_refused
from streams.lane.lane import lane_of
from streams.lane.settings import LaneSettings
from streams.lane.store import PartitionStore, Position
from streams.lane.table import BatchTable

log = logging.getLogger(__name__)

_FETCH_WAIT_MS = 50
_FETCH_BYTES = 4 * 1024 * 1024
_RECORDS_MAX = 10_000
_POLL_MS = 200
_RETRY_S = 1.0
_PROGRESS_S = 5.0


class Recovery(FaustRecovery):
    """Faust's recovery service, with one consumer of its own that reads whole batches.

    The changelog partitions stay in the group's assignment, where they decide who holds which rows, but are
    paused there. Standby replicas are not supported.
    """

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(cast(Any, self.signal_recovery_start)):
                break
            self.signal_recovery_start.clear()
            try:
                await self._recover_and_resume(self._generation_id)
            except (RebalanceAgain, IllegalStateError, NotHere):
                continue
            except ServiceStopped:
                break
            except Refused as error:
                stop_refused(log, error)
            except Exception as error:
                # The type and the line alone, since texts may hold values.
                kind = type(error)
                log.critical("Recovery failed: %s.%s at %s", kind.__module__, kind.__qualname__, place_of(error))
                raise

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Nothing: records do not come through Faust's queue."""

    async def _recover_and_resume(self, generation: int) -> None:
        if not self.tables:
            await self._wait(self._resume_streams(generation))
            return
        self._set_recovery_started()
        await self._wait(self._recover_all())
        await self._wait(self.on_recovery_completed(generation))

    async def _recover_all(self) -> None:
        partitions = [
            _Partition(cast(BatchTable, self.tp_to_table[tp]), tp.partition) for tp in sorted(self.active_tps)
        ]
        while True:
            try:
                await recover(partitions, lane_of(self.app).settings, self._auth())
                return
            except (OffsetOutOfRangeError, CorruptRecordException):
                raise
            except KafkaError as error:
                log.warning("Recovery waits for the broker: %s", type(error).__name__)
                await asyncio.sleep(_RETRY_S)

    def _auth(self) -> Mapping[str, Any]:
        auth: Mapping[str, Any] = credentials_to_aiokafka_auth(
            self.app.conf.broker_credentials, self.app.conf.ssl_context
        )
        return auth


class _Partition(NamedTuple):
    table: BatchTable
    number: int

    @property
    def changelog(self) -> TopicPartition:
        return TopicPartition(self.table.changelog_name, self.number)

    @property
    def store(self) -> PartitionStore:
        return self.table.store(self.number)

    def __str__(self) -> str:
        return f"Table {self.table.name} partition {self.number}"


async def recover(partitions: Iterable[_Partition], settings: LaneSettings, auth: Mapping[str, Any]) -> None:
    """Return when the rows of every partition contain all that its changelog holds.

    Raises Refused, naming table and partition and what to do, when rows and changelog do not fit together.
    """
    by_changelog = {partition.changelog: partition for partition in partitions}
    if not by_changelog:
        return
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap.split(","),
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        max_partition_fetch_bytes=_FETCH_BYTES,
        **auth,
    )
    await consumer.start()
    try:
        await _Recovering(consumer, by_changelog, settings).run()
    finally:
        await consumer.stop()


class _Recovering:
    """One recovery: where each partition starts, the reading, and the checks."""

    def __init__(
        self, consumer: AIOKafkaConsumer, partitions: Mapping[TopicPartition, _Partition], settings: LaneSettings
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._settings = settings
        self._behind = set(partitions)
        self._begins: Mapping[TopicPartition, int] = {}
        self._stale: set[TopicPartition] = set()
        self._applied = 0
        self._began_s = self._told_s = time.monotonic()

    async def run(self) -> None:
        changelogs = list(self._partitions)
        self._consumer.assign(changelogs)
        self._begins = await self._consumer.beginning_offsets(changelogs)
        for tp, partition in self._partitions.items():
            self._consumer.seek(tp, _start(partition, self._begins[tp]))
            if partition.store.is_stale(self._settings.table_offline_max_s):
                self._stale.add(tp)
            partition.store.begin_reading()
        while self._behind:
            await self._read()
            await self._look()
            self._tell()
        log.info("Recovered %s changelog records in %.1f s", self._applied, time.monotonic() - self._began_s)

    async def _read(self) -> None:
        try:
            batches = await self._consumer.getmany(*self._behind, timeout_ms=_POLL_MS, max_records=_RECORDS_MAX)
        except OffsetOutOfRangeError as error:
            raise _foreign(self._partitions[next(iter(error.args[0]))]) from None
        except CorruptRecordException:
            names = ", ".join(str(self._partitions[tp]) for tp in sorted(self._behind))
            raise Refused(
                f"{names}: a changelog record fails its checksum. Restore the topic on the broker, then start again."
            ) from None
        for tp, records in batches.items():
            self._apply(self._partitions[tp], records)
            await asyncio.sleep(0)

    def _apply(self, partition: _Partition, records: Sequence[Any]) -> None:
        position = partition.store.position
        if position is not None and records[0].offset == position.offset:
            if Position.of(position.offset, records[0].key, records[0].value) != position:
                raise _foreign(partition)
            records = records[1:]
        if records and partition.changelog in self._stale:
            self._rebuild(partition)
        elif records:
            rows = {record.key: record.value for record in records if record.key is not None}
            last = Position.of(records[-1].offset, records[-1].key, records[-1].value)
            partition.store.replay(rows, last, partition.table.derive)
            self._applied += len(records)

    def _rebuild(self, partition: _Partition) -> None:
        """Compaction drops tombstones after a day: rows that missed one would keep what was deleted."""
        log.warning("%s was away too long: its rows are rebuilt from the changelog", partition)
        self._stale.discard(partition.changelog)
        partition.store.wipe()
        partition.store.begin_reading()
        self._consumer.seek(partition.changelog, self._begins[partition.changelog])

    async def _look(self) -> None:
        """Cross off who has reached the end, which the broker tells with each fetch (ListOffsets is not exact)."""
        for tp in list(self._behind):
            end, partition = self._consumer.highwater(tp), self._partitions[tp]
            if end is None:
                continue
            offset = partition.store.offset
            if offset is not None and offset >= end:
                raise _foreign(partition)
            if await self._consumer.position(tp) >= end:
                self._behind.discard(tp)
                self._consumer.pause(tp)
                partition.store.mark_current()

    def _tell(self) -> None:
        now = time.monotonic()
        if self._behind and now - self._told_s > _PROGRESS_S:
            self._told_s = now
            log.info("Recovering: %s records applied, %s partitions to go", self._applied, len(self._behind))


def _start(partition: _Partition, begin: int) -> int:
    """Where to read: from the last record that the rows contain, to see that it is still the same one."""
    offset = partition.store.offset
    if offset is None:
        return begin
    if offset + 1 < begin:
        raise Refused(
            f"{partition}: its rows end at changelog offset {offset}, but topic {partition.changelog.topic} begins at "
            f"{begin}, so changes are missing. Stop the worker, remove {partition.store.path}, start again."
        )
    return max(offset, begin)


def _foreign(partition: _Partition) -> Refused:
    return Refused(
        f"{partition}: its rows contain changelog offset {partition.store.offset}, which topic "
        f"{partition.changelog.topic} does not have or has otherwise: the topic was recreated or cut. If that was "
        f"meant, stop the worker, remove {partition.store.path}, start again."
    )


__all__ = ["Recovery", "recover"]
