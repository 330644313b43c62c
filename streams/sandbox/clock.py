"""Times as the vendors write them. A clock is any callable that returns UTC epoch milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]


def wall_clock() -> int:
    """Now, in UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000


def utc(at_ms: int) -> datetime:
    """The moment as an aware datetime."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)


def zulu(at_ms: int) -> str:
    """`2026-01-10T12:00:00Z`: whole seconds."""
    return utc(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def zulu_ms(at_ms: int) -> str:
    """`2026-01-10T12:00:00.123Z`: with milliseconds."""
    return f"{utc(at_ms).strftime('%Y-%m-%dT%H:%M:%S')}.{at_ms % 1000:03d}Z"


def with_offset(at_ms: int, hours: int) -> str:
    """`2026-01-10T07:00:00-05:00`: whole seconds in a zone that is `hours` from UTC."""
    return utc(at_ms).astimezone(timezone(timedelta(hours=hours))).isoformat(timespec="seconds")


def millis(text: str) -> int:
    """Read an ISO 8601 time with any zone (none: UTC); raises ValueError for what is not one."""
    at = datetime.fromisoformat(text.strip())
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
