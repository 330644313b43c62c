"""The usual case of binding: a change of a bound record that names nothing new needs no step, only its customer (I1).

It is most of the traffic, so it is told apart by looking, with nothing written and nothing canonicalised. Whatever is
not surely so goes through `identity.step`, which comes to the same for what is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.core.rules import Policy
from streams.model import Change

if TYPE_CHECKING:
    from streams.core.identity import Row


def goes_straight(row: Row, change: Change, policy: Policy) -> bool:
    """True where the step would only forward the change to `row.customer`, with the row as it was and no note."""
    if not row.joined or row.customer is None or change.op == "delete":
        return False
    if row.closed_at is not None or row.fenced_at is not None or row.erased_at is not None:
        return False
    if change.customer_id is not None and change.customer_id != row.customer:
        return False
    return _names_nothing_new(row.claimed, change, policy)


def _names_nothing_new(claimed: list[str], change: Change, policy: Policy) -> bool:
    """A claimed key is canonical, so what is equal to it as given is it; of other alphabets that is not said."""
    identifiers = change.identifiers
    for kind in policy.identity.match:
        if kind == "external":
            for given in identifiers.external:
                if given not in claimed:
                    return False
        elif kind == "email":
            for given in identifiers.email:
                if not given.isascii() or f"@email:{given}" not in claimed:
                    return False
        elif identifiers.phone:
            return False
    return True
