"""Ledger entry to Avro, written by hand: every consent decision passes here."""

from __future__ import annotations

from typing import Final, get_args

from streams.codec.change_writer import evidence_text
from streams.codec.primitives import FALSE, TRUE, long, optional_long, optional_text, symbols, text
from streams.model import LedgerEntry
from streams.model.change import Decision
from streams.model.ledger import LedgerStatus

_DECISIONS: Final = symbols(get_args(Decision))
_STATUSES: Final = symbols(get_args(LedgerStatus))


def ledger_body(entry: LedgerEntry, contact_point: str, prefix: bytes = b"") -> bytes:
    """`prefix` and the Avro body of `schemas/consent_ledger_entry.avsc`; `contact_point` is the topic's key."""
    return b"".join(
        (
            prefix,
            text(entry.customer_id),
            text(contact_point),
            text(entry.channel),
            text(entry.purpose),
            _DECISIONS[entry.decision],
            long(entry.at),
            _STATUSES[entry.status],
            optional_text(entry.record),
            optional_long(entry.stated_at),
            TRUE if entry.explicit else FALSE,
            optional_text(entry.method),
            optional_text(evidence_text(entry.evidence)),
            optional_long(entry.expires_at),
            optional_text(entry.caused_by),
            optional_text(entry.judgement),
            optional_long(entry.names),
            long(entry.seq),
        )
    )
