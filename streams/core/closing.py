"""Cases of the review queue that end by themselves, since their customers have become one or were erased.

A case asks its customers' rows (`Inquire`), which remember it: so it is answered by the merge or the erasure that comes
later, and at once by the one that was before. What an alias is asked goes on to its survivor, behind its state.
"""

from __future__ import annotations

from streams.core.moves import CASES_MAX, Closed, Inquire, Step, moves_of, remembered
from streams.core.state import OpenCase


def inquire(step: Step, asked: Inquire) -> None:
    """A case on this customer was opened, alone or with another one."""
    state, case = step.state, asked.case
    if state is None:
        return
    if state.erased_at is not None:
        step.closed.append(Closed(case.review_id, case.key, None))
        return
    if _is_one(step, case):
        step.closed.append(Closed(case.review_id, case.key, step.customer_id))
    if len(case.customers) > 1:
        moves = moves_of(state)
        kept = [one for one in moves.cases if one.review_id != case.review_id]
        moves.cases = [*kept, case][-CASES_MAX:]


def close_cases(step: Step) -> None:
    """After a merge: the cases that it has settled, which are still to go when the customer is erased."""
    cases = remembered(step.known()).cases
    step.closed += [Closed(one.review_id, one.key, step.customer_id) for one in cases if _is_one(step, one)]


def joined_cases(mine: list[OpenCase], others: list[OpenCase]) -> list[OpenCase]:
    """What two customers remember that have become one."""
    return list({one.review_id: one for one in (*others, *mine)}.values())[-CASES_MAX:]


def _is_one(step: Step, case: OpenCase) -> bool:
    return len(case.customers) > 1 and set(case.customers) <= set(step.names)
