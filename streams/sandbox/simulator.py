"""What every simulated platform has: an API, records, edits by its own people, webhooks and a fault switch."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import msgspec
from aiohttp import web

from streams.model import Address
from streams.sandbox.clock import Clock
from streams.sandbox.faults import FaultSwitch
from streams.sandbox.journal import Journal, Received
from streams.sandbox.outbox import Outbox
from streams.sandbox.people import Person


class UnknownRecord(Exception):
    """The platform holds no such record."""


class BadEdit(Exception):
    """An edit that the platform's own screens would not allow, or that names what does not exist."""


class Holding(msgspec.Struct, frozen=True):
    """What a platform holds for one record: in our words with the platform's own notation, and natively."""

    record_id: str
    attributes: dict[str, Any]
    consents: dict[str, str]
    native: dict[str, Any]


Edit: TypeAlias = Callable[..., dict[str, Any]]


class Surroundings(msgspec.Struct, frozen=True):
    """What a simulator is given. `secrets` are read from the environment's names without their prefix."""

    clock: Clock
    outbox: Outbox
    journal: Journal
    switch: FaultSwitch
    secrets: Mapping[str, str]


class Options(msgspec.Struct, forbid_unknown_fields=True):
    """How this account of the vendor is set up; each simulator names its own."""


class Simulator(ABC):
    """One vendor's platform in the role `platform`."""

    vendor: ClassVar[str]
    platform: ClassVar[str]
    secret_names: ClassVar[tuple[str, ...]]  # WRITEBACK_<PLATFORM>_<NAME> that vendor and customer share

    def __init__(self, around: Surroundings) -> None:
        self.options: Options = Options()
        self.clock = around.clock
        self.outbox = around.outbox
        self.journal = around.journal
        self.switch = around.switch
        self.secrets = around.secrets
        self._due: set[asyncio.TimerHandle] = set()

    def configure(self, **changes: Any) -> None:
        """Change some options, the rest stays; raises msgspec.ValidationError for an unknown name or a wrong type."""
        known = msgspec.structs.asdict(self.options)
        self.options = msgspec.convert({**known, **changes}, type(self.options))

    def is_write(self, received: Received) -> bool:
        """True where the request changes something, so that its answer can vanish after it was applied."""
        return received.method != "GET"

    @property
    def is_busy(self) -> bool:
        """True while something that was taken on has not happened yet."""
        return bool(self._due)

    def later(self, delay_s: float, do: Callable[[], object]) -> None:
        """Do something in the platform's own time; not at all where the sandbox stops before."""

        def run() -> None:
            self._due.discard(due)
            do()

        due = asyncio.get_running_loop().call_later(delay_s, run)
        self._due.add(due)

    def forget_what_is_due(self) -> None:
        """What was taken on and has not happened, never happens."""
        for due in self._due:
            due.cancel()
        self._due.clear()

    @abstractmethod
    def application(self) -> web.Application:
        """The vendor's API, without faults."""

    @abstractmethod
    def settings(self, base_url: str) -> dict[str, str]:
        """The connector's settings by name, without their prefix, for this API at `base_url`; no secrets."""

    @abstractmethod
    def seed(self, person: Person, record_id: str | None = None, announce: bool = False) -> str:
        """Create a record as if it had always been there; `announce` sends the webhooks of its creation."""

    @abstractmethod
    def holds(self, record_id: str) -> Holding:
        """What the platform holds now; raises UnknownRecord."""

    @abstractmethod
    def record_ids(self) -> list[str]:
        """All records, oldest first."""

    @abstractmethod
    def reset(self) -> None:
        """Forget every record."""

    @abstractmethod
    def sign(self, body: bytes, topic: str = "") -> dict[str, str]:
        """The headers with which the platform would deliver these bytes, whatever they are."""

    @property
    @abstractmethod
    def edits(self) -> Mapping[str, Edit]:
        """What people do at this platform, by name."""

    @abstractmethod
    def refusal(self, status: int, retry_after_s: float) -> web.Response:
        """The vendor's own body and headers for 429 (its way to throttle), 500 or 503."""


def parts_of(address: Address | Mapping[str, Any] | None) -> Address | None:
    """An address from our words; raises BadEdit for parts that it does not have."""
    if address is None or isinstance(address, Address):
        return address
    try:
        return msgspec.convert(dict(address), Address)
    except msgspec.ValidationError as error:
        raise BadEdit(str(error)) from None
