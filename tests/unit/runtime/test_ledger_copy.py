"""Reading the ledger to its end: what is not read would be deleted unread."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.runtime import ledger_copy
from streams.runtime.ledger_copy import CopyRefused, Ledger, Span
from streams.runtime.settings import Settings


class Message:
    """A record at an offset, or a notice with a code."""

    def __init__(self, offset: int, code: int | None = None) -> None:
        self._offset, self._code = offset, code

    def error(self) -> KafkaError | None:
        return None if self._code is None else KafkaError(self._code)

    def offset(self) -> int:
        return self._offset

    def topic(self) -> str:
        return "consent.ledger"

    def partition(self) -> int:
        return 0

    def timestamp(self) -> tuple[int, int]:
        return (1, 1000 + self._offset)

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return b"v"

    def headers(self) -> None:
        return None


def at_end(offset: int) -> Message:
    return Message(offset, KafkaError._PARTITION_EOF)


def read(messages: Sequence[Message], end: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The offsets that a consumer with these messages brings."""

    class Consumer:
        def __init__(self, options: object) -> None:
            self.left = [[one] for one in messages]

        def assign(self, places: object) -> None:
            pass

        def consume(self, count: int, timeout: float) -> list[Message]:
            return self.left.pop(0) if self.left else []

        def close(self) -> None:
            pass

    monkeypatch.setattr(ledger_copy, "Consumer", Consumer)
    monkeypatch.setattr(ledger_copy, "QUIET_MAX_S", 0.02)
    return [one.offset for one in Ledger(Settings()).records(Span(0, 0, end))]


def test_a_read_ends_with_the_last_record_of_the_span(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read([Message(0), Message(1), Message(2)], 2, monkeypatch) == [0, 1]


def test_a_read_ends_at_the_end_of_the_partition_where_the_last_offsets_hold_no_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read([Message(0), at_end(3)], 3, monkeypatch) == [0]


def test_an_end_before_the_end_is_waited_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read([Message(0), at_end(1), Message(1)], 2, monkeypatch) == [0, 1]


def test_a_partition_that_cannot_be_read_to_its_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CopyRefused, match=r"consent.ledger\[0\] could not be read to its end; nothing was deleted"):
        read([Message(0), at_end(1)], 2, monkeypatch)


def test_any_other_notice_ends_the_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KafkaException):
        read([Message(0), Message(1, KafkaError._AUTO_OFFSET_RESET)], 2, monkeypatch)


def test_nothing_is_asked_of_an_empty_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read([Message(0, KafkaError._AUTO_OFFSET_RESET)], 0, monkeypatch) == []
