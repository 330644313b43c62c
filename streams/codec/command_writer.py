"""Command to Avro, written by hand: up to three commands a change leave the engine."""

from __future__ import annotations

from typing import Final, get_args

from streams.codec.primitives import END, FALSE, SECOND, TRUE, long, optional_text, symbols, text, value
from streams.model import Assignment, Command, ConsentOrder
from streams.model.command import CommandOp, Reason, ToldDecision

_OPS: Final = symbols(get_args(CommandOp))
_REASONS: Final = symbols(get_args(Reason))
_DECISIONS: Final = symbols(get_args(ToldDecision))


def command_body(command: Command, prefix: bytes = b"") -> bytes:
    """`prefix` and the Avro body, byte for byte what a general writer makes of `schemas/command.avsc`."""
    return b"".join(
        (
            prefix,
            text(command.command_id),
            text(command.customer_id),
            text(command.platform),
            optional_text(command.record_id),
            long(command.golden_version),
            _OPS[command.op],
            _attributes(command.attributes) if command.attributes else END,
            _consents(command.consents) if command.consents else END,
            text(command.caused_by),
            _REASONS[command.reason],
            long(command.issued_at),
        )
    )


def _attributes(attributes: dict[str, Assignment]) -> bytes:
    parts = [long(len(attributes))]
    for name, assignment in attributes.items():
        parts += (text(name), value(assignment.value), TRUE if assignment.clear else FALSE)
    parts.append(END)
    return b"".join(parts)


def _consents(consents: tuple[ConsentOrder, ...]) -> bytes:
    parts = [SECOND if len(consents) == 1 else long(len(consents))]
    for order in consents:
        parts += (
            text(order.contact_point),
            text(order.channel),
            text(order.purpose),
            _DECISIONS[order.decision],
            long(order.decided_at),
            TRUE if order.explicit else FALSE,
        )
    parts.append(END)
    return b"".join(parts)
