"""Merge: offer, surrender, absorb; or give back what could not be absorbed (I2-I4). See `moves.py`."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.core.closing import close_cases, joined_cases
from streams.core.decide import decide
from streams.core.identity import minted
from streams.core.joining import merge, open_records, refuses_merge
from streams.core.moves import (
    DAY_MS,
    REMEMBERED_MAX,
    Absorb,
    Offer,
    Propose,
    Return,
    Step,
    asked,
    asked_by,
    encoded,
    held_points,
    intend,
    kept,
    merged_on,
    moves_of,
    remember_request,
    remembered,
    review,
    size_bytes,
    too_large,
)
from streams.core.repointing import Joined, Proposal, customer_key
from streams.core.rules import Policy
from streams.core.state import Customer, Intent, Join, Moves
from streams.model import Invalid, Millis, StewardRequest

ITSELF: Final = "a customer cannot be merged with itself or with an erased one"
TOGETHER: Final = "the two customers together are over the limit of a record"

_decoder: Final = msgspec.msgpack.Decoder(Customer)


def proposed(proposal: Proposal) -> tuple[str, Propose]:
    """The message that follows from a proposal of the identity rows, and its row; the same two give the same id."""
    one, other = sorted((proposal.customer_id, proposal.other_id))
    request_id = minted("merge", one, other, proposal.identifier, proposal.record)
    move = Propose(request_id, proposal.at, proposal.other_id, proposal.record, proposal.identifier, proposal.change_id)
    return proposal.customer_id, move


def request_merge(step: Step, request: StewardRequest, request_id: str, at: Millis) -> None:
    """A steward wants two customers to be one; raises Invalid."""
    state, other_id = asked(step, request_id), request.with_ or ""
    if state is None:
        return
    if other_id in step.names or state.erased_at is not None:
        raise Invalid("bad_request", ITSELF)
    remember_request(state, request_id, step.policy)
    evidence = Join(other_id, at, request_id, request.by, request.why)
    step.sends.append((other_id, _offer(step, at, evidence)))


def consider(step: Step, move: Propose) -> None:
    """An identifier has led to another customer: offer the merge, unless it was offered before."""
    state = step.state
    if state is None:
        step.notes.append(review(step.customer_id, move.other_id, _evidence_of(move), "unknown_customer"))
        return
    if state.erased_at is not None or move.request_id in state.requests or move.other_id in step.names:
        return
    remember_request(state, move.request_id, step.policy)
    step.sends.append((move.other_id, _offer(step, move.at, _evidence_of(move))))


def _evidence_of(move: Propose) -> Join:
    changes = [move.change_id] if move.change_id else []
    return Join(move.other_id, move.at, move.request_id, None, None, move.identifier, "merge", changes, move.record)


def _offer(step: Step, at: Millis, evidence: Join) -> Offer:
    state = step.known()
    moves = remembered(state)
    return Offer(
        at,
        step.customer_id,
        state.born_at,
        step.names,
        tuple(moves.apart),
        open_records(state, step.policy),
        size_bytes(state),
        merged_on(moves, at),
        evidence,
    )


def answer_offer(step: Step, offer: Offer) -> None:
    """I3: the younger of the two surrenders; the offer goes back where that is the other one."""
    state = step.state
    if state is not None and offer.evidence.request_id in remembered(state).returned:
        return
    if state is not None and offer.offerer in step.names:
        step.answer(offer.evidence)  # they have become one by another way
        return
    if state is None or state.erased_at is not None:
        _refuse_absent(step, offer)
        return
    surrenders = next((one.target for one in remembered(state).intents if not one.record), None)
    if surrenders is not None:
        step.sends.append((surrenders, offer))
    elif not _hindered(step, state, offer):
        if (offer.born_at, offer.offerer) > (state.born_at, step.customer_id):
            step.sends.append((offer.offerer, _offer(step, offer.at, offer.evidence)))
        else:
            intend(step, Intent(offer.evidence.request_id, offer.at, offer.offerer, "", offer.evidence))


def _refuse_absent(step: Step, offer: Offer) -> None:
    """Nobody is there: a steward's request is at fault; whom an identifier led here has come too late."""
    if offer.evidence.identifier:
        if step.state is None:
            step.notes.append(review(offer.offerer, step.customer_id, offer.evidence, "unknown_customer"))
        return
    known = step.state is not None
    invalid = Invalid("bad_request", ITSELF) if known else Invalid("unknown_customer", "with")
    step.refused = (invalid, offer)
    step.answer(offer.evidence, invalid.reason)


def _hindered(step: Step, state: Customer, offer: Offer) -> bool:
    """I2 and the policy's word on automatic merges; what hinders goes to review with the evidence."""
    older, younger = sorted(((state.born_at, step.customer_id), (offer.born_at, offer.offerer)))
    rule, platform = _automatic_rule(step, state, offer), None
    if rule is None:
        platform = refuses_merge(open_records(state, step.policy), offer.open_records, step.policy)
        rule = "records_max" if platform is not None else None
    if rule is None and too_large(step, size_bytes(state) + offer.size_bytes):
        rule = "too_large"
        step.refused = (Invalid("too_large", TOGETHER), offer)
    if rule is None:
        return False
    step.notes.append(review(older[1], younger[1], offer.evidence, rule, platform))
    step.answer(offer.evidence, rule)
    return True


def _automatic_rule(step: Step, state: Customer, offer: Offer) -> str | None:
    if not offer.evidence.identifier:
        return None
    moves = remembered(state)
    if set(offer.names).intersection(moves.apart) or set(step.names).intersection(offer.apart):
        return "unlinked"
    if max(offer.merged, merged_on(moves, offer.at)) >= step.policy.identity.merges_per_day_max:
        return "merges_per_day_max"
    return None


