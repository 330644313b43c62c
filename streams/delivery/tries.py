"""How often and since when a command has been tried: in memory, so a restart begins anew."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from streams.connectors.base import Later
from streams.delivery.backoff import Backoff
from streams.delivery.settings import DeliverySettings


class _Try(msgspec.Struct):
    since: float
    laters: int = 0
    not_before: float = 0.0
    failed_since: float = 0.0
    failures: int = 0
    suspicions: int = 0
    answers: int | None = None  # of the circuit, when the whole platform was last said to be down


class Tries:
    """What is known of the commands that were put off; the oldest are forgotten beyond `tries_kept_max`."""

    def __init__(self, settings: DeliverySettings, backoff: Backoff) -> None:
        self._settings = settings
        self._backoff = backoff
        self._by_command: OrderedDict[str, _Try] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_command)

    def laters(self, command_id: str) -> int:
        """How often it was put off: those that were not go first, so that another command tries a paused platform."""
        tried = self._by_command.get(command_id)
        return tried.laters if tried else 0

    def not_before(self, command_id: str) -> float:
        """The clock's time of the next try."""
        tried = self._by_command.get(command_id)
        return tried.not_before if tried else 0.0

    def forget(self, command_id: str) -> None:
        """The command is finished."""
        self._by_command.pop(command_id, None)

    def put_off(self, command_id: str, later: Later, answers: int, now: float) -> str | None:
        """Count a `Later`; the reason to give the command up, None where it is to be tried again.

        `Later` for the whole platform uses up no try. Where the platform has answered others since the last one,
        the command is suspected to be what the platform cannot stand: it goes less often, and not for ever.
        """
        tried = self._by_command.setdefault(command_id, _Try(now))
        tried.laters += 1
        self._bound()
        used_up = self._suspected(tried, answers, now) if later.whole_platform else self._failed(tried, later, now)
        if used_up:
            return "retries_used_up"
        return "gave_up" if now - tried.since > self._settings.give_up_after_s else None

    def _failed(self, tried: _Try, later: Later, now: float) -> bool:
        tried.failures += 1
        if tried.failures == 1:
            tried.failed_since = now
        tried.not_before = now + self._backoff.wait_s(tried.failures, later.after_s)
        late = now - tried.failed_since > self._settings.retry_total_max_s
        return late or tried.failures >= self._settings.tries_max

    def _suspected(self, tried: _Try, answers: int, now: float) -> bool:
        before, tried.answers = tried.answers, answers
        if before is None or answers == before:
            return False
        tried.suspicions += 1
        tried.not_before = now + self._backoff.wait_s(tried.suspicions)
        return tried.suspicions >= self._settings.suspicions_max

    def _bound(self) -> None:
        while len(self._by_command) > self._settings.tries_kept_max:
            self._by_command.popitem(last=False)
