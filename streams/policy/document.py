"""The policy file as it is written: TOML validated by pydantic, every error at once with file and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

Seconds = Annotated[int, Field(ge=0, le=10 * 365 * 86_400)]
Confidence = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]

ATTRIBUTE_KINDS: Mapping[str, str] = {
    "first_name": "name",
    "last_name": "name",
    "email": "email",
    "phone": "phone",
    "shipping_address": "address",
    "billing_address": "address",
}


class PolicyError(Exception):
    """The policy cannot be used; `problems` are `file: key: what is wrong`, all of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuirkTable(_Table):
    """What a platform does to one attribute that it stores."""

    max_length: Annotated[int, Field(ge=1)] | None = None
    case: Literal["keep", "ignore"] = "keep"
    ascii: bool = False
    ignore: bool = False


class PlatformTable(_Table):
    """One platform of the stack. An empty `routes` means that it is never written to."""

    connector: Name
    rank: Annotated[int, Field(ge=0, le=1000)] = 0
    routes: tuple[str, ...] = ()
    create: bool = False
    unique: bool = False
    max_records: Annotated[int, Field(ge=1)] | None = None
    quirks: dict[str, QuirkTable] = {}
    read_only_prefixes: tuple[str, ...] | None = None


class AttributeTable(_Table):
    """How one attribute survives. `kind` is needed only for attributes that the policy adds."""

    strategy: Literal["latest", "priority"] = "latest"
    priority: tuple[str, ...] = ()
    min_confidence: Confidence | None = None
    validate_with: str | None = None
    kind: Literal["name", "email", "phone", "address"] | None = None


class PurposeTable(_Table):
    """One purpose of consent."""

    requires_opt_in: bool = True


class ConsentTable(_Table):
    """Consent in general."""

    double_opt_in: bool = False
    double_opt_in_ttl_s: Seconds = 604_800
    untrusted_methods: tuple[str, ...] = ("import", "sync", "batch", "default")
    purposes: dict[Name, PurposeTable] = {}


class IdentityTable(_Table):
    """Which identifiers bind a record, in order, which values never do, and which join two customers by themselves."""

    match: tuple[Literal["external", "email", "phone"], ...] = ("external", "email")
    blocked: tuple[str, ...] = ()
    merge: tuple[Literal["external", "email", "phone"], ...] = ("external", "email")
    merges_per_day_max: Annotated[int, Field(ge=0, le=1000)] = 5

    @field_validator("blocked")
    @classmethod
    def _compiles(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return patterns


class LimitsTable(_Table):
    """Bounds on what one customer's state keeps; each is a count."""

    sent_max: Annotated[int, Field(ge=4, le=1000)] = 12
    verified_max: Annotated[int, Field(ge=1, le=100)] = 4
    verdicts_max: Annotated[int, Field(ge=1, le=1000)] = 16
    firsts_max: Annotated[int, Field(ge=1, le=1000)] = 32
    unanswered_max: Annotated[int, Field(ge=1, le=10_000)] = 128
    requests_max: Annotated[int, Field(ge=1, le=10_000)] = 64
    held_max: Annotated[int, Field(ge=1, le=1000)] = 32
    entries_max: Annotated[int, Field(ge=16, le=10_000)] = 256
    appeared_max: Annotated[int, Field(ge=16, le=10_000)] = 128


class HistoryTable(_Table):
    """How much of each customer's history is kept; `max_entries = 0` writes none."""

    max_entries: Annotated[int, Field(ge=0, le=2000)] = 200
    max_age_s: Annotated[int, Field(ge=1, le=100 * 365 * 86_400)] = 63_072_000


class PolicyDocument(_Table):
    """The whole file."""

    version: Annotated[str, Field(min_length=1, max_length=64)]
    clock_skew_tolerance_s: Seconds = 300
    ping_pong_limit: Annotated[int, Field(ge=1, le=100)] = 2
    ping_pong_window_s: Seconds = 3600
    max_change_ratio: Confidence = 0.10
    resend_after_s: Annotated[int, Field(ge=1)] = 300
    verdict_timeout_s: Seconds = 86_400
    erasure_fence_s: Seconds = 7_776_000
    default_region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "US"
    platforms: dict[Name, PlatformTable]
    attributes: dict[Name, AttributeTable]
    consent: ConsentTable = ConsentTable()
    identity: IdentityTable = IdentityTable()
    limits: LimitsTable = LimitsTable()
    history: HistoryTable = HistoryTable()


def read_document(path: Path) -> PolicyDocument:
    """Read and check a policy file; raises PolicyError with every problem found."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError([f"{path}: cannot be read: {type(error).__name__}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise PolicyError([f"{path}: not TOML: {error}"]) from None
    return check_document(tables, str(path))


def check_document(tables: Mapping[str, Any], source: str) -> PolicyDocument:
    """Check the tables of a policy; `source` names the file in each problem."""
    problems: list[str] = []
    document: PolicyDocument | None = None
    try:
        document = PolicyDocument.model_validate(tables)
    except ValidationError as error:
        problems += [f"{source}: {_key(one['loc'])}: {one['msg']}" for one in error.errors()]
    # References are checked on the raw tables too, so that one wrong type does not hide the others.
    problems += [f"{source}: {key}: {what}" for key, what in _cross_checks(tables)]
    if problems or document is None:
        raise PolicyError(sorted(set(problems)))
    return document


def _key(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(file)"


def _cross_checks(tables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    platforms, attributes = _tables(tables, "platforms"), _tables(tables, "attributes")
    for name, table in platforms.items():
        for route in _texts(table.get("routes")):
            if route != "consent" and route not in attributes:
                yield f"platforms.{name}.routes", f"'{route}' is no attribute of this policy"
        for path in _tables(table, "quirks"):
            attribute, _, part = path.partition(".")
            if attribute not in attributes:
                yield f"platforms.{name}.quirks.{path}", f"'{attribute}' is no attribute of this policy"
            elif (_kind(attribute, attributes[attribute]) == "address") != bool(part):
                yield f"platforms.{name}.quirks.{path}", "an address needs a part, anything else has none"
    for name, table in attributes.items():
        yield from _attribute_checks(name, table, platforms)


def _attribute_checks(name: str, table: Mapping[str, Any], platforms: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for platform in _texts(table.get("priority")):
        if platform not in platforms:
            yield f"attributes.{name}.priority", f"'{platform}' is no platform of this policy"
    if table.get("strategy") == "priority" and not table.get("priority"):
        yield f"attributes.{name}.priority", "strategy 'priority' needs a list of platforms"
    if table.get("strategy", "latest") == "latest" and table.get("priority"):
        yield f"attributes.{name}.priority", "has no effect with strategy 'latest'"
    validator = table.get("validate_with")
    if isinstance(validator, str) and validator not in platforms:
        yield f"attributes.{name}.validate_with", f"'{validator}' is no platform of this policy"
    if validator is not None and table.get("min_confidence") is None:
        yield f"attributes.{name}.validate_with", "needs min_confidence: without a threshold nothing is validated"
    if _kind(name, table) is None:
        yield f"attributes.{name}.kind", "an attribute that the policy adds needs a kind"


def _kind(name: str, table: Mapping[str, Any]) -> str | None:
    kind = table.get("kind")
    return kind if isinstance(kind, str) else ATTRIBUTE_KINDS.get(name)


def _tables(tables: Mapping[str, Any], name: str) -> Mapping[str, Mapping[str, Any]]:
    found = tables.get(name)
    return {key: one for key, one in found.items() if isinstance(one, Mapping)} if isinstance(found, Mapping) else {}


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []
