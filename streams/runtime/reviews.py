"""The review queue: notes that ask for a decision, folded into the table `reviews`, and what stewards decide on them.

A case lies on the partition of its notes' key, which is the record that it is about: a tombstone under that key, which
an erasure sends, takes its cases with it. Answers to stewards' requests lie in the same table, under `request:<id>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from streams.codec.internal import encode
from streams.codec.moves import encode_move
from streams.core.moves import Inquire
from streams.core.reviewing import ASKING, Review, asked_about, counted, decided, opened, review_id, settle
from streams.lane import Batch, Done, Emit, Record, Rows
from streams.model import Invalid, Millis, Note, StewardRequest
from streams.runtime import topics
from streams.runtime.asked import REQUEST, Answer, Decide, Outcome, Settle, decode_message, outcome_emit, request_key
from streams.runtime.letters import Letters
from streams.runtime.metrics import RECORDS, REVIEWS_DROPPED

VERSION: Final = b"\x01"

# Local rows. Cases in the order in which they are dropped: `case`, the state (one byte), when last seen (8 bytes,
# big-endian ms), the case's id; cases by key: `of`, the key, a zero byte, the id; answers: `asked`, the time, the row.
CASE: Final = b"\x00case"
OF: Final = b"\x00of"
ASKED: Final = b"\x00asked"
_RANKS: Final = {"settled": b"\x00", "dismissed": b"\x01", "approved": b"\x02", "open": b"\x03"}
_END: Final = b"\xff"
# The largest number of cases under one key that are looked for at once.
OF_ONE_KEY_MAX: Final = 1000

_encoder = msgspec.msgpack.Encoder()
_reviews = msgspec.msgpack.Decoder(Review)
_outcomes = msgspec.msgpack.Decoder(Outcome)
_notes = msgspec.json.Decoder(Note)


def encode_review(review: Review) -> bytes:
    """The bytes of a case."""
    return VERSION + _encoder.encode(review)


def decode_review(stored: bytes) -> Review:
    """A stored case."""
    return _reviews.decode(memoryview(stored)[1:])


def decode_outcome(stored: bytes) -> Outcome:
    """A stored answer."""
    return _outcomes.decode(memoryview(stored)[1:])


def case_start(state: str) -> bytes:
    """Where the cases of a state begin in the local rows; they end before the next state's."""
    return CASE + _RANKS[state]


def case_end(state: str) -> bytes:
    """Behind the last case of a state."""
    return case_start(state) + _END * 9


def case_id(local: bytes) -> bytes:
    """The case that a local row is about."""
    return local[len(CASE) + 9 :]


