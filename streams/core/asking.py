"""The question of a record that has met a customer; identity and erasure both send it."""

from __future__ import annotations

import msgspec

from streams.core.bonds import ALONE


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A record asks a customer to join it (I2); `otherwise` is the customer it becomes if refused.

    `by`: the kind of what led there, a word of `core/bonds.py`.
    """

    record: str
    platform: str
    otherwise: str
    claims: tuple[str, ...] = ()
    by: str = ALONE
