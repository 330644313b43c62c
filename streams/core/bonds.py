"""Why a record belongs to its customer: what the identity rows keep of it, and in words (I1, I2).

A row keeps two short texts: `bond`, what bound its record (a word below), the change that was bound by it, and a mark
of the identifier, to know it again among those that the record has claimed; and `first`, the record that named this
row's key first and its change. No value of an identifier is in either.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from streams.core.canonical import SEP

EXTERNAL: Final = "external"
# What bound a record, beside the kinds of identifiers (`external`, `email`, `phone`).
ALONE: Final = "alone"
"""Nothing matched: a customer of its own."""
NAMED: Final = "customer_id"
"""The change named its customer."""
CLAIMED: Final = "claimed"
"""Another record had named this one as an external id before it spoke."""
REFUSED: Final = "refused"
"""The customer that matched may not have another record of this platform (I2)."""
MADE: Final = "made"
"""A command of ours created it for its customer."""
UNLINKED: Final = "unlinked"
"""A steward took it out of another customer (I4)."""


def kind_of(key: str) -> str:
    """The kind of identifier that a row is keyed by."""
    return key[1:].partition(":")[0] if key.startswith("@") else EXTERNAL


def evidence(*parts: str) -> str:
    """The stored form of a short piece of evidence."""
    return SEP.join(parts)


def mark_of(key: str) -> str:
    """A short hash of an identifier's key; "" of none."""
    return blake2b(key.encode(), digest_size=4).hexdigest() if key else ""


def parts_of(stored: str) -> tuple[str, str, str]:
    """The parts of a stored piece of evidence; empty where the row is from before it was kept."""
    first, second, third = [*stored.split(SEP), "", "", ""][:3]
    return first, second, third