def derive(key: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """The local rows that follow from a row."""
    if key.startswith(REQUEST):
        return [(ASKED + decode_outcome(value).at.to_bytes(8, "big") + key, b"")]
    review = decode_review(value)
    case = case_start(review.state) + review.last_at.to_bytes(8, "big") + key
    return [(case, b""), (_of(review.key.encode()) + key, b"")]


def _of(key: bytes) -> bytes:
    return OF + key + b"\x00"


class Reviews:
    """Processor of `notes` and `reviews`, over the table `reviews`."""

    def __init__(self, letters: Letters, reviews_max: int, outcomes_max: int) -> None:
        self._letters = letters
        self._reviews_max = reviews_max
        self._outcomes_max = outcomes_max

    def keys(self, batch: Batch) -> Iterable[bytes]:
        """Answers by their key; a case's follows from its evidence."""
        return {one.key for one in batch.records if one.key is not None and one.key.startswith(REQUEST)}

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """Fold each record, then make room."""
        emits: list[Emit] = []
        dead = 0
        for record in batch.records:
            try:
                emits += _fold(record, rows)
            except Invalid as invalid:
                dead += 1
                emits.append(self._letters.refuse(record, invalid, "VALUE_CONVERTER", __name__))
        _drop(rows, CASE, len(CASE) + 9, self._reviews_max)
        _drop(rows, ASKED, len(ASKED) + 8, self._outcomes_max)
        RECORDS.labels(batch.topic).inc(len(batch.records))
        self._letters.count(len(batch.records), dead)
        return Done(emits)


def _fold(record: Record, rows: Rows) -> list[Emit]:
    if record.key is None:
        raise Invalid("null_key", "the key is what it is about")
    if record.value is None:
        _forget(record.key, rows)
        return []
    if record.topic == topics.NOTES:
        return _fold_note(record.key, record.value, record.timestamp_ms, rows)
    message = decode_message(record.value)
    if isinstance(message, Outcome):
        _write(rows, record.key, VERSION + _encoder.encode(message))
        return []
    if isinstance(message, Settle):
        _settle(message, record.timestamp_ms, rows)
        return []
    return _decide(message, record.timestamp_ms, rows)


def _fold_note(key: bytes, value: bytes, at: Millis, rows: Rows) -> list[Emit]:
    """Open a case, or count it; its customers are asked whether it is one still."""
    try:
        note = _notes.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Invalid("bad_message", "note") from None
    if note.kind not in ASKING:
        return []
    name = review_id(note).encode()
    stored = rows.get(name)
    if stored is None:
        review, before = opened(note, key.decode(), at), None
    else:
        review = decode_review(stored)
        before = review.state
        if not counted(review, note, at):
            return []
    _write(rows, name, encode_review(review))
    return _inquiries(review, at) if review.state == "open" != before else []


def _inquiries(review: Review, at: Millis) -> list[Emit]:
    case = asked_about(review)
    asked = encode_move(Inquire(case))
    return [Emit(topics.CUSTOMER_CHANGES, one.encode(), asked, timestamp_ms=at) for one in case.customers]


def _settle(message: Settle, at: Millis, rows: Rows) -> None:
    name = message.review_id.encode()
    stored = rows.get(name)
    if stored is None or name.startswith(REQUEST):
        return
    review = decode_review(stored)
    if message.became is None:
        _remove(rows, name)
    elif settle(review, message.became, at):
        _write(rows, name, encode_review(review))


def _forget(key: bytes, rows: Rows) -> None:
    """The record, or the customer, was erased."""
    start = _of(key)
    for local, _ in rows.scan_local(start, start + _END, OF_ONE_KEY_MAX):
        _remove(rows, local[len(start) :])


def _decide(message: Decide, at: Millis, rows: Rows) -> list[Emit]:
    request = message.request
    name = (request.review or "").encode()
    stored = rows.get(name)
    if stored is None or name.startswith(REQUEST):
        return _answered(request, at, "refused", "unknown_review")
    review = decode_review(stored)
    try:
        following = decided(review, request, at)
    except Invalid as invalid:
        return _answered(request, at, "refused", invalid.reason)
    _write(rows, name, encode_review(review))
    if following is None:
        return _answered(request, at, "accepted")
    key = (following.customer_id or "").encode()
    asked = Emit(topics.STEWARD, key, encode(following), timestamp_ms=at)
    return [asked, *_answered(request, at, "accepted", None, following.request_id)]


def _answered(
    request: StewardRequest, at: Millis, state: Answer, reason: str | None = None, follows: str | None = None
) -> list[Emit]:
    if request.request_id is None:
        return []
    return [outcome_emit(Outcome(request.request_id, at, state, request.customer_id, reason, follows))]


def _write(rows: Rows, key: bytes, value: bytes) -> None:
    before = rows.get(key)
    if before == value:
        return
    if before is not None:
        _unlist(rows, key, before)
    rows.put(key, value)
    for local, nothing in derive(key, value):
        rows.put_local(local, nothing)


def _remove(rows: Rows, key: bytes) -> None:
    stored = rows.get(key)
    if stored is not None:
        _unlist(rows, key, stored)
        rows.delete(key)


def _unlist(rows: Rows, key: bytes, value: bytes) -> None:
    for local, _ in derive(key, value):
        rows.delete_local(local)


def _drop(rows: Rows, start: bytes, prefix: int, most: int) -> None:
    """Keep at most `most`: the oldest settled cases go first, then the dismissed, the approved, open ones last."""
    new = sum(1 for local, value in rows.local.items() if value is not None and local.startswith(start))
    if not new:
        return
    kept = rows.scan_local(start, start + _END, most + new)
    for local, _ in kept[: max(0, len(kept) - most)]:
        if start == CASE:
            REVIEWS_DROPPED.labels(decode_review(rows.get(local[prefix:]) or b"").state).inc()
        _remove(rows, local[prefix:])


__all__ = ["Reviews", "case_end", "case_id", "case_start", "decode_outcome", "decode_review", "derive", "request_key"]