def surrender(step: Step, intent: Intent) -> None:
    """The row becomes an alias, and the state goes to the survivor."""
    state = step.known()
    if too_large(step, size_bytes(state)):
        step.notes.append(review(intent.target, step.customer_id, asked_by(intent), "too_large"))
        step.answer(asked_by(intent), "too_large")
        return
    alias = Moves(survivor=intent.target, request_id=intent.request_id)
    step.state = Customer(step.customer_id, state.born_at, state.version, state.clock, state.policy_version)
    step.state.moves = alias
    step.sends.append((intent.target, Absorb(state, asked_by(intent))))


def absorb_state(step: Step, absorb: Absorb) -> None:
    """I4: join the state of a customer that has surrendered, or give it back where that cannot be."""
    state, other, evidence = step.state, absorb.state, absorb.evidence
    if state is not None and (other.customer_id in step.names or evidence.request_id in remembered(state).returned):
        return
    if state is not None and state.erased_at is not None:
        _absorb_into_tombstone(step, state, absorb)
        return
    rule = _unabsorbable(step, state, other)
    if rule is None and state is not None:
        before, given = encoded(state), encoded(other)
        moves = _joined_moves(state, other, evidence)
        points = held_points(other)
        records = tuple(sorted(other.records))
        closed = tuple(name for name in records if not other.records[name].open)
        told = Joined(step.customer_id, (other.customer_id, *other.aliases), records, closed)
        decision = merge(state, other, evidence.at, evidence.request_id, step.policy, _joined_by(evidence, other))
        state.moves = moves
        if not too_large(step, size_bytes(state)):
            _remember_once(state, evidence.request_id, step.policy)
            step.decisions.append((decision, _merge_request(evidence, other.customer_id)))
            step.told.append((customer_key(other.customer_id), told))
            step.withdrawn += [(point, other.customer_id) for point in sorted(points)]
            step.answer(evidence)
            close_cases(step)
            return
        rule, step.state = "too_large", _decoder.decode(before)
        absorb = Absorb(_decoder.decode(given), evidence)
    _give_back(step, absorb, rule or "unknown_customer")


def _unabsorbable(step: Step, state: Customer | None, other: Customer) -> str | None:
    if state is None:
        return "unknown_customer"
    if refuses_merge(open_records(state, step.policy), open_records(other, step.policy), step.policy) is not None:
        return "records_max"
    return None


def _joined_by(evidence: Join, other: Customer) -> Join:
    return msgspec.structs.replace(evidence, other_id=other.customer_id)


def _remember_once(state: Customer, request_id: str, policy: Policy) -> None:
    state.requests = [one for one in state.requests if one != request_id]
    remember_request(state, request_id, policy)


def _merge_request(evidence: Join, other_id: str) -> StewardRequest:
    return StewardRequest(
        "merge", evidence.request_id, with_=other_id, at=evidence.at, by=evidence.by, why=evidence.why
    )


def _joined_moves(state: Customer, other: Customer, evidence: Join) -> Moves:
    """What both remember, without what the merge has undone: who had parted from one of the two is back."""
    mine, others = remembered(state), remembered(other)
    names = {*state.aliases, *other.aliases, state.customer_id, other.customer_id}
    records = {*state.records, *other.records}
    parted = {**others.parted, **mine.parted}
    day, count = mine.merged_day, mine.merged_count
    if evidence.identifier:
        count, day = merged_on(mine, evidence.at) + 1, evidence.at // DAY_MS
    return Moves(
        parted=kept({name: to for name, to in parted.items() if to not in names and name not in records}),
        apart=[one for one in dict.fromkeys((*mine.apart, *others.apart)) if one not in names][-REMEMBERED_MAX:],
        intents=mine.intents,
        returned=kept({**others.returned, **mine.returned}),
        merged_day=day,
        merged_count=count,
        cases=joined_cases(mine.cases, others.cases),
        partings=[one for one in (*mine.partings, *others.partings) if one.other not in names][-REMEMBERED_MAX:],
    )


def _absorb_into_tombstone(step: Step, tomb: Customer, absorb: Absorb) -> None:
    """K3: the merge was agreed before the erasure came: what arrives late is erased with the rest."""
    late = absorb.state
    late.aliases = sorted({*late.aliases, late.customer_id})
    late.customer_id = step.customer_id
    late.version = max(late.version, tomb.version)
    request = StewardRequest("erase", f"{absorb.evidence.request_id} late")
    decision = decide(late, request, tomb.erased_at or absorb.evidence.at, step.policy)
    tomb.version = decision.state.version
    tomb.aliases = sorted({*tomb.aliases, *late.aliases})
    tomb.certificate.update(decision.state.certificate)
    step.decisions.append((decision._replace(state=tomb), request))


def _give_back(step: Step, absorb: Absorb, rule: str) -> None:
    """The merge does not happen: the other is itself again, and what it has sent on meanwhile follows it back."""
    other, evidence = absorb.state, absorb.evidence
    if step.state is not None:
        remember_return(step.state, evidence.request_id, other.customer_id)
        moves = moves_of(step.state)
        moves.parted = kept({**moves.parted, **dict.fromkeys(other.records, other.customer_id)})
        refused = Invalid("too_large", TOGETHER)
        if rule == "too_large":
            step.refused = (refused, _offer(step, evidence.at, evidence))
    step.sends.append((other.customer_id, Return(other, evidence.request_id)))
    step.notes.append(review(step.customer_id, other.customer_id, evidence, rule))
    step.answer(evidence, rule)


def remember_return(state: Customer, request_id: str, customer_id: str) -> None:
    """The merge of this request did not come to be; nothing of it that is delivered again counts."""
    moves = moves_of(state)
    moves.returned = kept({**moves.returned, request_id: customer_id})
