"""Change to Avro, written by hand: every raw message passes here once."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from streams.codec.primitives import (
    END,
    FALSE,
    NULL,
    SECOND,
    TRUE,
    address,
    double,
    long,
    optional_long,
    optional_text,
    symbols,
    text,
    value,
)
from streams.model import Change, ConsentStatement, Identifiers, Statement, Suppression, Verdict
from streams.model.change import Actor, Decision, Kind, Op, Origin, SuppressionReason

_KINDS: Final = symbols(get_args(Kind))
_OPS: Final = symbols(get_args(Op))
_ACTORS: Final = symbols(get_args(Actor))
_ORIGINS: Final = symbols(get_args(Origin))
_DECISIONS: Final = symbols(get_args(Decision))
_REASONS: Final = symbols(get_args(SuppressionReason))
_NO_IDENTIFIERS: Final = END * 3


def change_body(change: Change, prefix: bytes = b"") -> bytes:
    """`prefix` and the Avro body, byte for byte what a general writer makes of `schemas/change.avsc`."""
    return b"".join(
        (
            prefix,
            text(change.change_id),
            text(change.platform),
            text(change.record_id),
            _KINDS[change.kind],
            _OPS[change.op],
            optional_long(change.observed_at),
            optional_long(change.sequence),
            _ACTORS[change.actor],
            NULL if change.origin is None else SECOND + _ORIGINS[change.origin],
            optional_text(change.customer_id),
            _identifiers(change.identifiers),
            _attributes(change.attributes) if change.attributes else END,
            _consents(change.consents) if change.consents else END,
            _verdicts(change.verdicts) if change.verdicts else END,
            _suppressions(change.suppressions) if change.suppressions else END,
        )
    )


def evidence_text(evidence: dict[str, Any] | None) -> str | None:
    """Evidence as the schemas carry it: JSON text, so that it may have any shape; keys sorted, so that bytes repeat."""
    return None if evidence is None else msgspec.json.encode(evidence, order="sorted").decode()


def _identifiers(found: Identifiers) -> bytes:
    if not (found.email or found.phone or found.external):
        return _NO_IDENTIFIERS
    return _texts(found.email) + _texts(found.phone) + _texts(found.external)


def _texts(values: tuple[str, ...]) -> bytes:
    return b"".join((long(len(values)), *map(text, values), END)) if values else END


def _attributes(attributes: dict[str, Statement]) -> bytes:
    parts = [long(len(attributes))]
    for name, statement in attributes.items():
        parts += (
            text(name),
            value(statement.value),
            TRUE if statement.clear else FALSE,
            TRUE if statement.retract else FALSE,
            NULL if statement.confidence is None else SECOND + double(statement.confidence),
            optional_text(statement.verified_by),
        )
    parts.append(END)
    return b"".join(parts)


def _consents(consents: tuple[ConsentStatement, ...]) -> bytes:
    parts = [long(len(consents))]
    for consent in consents:
        parts += (
            text(consent.contact_point),
            text(consent.channel),
            text(consent.purpose),
            _DECISIONS[consent.decision],
            optional_long(consent.at),
            TRUE if consent.explicit else FALSE,
            optional_text(consent.method),
            optional_text(evidence_text(consent.evidence)),
            optional_long(consent.expires_at),
        )
    parts.append(END)
    return b"".join(parts)


def _verdicts(verdicts: tuple[Verdict, ...]) -> bytes:
    parts = [long(len(verdicts))]
    for verdict in verdicts:
        parts += (
            text(verdict.record),
            text(verdict.attribute),
            address(verdict.input),
            double(verdict.confidence),
            NULL if verdict.deliverable is None else SECOND + (TRUE if verdict.deliverable else FALSE),
            NULL if verdict.standardized is None else SECOND + address(verdict.standardized),
            optional_long(verdict.at),
        )
    parts.append(END)
    return b"".join(parts)


def _suppressions(suppressions: tuple[Suppression, ...]) -> bytes:
    parts = [long(len(suppressions))]
    for suppression in suppressions:
        parts += (
            text(suppression.contact_point),
            text(suppression.channel),
            _REASONS[suppression.reason],
            TRUE if suppression.active else FALSE,
            optional_long(suppression.at),
        )
    parts.append(END)
    return b"".join(parts)
