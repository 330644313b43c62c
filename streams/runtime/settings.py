"""What a process reads from its environment; every limit has a unit, every problem is named at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from streams.lane import LaneSettings
from streams.runtime.topics import Keeping

T = TypeVar("T")
PREFIX = "WRITEBACK_"
# A view is answered within 5 s, and the answer needs some of it.
STEWARD_WAIT_MAX_S = 4.0
_AT_LEAST_ONE = (
    *("batch_max_records", "batch_max_bytes", "table_block_cache_bytes", "table_write_buffers_bytes"),
    *("steward_name_chars_max", "session_s", "sign_in_window_s", "sign_in_peers_max"),
    *("form_max_bytes", "form_fields_max"),
)


class SettingsError(Exception):
    """Settings that cannot be used; `problems` names each of them, never a secret's value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One process's settings, `WRITEBACK_<NAME>` in the environment (README, settings)."""

    bootstrap: str = "127.0.0.1:9092"
    policy: str = ""  # a file; the shipped default where empty
    partitions: int = 8  # of every topic that the engine reads; see `writeback topics create`
    replication: int = -1  # -1: the broker's default
    datadir: str = ".writeback"
    web_host: str = "127.0.0.1"
    web_port: int = 6066
    node_url: str = ""
    schema_registry_url: str = ""
    view_token: str = ""
    steward_token: str = ""  # without it nobody can act as a steward here
    steward_wait_s: float = 3.0  # how long a request is waited for before the answer says that it is on its way
    steward_body_max_bytes: int = 16_384
    steward_name_chars_max: int = 100  # of the name that a steward signs in with
    session_s: int = 28_800  # how long a browser stays signed in
    sign_in_attempts_max: int = 10  # wrong tokens from one address in the window; 0: any number
    sign_in_window_s: float = 300.0
    sign_in_peers_max: int = 10_000  # addresses whose wrong tokens are counted
    form_max_bytes: int = 8192  # of a search or a sign-in; acts have `steward_body_max_bytes`
    form_fields_max: int = 40
    reviews_max: int = 10_000  # cases kept in one partition; the oldest dismissed are dropped first
    outcomes_max: int = 10_000  # answers to stewards' requests kept in one partition
    profile: str = "kafka"  # `embedded` for the embedded broker's limits
    deciders: int = 0  # processes beside the engine's own that decide; 0: it decides itself
    tick_s: float = 5.0
    due_max: int = 2000  # customers whose timers fire in one tick of one partition
    dead_letter_window_s: float = 60.0
    dead_letter_ratio_max: float = 0.5
    dead_letter_messages_min: int = 500
    dead_letter_count_max: int = 10_000
    record_max_bytes: int = 1_000_000
    compaction_min_lag_s: float = 604_800.0  # no reader may be further behind: compaction would take unread records
    compaction_max_lag_s: float = 1_209_600.0  # by then an erased customer's records are gone from the topics
    tombstone_retention_s: float = 604_800.0
    raw_retention_s: float = 604_800.0  # the same for the raw topics, which only time empties
    fetch_max_wait_ms: int = 0  # 0: the profile's
    batch_max_records: int = 2000
    batch_max_bytes: int = 2_097_152
    table_block_cache_bytes: int = 67_108_864  # of each table, whatever it holds
    table_write_buffers_bytes: int = 67_108_864  # of each table: rows that are not in files yet
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = ""
    tls: bool = False
    log_level: str = "info"

    @property
    def policy_path(self) -> Path | None:
        """The policy file, None for the shipped default."""
        return Path(self.policy) if self.policy else None

    @property
    def keeping(self) -> Keeping:
        """How long topics keep what they hold."""
        given = (self.compaction_min_lag_s, self.compaction_max_lag_s, self.tombstone_retention_s, self.raw_retention_s)
        return Keeping(*(round(one * 1000) for one in given))

    def lane(self, app_id: str, web_port: int | None = None) -> LaneSettings:
        """The lane's settings of one app; `embedded` keeps within the embedded broker's known limits."""
        port = self.web_port if web_port is None else web_port
        common = LaneSettings(
            bootstrap=self.bootstrap,
            app_id=app_id,
            datadir=str(Path(self.datadir) / app_id),
            web_host=self.web_host,
            web_port=port,
            node_url=self.node_url or None,
            record_max_bytes=self.record_max_bytes,
            batch_max_records=self.batch_max_records,
            batch_max_bytes=self.batch_max_bytes,
            table_block_cache_bytes=self.table_block_cache_bytes,
            table_write_buffers_bytes=self.table_write_buffers_bytes,
        )
        if self.profile == "embedded":
            common = msgspec.structs.replace(common, **_EMBEDDED)
        if self.fetch_max_wait_ms:
            common = msgspec.structs.replace(common, fetch_max_wait_ms=self.fetch_max_wait_ms)
        return common


# The embedded broker holds an empty fetch for the whole wait, waits half the rebalance timeout before a group starts,
# reports a wrong end offset for batches of several records, and has no idempotent producer.
_EMBEDDED: dict[str, Any] = {
    "fetch_max_wait_ms": 50,
    "session_timeout_s": 6.0,
    "rebalance_timeout_s": 6.0,
    "heartbeat_s": 1.0,
    "idempotent": False,
    "producer_single_record_batches": True,
}


def read_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment, `overrides` first; raises SettingsError with every problem."""
    environ = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    problems: list[str] = []
    for field in msgspec.structs.fields(Settings):
        if overrides.get(field.name) is not None:
            values[field.name] = overrides[field.name]
        elif (text := environ.get(PREFIX + field.name.upper())) is not None:
            _read(field.name, text, type(field.default), values, problems)
    if not values.get("schema_registry_url") and environ.get("SCHEMA_REGISTRY_URL"):
        values["schema_registry_url"] = environ["SCHEMA_REGISTRY_URL"]
    if problems:
        raise SettingsError(problems)
    return _checked(Settings(**values))


