"""Dead letters: the message whole, with where it came from and why in headers, named as Kafka Connect names them."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

Headers: TypeAlias = tuple[tuple[str, bytes], ...]
Stage: TypeAlias = Literal["KEY_CONVERTER", "VALUE_CONVERTER", "HEADER_CONVERTER", "TRANSFORMATION", "TASK_PUT"]

PREFIX: Final = "__connect.errors."
REASON_HEADER: Final = "writeback.reason"
DETAIL_HEADER: Final = "writeback.detail"
VALUE_BYTES_HEADER: Final = "writeback.value.bytes"
TIMESTAMP_HEADER: Final = "writeback.timestamp"
NO_KEY_HEADER: Final = "writeback.key.none"
VALUE_BYTES_MAX: Final = 900_000
DETAIL_CHARS_MAX: Final = 500


class Origin(msgspec.Struct, frozen=True):
    """The message that cannot be processed, as it lies in its topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int | None = None


class DeadLetter(msgspec.Struct, frozen=True):
    """One record for the topic `dead-letters`."""

    key: bytes
    value: bytes | None
    headers: Headers


def dead_letter(
    origin: Origin,
    *,
    reason: str,
    detail: str,
    stage: Stage,
    process: str,
    task_id: int,
    class_name: str,
    exception_class: str = "streams.model.errors.Invalid",
    value_bytes_max: int = VALUE_BYTES_MAX,
) -> DeadLetter:
    """The message with its own headers and ours.

    `process` is who met it (`writeback-engine`), `task_id` its partition, `class_name` the code of that stage.
    `reason` and `detail` hold no values. A value over `value_bytes_max` is cut, and `writeback.value.bytes` says how
    long it was: a dead letter that the broker refuses would stop the stream. For the same reason a message without a
    key lies under its place (the topic is compacted by key), and `writeback.key.none` says so.
    """
    told = {
        f"{PREFIX}topic": origin.topic,
        f"{PREFIX}partition": str(origin.partition),
        f"{PREFIX}offset": str(origin.offset),
        f"{PREFIX}connector.name": process,
        f"{PREFIX}task.id": str(task_id),
        f"{PREFIX}stage": stage,
        f"{PREFIX}class.name": class_name,
        f"{PREFIX}exception.class.name": exception_class,
        f"{PREFIX}exception.message": f"{reason}: {detail[:DETAIL_CHARS_MAX]}" if detail else reason,
        REASON_HEADER: reason,
        DETAIL_HEADER: detail[:DETAIL_CHARS_MAX],
    }
    if origin.timestamp_ms is not None:
        # So that a replay is no later statement than the message was (R2).
        told[TIMESTAMP_HEADER] = str(origin.timestamp_ms)
    key = origin.key
    if key is None:
        told[NO_KEY_HEADER] = "true"
        key = f"{origin.topic}[{origin.partition}]@{origin.offset}".encode()
    value = origin.value
    if value is not None and len(value) > value_bytes_max:
        told[VALUE_BYTES_HEADER] = str(len(value))
        value = value[:value_bytes_max]
    return DeadLetter(key, value, (*_own(origin.headers), *((name, text.encode()) for name, text in told.items())))


OURS: Final = (PREFIX, REASON_HEADER, DETAIL_HEADER, VALUE_BYTES_HEADER, TIMESTAMP_HEADER, NO_KEY_HEADER)


def _own(headers: Headers) -> Headers:
    """The message's own headers: a replayed dead letter that fails again tells its last story only."""
    return tuple((name, value) for name, value in headers if not name.startswith(OURS))
