"""Time is milliseconds since the epoch, UTC, as Kafka keeps it; text is RFC 3339 with `Z`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from streams.model.errors import Invalid

Millis: TypeAlias = int

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def parse_time(text: str) -> Millis:
    """RFC 3339 text to milliseconds; a time with no zone is taken as UTC; raises Invalid("bad_time")."""
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise Invalid("bad_time", "not an RFC 3339 time") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MS


def format_time(at: Millis) -> str:
    """Milliseconds to RFC 3339 text in UTC; whole seconds have no fraction."""
    moment = (_EPOCH + timedelta(milliseconds=at)).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds" if at % 1000 else "seconds") + "Z"
