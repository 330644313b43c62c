"""The gateway's settings: where it listens, where the broker is, and every limit with its unit in its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

PREFIX: Final = "WRITEBACK_"
GATEWAY_PREFIX: Final = "WRITEBACK_GATEWAY_"
PORT_MAX: Final = 65_535


class GatewayRefused(Exception):
    """The gateway cannot start; `problems` are all there are, one sentence each, without values."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """`WRITEBACK_GATEWAY_<NAME>` in the environment, but for the broker's, which all processes share.

    `port` 0 takes a free one. `batch_bytes` 1 and `idempotent` false keep within the embedded broker's limits.
    """

    bootstrap: str = "127.0.0.1:9092"
    idempotent: bool = True
    batch_bytes: int = 16_384
    tls: bool = False
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = ""

    host: str = "127.0.0.1"
    port: int = 8080
    body_max_bytes: int = 1_048_576
    read_timeout_s: float = 10.0
    requests_max: int = 256  # in hand at once; each may hold `body_max_bytes`
    acknowledge_timeout_s: float = 4.0  # Shopify hangs up after five seconds
    in_flight_max: int = 1000  # handed to the producer, not yet acknowledged
    in_flight_bytes_max: int = 67_108_864
    retry_after_s: int = 10  # what a sender is told with a 503
    delivery_timeout_s: float = 10.0  # then the producer forgets what the broker did not take
    reconnect_s: float = 1.0
    renew_after_s: float = 60.0  # without one acknowledgement: begin with a new producer
    stop_timeout_s: float = 10.0


_SHARED: Final = frozenset({"bootstrap", "tls", "sasl_mechanism", "sasl_username", "sasl_password"})
_EMBEDDED: Final[Mapping[str, Any]] = {"idempotent": False, "batch_bytes": 1}


def read_gateway_settings(environ: Mapping[str, str], **overrides: Any) -> GatewaySettings:
    """The settings of the environment, `overrides` (None: not given) first; raises GatewayRefused."""
    values: dict[str, Any] = dict(_EMBEDDED) if environ.get(f"{PREFIX}PROFILE") == "embedded" else {}
    problems: list[str] = []
    for field in msgspec.structs.fields(GatewaySettings):
        name = (PREFIX if field.name in _SHARED else GATEWAY_PREFIX) + field.name.upper()
        text = environ.get(name)
        if overrides.get(field.name) is not None:
            values[field.name] = overrides[field.name]
        elif text is not None:
            _read(name, field.name, text, type(field.default), values, problems)
    if not problems:
        problems = _problems(settings := GatewaySettings(**values))
    if problems:
        raise GatewayRefused(problems)
    return settings


def _read(variable: str, name: str, text: str, kind: type, values: dict[str, Any], problems: list[str]) -> None:
    readers: dict[type, Callable[[str], Any]] = {bool: _truth, int: int, float: float, str: str}
    try:
        values[name] = readers[kind](text)
    except ValueError:
        problems.append(f"{variable}: not a {kind.__name__}")


def _truth(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "": False, "0": False, "false": False, "no": False}
    if text.lower() not in {*words, "off"}:
        raise ValueError
    return words.get(text.lower(), False)


def _problems(settings: GatewaySettings) -> list[str]:
    problems = []
    if not 0 <= settings.port <= PORT_MAX:
        problems.append(f"{GATEWAY_PREFIX}PORT: must be 0 to {PORT_MAX}")
    if not settings.bootstrap.strip():
        problems.append(f"{PREFIX}BOOTSTRAP: must name a broker")
    for field in msgspec.structs.fields(GatewaySettings):
        value = getattr(settings, field.name)
        if field.name != "port" and isinstance(value, int | float) and not isinstance(value, bool) and value <= 0:
            problems.append(f"{GATEWAY_PREFIX}{field.name.upper()}: must be over 0")
    return problems
