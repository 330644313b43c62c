"""The words of the domain as frozen values: no I/O, no clock, no behaviour beyond naming."""

from streams.model.change import (
    ADDRESS_PARTS,
    Address,
    Change,
    ConsentStatement,
    Identifiers,
    Statement,
    Suppression,
    Value,
    Verdict,
)
from streams.model.command import Assignment, Command, ConsentOrder, Receipt
from streams.model.errors import Invalid, Retry
from streams.model.ledger import LedgerEntry, Note
from streams.model.steward import StewardRequest
from streams.model.times import Millis, format_time, parse_time

__all__ = [
    "ADDRESS_PARTS",
    "Address",
    "Assignment",
    "Change",
    "Command",
    "ConsentOrder",
    "ConsentStatement",
    "Identifiers",
    "Invalid",
    "LedgerEntry",
    "Millis",
    "Note",
    "Receipt",
    "Retry",
    "Statement",
    "StewardRequest",
    "Suppression",
    "Value",
    "Verdict",
    "format_time",
    "parse_time",
]