def _read(name: str, text: str, kind: type, values: dict[str, Any], problems: list[str]) -> None:
    readers: dict[type, Callable[[str], Any]] = {bool: _truth, int: int, float: float, str: str}
    try:
        values[name] = readers[kind](text)
    except ValueError:
        problems.append(f"{PREFIX}{name.upper()}: not a {kind.__name__}")


def _truth(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("", "0", "false", "no", "off"):
        return False
    raise ValueError(text)


def _checked(settings: Settings) -> Settings:
    problems = []
    if not 1 <= settings.partitions <= 10_000:
        problems.append("WRITEBACK_PARTITIONS: must be 1 to 10000")
    if settings.profile not in ("kafka", "embedded"):
        problems.append("WRITEBACK_PROFILE: 'kafka' or 'embedded'")
    if not 0 < settings.steward_wait_s <= STEWARD_WAIT_MAX_S:
        problems.append(f"WRITEBACK_STEWARD_WAIT_S: must be over 0 and at most {STEWARD_WAIT_MAX_S:g}")
    if settings.reviews_max < 1 or settings.outcomes_max < 1:
        problems.append("WRITEBACK_REVIEWS_MAX, WRITEBACK_OUTCOMES_MAX: must be at least 1")
    if not 0 <= settings.deciders <= settings.partitions:
        problems.append("WRITEBACK_DECIDERS: must be 0 to WRITEBACK_PARTITIONS")
    if settings.sign_in_attempts_max < 0:
        problems.append("WRITEBACK_SIGN_IN_ATTEMPTS_MAX: must be 0 or more")
    if settings.tick_s <= 0:
        problems.append("WRITEBACK_TICK_S: must be over 0")
    if not 0 <= settings.compaction_min_lag_s <= settings.compaction_max_lag_s:
        problems.append("WRITEBACK_COMPACTION_MAX_LAG_S: must not be less than WRITEBACK_COMPACTION_MIN_LAG_S")
    if settings.raw_retention_s < 1:
        problems.append("WRITEBACK_RAW_RETENTION_S: must be 1 or more")
    problems.extend(
        f"{PREFIX}{name.upper()}: must be 1 or more" for name in _AT_LEAST_ONE if getattr(settings, name) < 1
    )
    if not settings.view_token and not is_loopback(settings.web_host):
        problems.append("WRITEBACK_VIEW_TOKEN: required where WRITEBACK_WEB_HOST is not a loopback address")
    if problems:
        raise SettingsError(problems)
    return settings


def is_loopback(host: str) -> bool:
    """True for an address that no other machine reaches."""
    try:
        return socket.gethostbyname(host).startswith("127.")
    except OSError:
        return host == "::1"
