"""A Faust table whose rows are written by checkpoints and recovered in batches."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import faust
from faust.stores.base import Store
from faust.types import TP, CollectionT
from rocksdict import Cache

from streams.lane.errors import NotHere, Refused, stop_refused
from streams.lane.murmur import partition_of
from streams.lane.store import Derive, PartitionStore, options
from streams.lane.topics import TopicSpec

if TYPE_CHECKING:
    from streams.lane.app import LaneApp

log = logging.getLogger(__name__)


class _Partitions(Store[bytes, bytes]):
    """The databases of the partitions that this worker holds; opened and closed as they come and go."""

    def __init__(self, url: str, app: LaneApp, table: CollectionT, **kwargs: Any) -> None:
        super().__init__(url, app, table, **kwargs)
        self.open: dict[int, PartitionStore] = {}
        settings = app.lane.settings
        self._rocks = options(settings, Cache(settings.table_block_cache_bytes))

    def of(self, partition: int) -> PartitionStore:
        """The database, opened if need be. Raises Refused if another process holds it."""
        if partition not in self.open:
            path = Path(self.app.conf.tabledir) / f"{self.table.name}-{partition}.rows"
            try:
                self.open[partition] = PartitionStore(path, self._rocks)
            except Exception as error:
                raise Refused(
                    f"Table {self.table.name} partition {partition}: cannot open {path} ({error}). Give each worker "
                    "a data directory of its own; if the files are damaged, remove that directory and start again."
                ) from error
        return self.open[partition]

    def persisted_offset(self, tp: TP) -> int | None:
        try:
            return self.of(tp.partition).offset
        except Refused as error:
            stop_refused(log, error)

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        keep = {tp.partition for tp in assigned if tp.topic == self.table._changelog_topic_name()}
        for partition in self.open.keys() - keep:
            self.open.pop(partition).close()

    async def on_stop(self) -> None:
        for store in self.open.values():
            store.close()
        self.open.clear()

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        """Nothing: the lane's recovery applies whole batches."""

    async def backup_partition(self, tp: TP | int, flush: bool = True, purge: bool = False, keep: int = 1) -> None:
        """Not supported: the changelog is the backup."""
        raise NotImplementedError

    def restore_backup(self, tp: TP | int, latest: bool = True, backup_id: int = 0) -> None:
        """Not supported: the changelog is the backup."""
        raise NotImplementedError

    def reset_state(self) -> None:
        """Remove the rows of the partitions held."""
        for store in self.open.values():
            store.wipe()


class BatchTable(faust.Table[bytes, bytes]):
    """Rows of bytes by key, co-partitioned with the topics of one agent; changelog `<app id>-<name>-changelog`.

    `derive(key, value)` names the local rows that follow from a row, so that recovery can rebuild them.
    """

    def __init__(self, app: LaneApp, name: str, partitions: int, derive: Derive | None = None, **options: Any) -> None:
        super().__init__(app, name=name, partitions=partitions, key_type=bytes, value_type=bytes, **options)
        self.derive = derive
        self._claimed = False
        if name not in app.tables:
            app.tables.add(self)

    def _new_store(self) -> _Partitions:
        return _Partitions("rocksdb://", cast("LaneApp", self.app), self, table_name=self.name, loop=self.loop)

    async def on_start(self) -> None:
        """Open for use; unlike Faust's it declares no topic: `ensure_topics` does, with the right settings."""
        await self.add_runtime_dependency(self.data)

    @property
    def changelog_name(self) -> str:
        """Name of the changelog topic."""
        return self._changelog_topic_name()

    @property
    def spec(self) -> TopicSpec:
        """The changelog topic as it must exist."""
        return TopicSpec(self.changelog_name, int(self.partitions or 0), {"cleanup.policy": "compact"})

    def claim(self) -> None:
        """Make an agent the only writer. Raises Refused the second time."""
        if self._claimed:
            raise Refused(f"Table {self.name} already has an agent; a table has one writer.")
        self._claimed = True

    def store(self, partition: int) -> PartitionStore:
        """The database of a partition held here. Raises NotHere otherwise."""
        held = self._stores.get(partition)
        if held is None:
            raise NotHere(f"table {self.name} partition {partition}")
        return held

    @property
    def _stores(self) -> dict[int, PartitionStore]:
        return cast(_Partitions, self.data).open

    @property
    def held(self) -> list[int]:
        """Partitions that this worker holds."""
        return sorted(self._stores)

    def partition_of(self, key: bytes) -> int:
        """The partition of the row `key`."""
        return partition_of(key, int(self.partitions or 0))

    def read(self, key: bytes) -> bytes | None:
        """The row as of the last checkpoint, for views. Raises NotHere if another worker holds it."""
        return self.store(self.partition_of(key)).read(key)

    def scan(self, partition: int, after: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """A page of rows in order of key. Raises NotHere."""
        return self.store(partition).scan(after, limit)

    def scan_local(self, partition: int, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Local rows with start <= key < stop. Raises NotHere."""
        return self.store(partition).scan_local(start, stop, limit)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("rows are written by checkpoints only")

    def __delitem__(self, key: Any) -> None:
        raise TypeError("rows are written by checkpoints only")
