"""Intake: platform-native payloads become canonical changes; what cannot is a dead letter, never a silent drop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from streams.codec import PublicCodec
from streams.connectors.base import Connector, EraseRequest
from streams.core.decide import check_change
from streams.core.identity import row_key
from streams.core.redaction import Redact, redaction_of_all
from streams.core.rules import Policy
from streams.lane import Batch, Done, Emit, Record, Rows
from streams.model import Change, Invalid
from streams.runtime import topics
from streams.runtime.binder import encode_message
from streams.runtime.letters import Letters, alert
from streams.runtime.metrics import RECORDS, count_ignored

RAW = "raw."


class Intake:
    """Processor of `raw.<platform>`."""

    def __init__(
        self,
        policy: Policy,
        connectors: Mapping[str, Connector],
        codec: PublicCodec,
        letters: Letters,
        record_max_bytes: int,
    ) -> None:
        self._policy = policy
        self._connectors = connectors
        self._codec = codec
        self._letters = letters
        self._record_max_bytes = record_max_bytes

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """No rows: translation is pure."""
        return ()

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """Translate record by record; one bad record never holds up the next."""
        emits: list[Emit] = []
        dead = 0
        for record in batch.records:
            try:
                emits += self._translated(record)
            except Invalid as invalid:
                dead += 1
                emits.append(self._letters.refuse(record, invalid, "VALUE_CONVERTER", __name__))
        RECORDS.labels(batch.topic).inc(len(batch.records))
        self._letters.count(len(batch.records), dead)
        return Done(emits)

    def _translated(self, record: Record) -> list[Emit]:
        platform = record.topic.removeprefix(RAW)
        if record.value is None:
            raise Invalid("null_value", "a tombstone says nothing here")
        headers = {name.lower(): value.decode("utf-8", "replace") for name, value in record.headers}
        translation = self._connectors[platform].translate(platform, headers, record.value)
        emits = [self._change(record, change) for change in translation.changes]
        for what in translation.ignored:
            count_ignored(platform, what)
        emits += [self._erase_request(record, platform, one) for one in translation.erase_requests]
        return emits + [
            Emit(topics.refetch(platform), one.record_id.encode(), msgspec.json.encode(one))
            for one in translation.refetch
        ]

    def _erase_request(self, record: Record, platform: str, asked: EraseRequest) -> Emit:
        """To the record's identity row, which knows whom it is about; everybody at once is a case of its own."""
        if asked.record_id is None:
            return alert(redaction_of_all(platform, asked.change_id), record.timestamp_ms)
        key = f"{platform}:{asked.record_id}".encode()
        return Emit(topics.IDENTITY, key, encode_message(Redact(asked.change_id)), timestamp_ms=record.timestamp_ms)

    def _change(self, record: Record, change: Change) -> Emit:
        check_change(change, self._policy)
        value = self._codec.encode_change(change)
        if len(value) > self._record_max_bytes - 1024:
            raise Invalid("too_large", "the change")
        return Emit(topics.CHANGES, row_key(change).encode(), value, timestamp_ms=record.timestamp_ms)
