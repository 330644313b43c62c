"""From the policy file to the tables that the core reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, cast

from streams.connectors import connector
from streams.core.canonical import Quirk, ValueKind
from streams.core.rules import (
    CONSENT_ROUTE,
    AttributeRule,
    ConsentRule,
    HistoryRule,
    IdentityRule,
    Limits,
    PlatformRule,
    Policy,
)
from streams.model import Invalid
from streams.policy.document import (
    ATTRIBUTE_KINDS,
    AttributeTable,
    PlatformTable,
    PolicyDocument,
    QuirkTable,
    check_document,
    read_document,
)


def load_policy(path: Path | None = None) -> Policy:
    """The policy of a file, or the shipped default; raises PolicyError."""
    if path is not None:
        return compile_policy(read_document(path))
    with resources.as_file(resources.files("streams.policy") / "default.toml") as shipped:
        return compile_policy(read_document(shipped))


def policy_of(tables: Mapping[str, Any], source: str = "policy") -> Policy:
    """The policy of tables that were read elsewhere; raises PolicyError."""
    return compile_policy(check_document(tables, source))


def compile_policy(document: PolicyDocument) -> Policy:
    """The core's tables; durations become milliseconds."""
    return Policy(
        version=document.version,
        platforms={name: _platform(name, table) for name, table in document.platforms.items()},
        attributes={name: _attribute(name, table) for name, table in document.attributes.items()},
        consent=ConsentRule(
            double_opt_in=document.consent.double_opt_in,
            double_opt_in_ttl_ms=document.consent.double_opt_in_ttl_s * 1000,
            untrusted_methods=frozenset(document.consent.untrusted_methods),
            requires_opt_in={name: table.requires_opt_in for name, table in document.consent.purposes.items()},
        ),
        identity=IdentityRule(
            match=document.identity.match,
            blocked=tuple(re.compile(pattern) for pattern in document.identity.blocked),
            merge=document.identity.merge,
            merges_per_day_max=document.identity.merges_per_day_max,
        ),
        limits=Limits(**document.limits.model_dump()),
        history=HistoryRule(document.history.max_entries, document.history.max_age_s * 1000),
        clock_skew_tolerance_ms=document.clock_skew_tolerance_s * 1000,
        ping_pong_limit=document.ping_pong_limit,
        ping_pong_window_ms=document.ping_pong_window_s * 1000,
        max_change_ratio=document.max_change_ratio,
        resend_after_ms=document.resend_after_s * 1000,
        verdict_timeout_ms=document.verdict_timeout_s * 1000,
        erasure_fence_ms=document.erasure_fence_s * 1000,
        default_region=document.default_region,
    )


def _platform(name: str, table: PlatformTable) -> PlatformRule:
    return PlatformRule(
        name=name,
        connector=table.connector,
        rank=table.rank,
        routes=frozenset(route for route in table.routes if route != CONSENT_ROUTE),
        consent=CONSENT_ROUTE in table.routes,
        create=table.create,
        unique=table.unique,
        max_records=table.max_records,
        quirks=_quirks(table),
        read_only_prefixes=_read_only_prefixes(table),
        erases=_erases(table.connector),
    )


def _quirks(table: PlatformTable) -> dict[str, dict[str, Quirk]]:
    """The connector's own quirks, overridden path by path by the policy's."""
    merged: dict[str, Quirk] = {path: Quirk(**values) for path, values in _shipped_quirks(table.connector).items()}
    merged.update({path: _quirk(quirk) for path, quirk in table.quirks.items()})
    found: dict[str, dict[str, Quirk]] = {}
    for path, quirk in merged.items():
        attribute, _, part = path.partition(".")
        found.setdefault(attribute, {})[part] = quirk
    return found


def _shipped_quirks(vendor: str) -> Mapping[str, Mapping[str, Any]]:
    """A policy may name a vendor whose connector is not installed here: to try it in a replay of canonical changes."""
    try:
        return connector(vendor).quirks
    except Invalid:
        return {}


def _read_only_prefixes(table: PlatformTable) -> tuple[str, ...]:
    """The connector's own, unless the policy names others."""
    if table.read_only_prefixes is not None:
        return table.read_only_prefixes
    try:
        return connector(table.connector).read_only_prefixes
    except Invalid:
        return ()


def _erases(vendor: str) -> bool:
    try:
        return connector(vendor).erases
    except Invalid:
        return True


def _quirk(table: QuirkTable) -> Quirk:
    return Quirk(**table.model_dump())


def _attribute(name: str, table: AttributeTable) -> AttributeRule:
    kind = table.kind or ATTRIBUTE_KINDS[name]
    priority = {platform: place for place, platform in enumerate(table.priority)}
    return AttributeRule(
        name=name,
        kind=cast(ValueKind, kind),
        priority=priority if table.strategy == "priority" else None,
        min_confidence=table.min_confidence,
        validate_with=table.validate_with,
    )
