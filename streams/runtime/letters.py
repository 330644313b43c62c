"""The way of a record that cannot be processed: logged by place and reason, counted, kept whole."""

from __future__ import annotations

import logging

import msgspec

from streams.codec.contract import note_to_json
from streams.delivery.dead_letters import Origin, Stage, dead_letter
from streams.delivery.limit import DlqLimit
from streams.delivery.settings import DlqSettings
from streams.lane import Emit, Record, Refused
from streams.model import Invalid, Note
from streams.runtime import topics
from streams.runtime.metrics import DEAD_LETTERS
from streams.runtime.settings import Settings

log = logging.getLogger(__name__)

# Notes that somebody must look at; all others are only counted.
ALERTS = frozenset({"ping_pong", "review", "rebind_refused", "validation_failed", "receipt_unmatched"})


class Letters:
    """Dead letters of one process; ends it when so many fail that it must be its own fault."""

    def __init__(self, process: str, settings: Settings) -> None:
        self._process = process
        self._value_bytes_max = int(settings.record_max_bytes * 0.9)
        self._limit = DlqLimit(
            DlqSettings(
                window_s=settings.dead_letter_window_s,
                ratio_max=settings.dead_letter_ratio_max,
                messages_min=settings.dead_letter_messages_min,
                count_max=settings.dead_letter_count_max,
            )
        )

    def refuse(self, record: Record, invalid: Invalid, stage: Stage, class_name: str, keep: bool = True) -> Emit:
        """The dead letter of a record; its place and reason are logged, its values are not.

        `keep` False: neither value nor headers are in it, since its customer is erased.
        """
        log.warning(
            "Dead letter: %s partition %s offset %s: %s",
            record.topic,
            record.partition,
            record.offset,
            invalid,
        )
        DEAD_LETTERS.labels(record.topic, invalid.reason).inc()
        origin = Origin(
            record.topic,
            record.partition,
            record.offset,
            record.key,
            record.value,
            record.headers if keep else (),
            record.timestamp_ms,
        )
        letter = dead_letter(
            origin,
            reason=invalid.reason,
            detail=invalid.detail,
            stage=stage,
            process=self._process,
            task_id=record.partition,
            class_name=class_name,
            value_bytes_max=self._value_bytes_max if keep else 0,
        )
        return Emit(topics.DEAD_LETTERS, letter.key, letter.value, headers=letter.headers)

    def count(self, messages: int, dead: int) -> None:
        """Count a batch; raises Refused when the limit on dead letters is passed."""
        try:
            self._limit.count(messages, dead)
        except Exception as error:
            raise Refused(str(error)) from error


def note_key(note: Note) -> str:
    """The record that a note is about, so that its erasure finds it; else the customer."""
    if note.record_id is not None:
        return f"{note.platform}:{note.record_id}"
    return note.customer_id or note.platform or ""


def alerts(notes: list[Note], timestamp_ms: int) -> list[Emit]:
    """The notes that somebody must look at, for the topic `notes`."""
    return [alert(note, timestamp_ms) for note in notes if note.kind in ALERTS]


def alert(note: Note, timestamp_ms: int) -> Emit:
    """A note for the topic `notes`, as JSON."""
    return Emit(topics.NOTES, note_key(note).encode(), msgspec.json.encode(note_to_json(note)), None, timestamp_ms)
