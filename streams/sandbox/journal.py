"""What the platforms were asked: the last requests, for tests and for people who look on."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec


class Received(msgspec.Struct):
    """One request to a platform's API. Credentials are left out; `status` 0 means that it got no answer."""

    platform: str
    method: str
    path: str
    at_ms: int
    body: Any = None
    client: str | None = None  # what the caller says of itself, e.g. Sforce-Call-Options
    status: int = 0


class Journal:
    """The newest `requests_max` requests of all platforms, oldest first."""

    def __init__(self, requests_max: int) -> None:
        self._received: deque[Received] = deque(maxlen=requests_max)

    def add(self, received: Received) -> Received:
        self._received.append(received)
        return received

    def of(self, platform: str | None = None) -> list[Received]:
        """The requests of one platform, or of all."""
        return [one for one in self._received if platform in (None, one.platform)]

    def clear(self) -> None:
        self._received.clear()
