"""What every connector offers: a pure translation both ways, a webhook verifier and a client.

One folder a vendor (`connectors/<vendor>/`), each exporting `CONNECTOR`. No connector imports another, and no
other package knows a vendor's words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from streams.model import Change, Command, Millis

Headers: TypeAlias = Mapping[str, str]  # names in lower case


class Refetch(msgspec.Struct, frozen=True):
    """A record whose event came without its values: read it again at the platform (`why`: the vendor's word)."""

    record_id: str
    why: str


class EraseRequest(msgspec.Struct, frozen=True):
    """A platform asks that the person behind a record be erased; None: everybody that it has.

    A steward decides it. `change_id` names the message.
    """

    record_id: str | None
    change_id: str


class Translation(msgspec.Struct, frozen=True):
    """What one raw message means. What it does not mean is counted by name in `ignored`, never dropped silently."""

    changes: tuple[Change, ...] = ()
    ignored: tuple[str, ...] = ()
    refetch: tuple[Refetch, ...] = ()
    erase_requests: tuple[EraseRequest, ...] = ()


class Setting(msgspec.Struct, frozen=True):
    """One setting of a connector, read from the environment as `WRITEBACK_<PLATFORM>_<NAME>`."""

    name: str
    meaning: str
    secret: bool = False
    default: str | None = None  # None: required


class Applied(msgspec.Struct, frozen=True):
    """The platform has taken it. `record_id` is the new record's, after a `create`.

    `changes` are statements that came with the answer: the validator's verdicts.
    """

    record_id: str | None = None
    changes: tuple[Change, ...] = ()
    detail: str | None = None


class Refused(msgspec.Struct, frozen=True):
    """The platform will never take it; `detail` is the vendor's error code, no values."""

    detail: str


class Later(msgspec.Struct, frozen=True):
    """Not now. `after_s`: what the platform asked for, None where it said nothing.

    `whole_platform` is True where nothing else would pass either (down, throttled, not authorised).
    """

    reason: str
    after_s: float | None = None
    whole_platform: bool = True


Answer: TypeAlias = Applied | Refused | Later


class Rate(msgspec.Struct, frozen=True):
    """What the platform lets us do, and how much it takes at once."""

    requests_per_s: float
    burst: int
    batch_max: int = 1


class Client(Protocol):
    """The async side of a connector: one per platform, opened and closed by the delivery."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def deliver(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """One answer for each command, in order; at most `rate.batch_max` commands.

        Never raises for what a platform answers, nor for a network fault (that is `Later`).
        """
        ...

    async def fetch(self, record_id: str) -> Change | None:
        """The platform's full current view of a record (`op = restate`), None where it is gone."""
        ...


class Connector(Protocol):
    """One vendor. `platform` is the role that the policy gives it: storefront, crm, esp, validator, ..."""

    @property
    def vendor(self) -> str: ...

    @property
    def settings(self) -> tuple[Setting, ...]: ...

    @property
    def rate(self) -> Rate: ...

    @property
    def quirks(self) -> Mapping[str, Mapping[str, Any]]:
        """Default quirks by attribute path, e.g. `{"shipping_address.line1": {"max_length": 40}}`."""
        ...

    @property
    def read_only_prefixes(self) -> tuple[str, ...]:
        """Record ids that start so are evidence (an order), never told anything."""
        ...

    @property
    def erases(self) -> bool:
        """Whether the client carries out an `erase` command."""
        ...

    def configured(self, settings: Mapping[str, str]) -> Connector:
        """The connector with those of its settings that translation needs; the others may be missing."""
        ...

    def verify(self, headers: Headers, body: bytes, settings: Mapping[str, str], now: Millis) -> None:
        """Raise Invalid("bad_signature") or Invalid("stale_signature"); raw body, constant time."""
        ...

    def record_key(self, headers: Headers, body: bytes) -> str | None:
        """The record id by which the gateway keys the raw message; None where it carries several or none."""
        ...

    def translate(self, platform: str, headers: Headers, body: bytes) -> Translation:
        """Pure. Raises Invalid with a named reason for what it cannot read."""
        ...

    def client(self, platform: str, settings: Mapping[str, str]) -> Client: ...
