"""Erasure: every platform is told, the state becomes a tombstone, and nothing comes back to life (K3)."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.core.canonical import SEP, is_email, is_phone
from streams.core.commanding import command_hash
from streams.core.contact_points import appearances, joined, purposes, split
from streams.core.effective import resolve_consents
from streams.core.fold import ContactUpdate, Fold
from streams.core.foreign import set_apart
from streams.core.rules import Policy
from streams.core.state import PERSON, Customer, Moves, OpenCase, Reach
from streams.model import Change, Command, Invalid, Millis, Note, Receipt, StewardRequest, format_time

if TYPE_CHECKING:
    from streams.core.decide import Decision, Input

# The name under which an erased contact point is suppressed: nobody's record.
ERASED: Final = "erased"
ERASED_CUSTOMER: Final = "erased_customer"
NAMELESS: Final = "steward"

# What the certificate says of one record at one platform; the worst first.
WAITING: Final = "waiting"
FAILED: Final = "failed"
REFUSED: Final = "refused"
UNSUPPORTED: Final = "unsupported"
ACKED: Final = "acked"
_WORST: Final = (WAITING, FAILED, REFUSED, UNSUPPORTED, ACKED)
# A create that was under way: whether there is a record to erase is known with its receipt.
_CREATING: Final = "creating"


class Erasure(NamedTuple):
    """What an erasure asks of everything but the state itself.

    `ids`: the customer and its aliases. `records`: all that it ever had. `points`: each contact point with the
    (channel, purpose) pairs that it may be asked about. `homes`: where records that came by a merge or an unlink were
    commanded first (`Record.home`). `cases`: of the review queue, on this customer and another one. `apart`: customers
    from which an unlink set it apart, whose states may hold values of it. `left`: records that an unlink took out.
    """

    at: Millis
    ids: tuple[str, ...]
    records: tuple[str, ...]
    points: dict[str, tuple[tuple[str, str], ...]]
    homes: dict[str, str]
    cases: tuple[OpenCase, ...] = ()
    apart: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def keyed_hash(key: bytes, *parts: str) -> str:
    """What is kept of an erased value: without the key it says nothing."""
    return blake2b(SEP.join(parts).encode(), key=key[:64], digest_size=24).hexdigest()


def erase(fold: Fold, request_id: str) -> Erasure:
    """Tell every platform that has a record, and empty the state.

    The certificate has, by command id, the platform and what it answered; one that cannot be told is `unsupported`.
    """
    state = fold.state
    homes = {name: record.home for name, record in state.records.items() if record.home is not None}
    ids, cases = (state.customer_id, *state.aliases), state.moves.cases if state.moves is not None else ()
    left = tuple(sorted(set(state.moves.parted) - set(state.records))) if state.moves is not None else ()
    asked = Erasure(
        fold.at, ids, tuple(sorted(state.records)), _points(fold), homes, tuple(cases), set_apart(state), left
    )
    certificate = {
        one: f"{known.platform} {_CREATING}" for one, known in state.unanswered.items() if known.op == "create"
    }
    certificate.update(_tell_all(fold, asked.records))
    fold.state = Customer(
        state.customer_id,
        state.born_at,
        state.version + 1,
        max(state.clock, fold.at),
        requests=[*state.requests, request_id][-fold.policy.limits.requests_max :],
        seq=state.seq,
        aliases=state.aliases,
        erased_at=fold.at,
        certificate=certificate,
        # What had left this customer before is not erased with it, nor is what is still on its way there.
        moves=Moves(parted=state.moves.parted, returned=state.moves.returned) if state.moves is not None else None,
    )
    return asked


def buried(alias: str, at: Millis, survivor: str | None = None) -> Customer:
    """The tombstone of an id that had been merged into an erased customer, whose id leads to the certificate."""
    moves = Moves(buried_with=survivor) if survivor is not None else None
    return Customer(alias, at, erased_at=at, moves=moves)


def _points(fold: Fold) -> dict[str, tuple[tuple[str, str], ...]]:
    state = fold.state
    found: dict[str, set[tuple[str, str]]] = {point: set() for point in appearances(state)}
    for key in map(split, (*state.entries, *state.consents)):
        found.setdefault(key.contact_point, set()).add((key.channel, key.purpose))
    for reached in state.reach:
        point, _, channel = reached.partition(SEP)
        found.setdefault(point, set()).update((channel, one) for one in purposes(state, fold.policy, channel))
    for point, pairs in found.items():
        for channel in _channel_of(point):
            pairs.update((channel, one) for one in purposes(state, fold.policy, channel))
    return {point: tuple(sorted(found[point])) for point in sorted(found) if point != PERSON}


def _tell_all(fold: Fold, names: tuple[str, ...]) -> dict[str, str]:
    """Command each open record's erasure; a platform of which none can be told is `unsupported`.

    What cannot be written to beside a record that can (the orders of a customer) goes with that one.
    """
    told: dict[str, str] = {}
    untold: list[str] = []
    for record in (fold.state.records[name] for name in names):
        rule = fold.policy.platforms.get(record.platform)
        if not record.open:
            continue
        if rule is None or not rule.erases or not rule.tells(record.record_id):
            untold.append(record.platform)
        else:
            told[_command_erase(fold, record.platform, record.record_id)] = f"{record.platform} {WAITING}"
    reached = {command.platform for command in fold.commands}
    left = [platform for platform in untold if platform not in reached]
    return {**told, **{f"untold-{place}": f"{platform} {UNSUPPORTED}" for place, platform in enumerate(left)}}


def _channel_of(point: str) -> tuple[str, ...]:
    return ("email",) if is_email(point) else ("sms",) if is_phone(point) else ()


def _command_erase(fold: Fold, platform: str, record_id: str) -> str:
    version = fold.state.version + 1
    customer_id = fold.state.customer_id
    command_id = command_hash(customer_id, platform, record_id, "erase", version, 0, {}, ())
    fold.commands.append(
        Command(command_id, customer_id, platform, record_id, version, "erase", "erasure", fold.cause, fold.at)
    )
    return command_id


# After it


def fold_erased(fold: Fold, event: Input) -> Erasure | None:
    """Whatever comes for an erased customer is dropped; only the answers to the erasure are kept.

    An erasure again where a platform has just made the record that it had been told to make before.
    """
    if isinstance(event, Change):
        # The platform alone: no record id or value of an erased customer reaches any later output.
        fold.notes.append(Note(kind="erased_drop", platform=event.platform, customer_id=fold.state.customer_id))
    elif isinstance(event, Receipt):
        return _certify(fold, event)
    return None


def _certify(fold: Fold, receipt: Receipt) -> Erasure | None:
    state, command_id = fold.state, receipt.command_id or ""
    platform, _, known = state.certificate.get(command_id, "").partition(" ")
    if known == _CREATING:
        return _created(fold, receipt, platform)
    if known and known != ACKED:
        state.certificate[command_id] = f"{platform} {_answer(receipt)}"
    return None


def _created(fold: Fold, receipt: Receipt, platform: str) -> Erasure | None:
    """A record that was made meanwhile is erased as the others were."""
    state = fold.state
    del state.certificate[receipt.command_id or ""]
    if receipt.outcome != "applied" or receipt.record_id is None:
        return None
    state.certificate[_command_erase(fold, platform, receipt.record_id)] = f"{platform} {WAITING}"
    return Erasure(state.erased_at or fold.at, (state.customer_id,), (f"{platform}:{receipt.record_id}",), {}, {})


def _answer(receipt: Receipt) -> str:
    if receipt.outcome in ("applied", "superseded"):
        return ACKED  # superseded: by this very erasure, which came twice
    if receipt.outcome == "failed":
        return FAILED
    return UNSUPPORTED if (receipt.detail or "").startswith(UNSUPPORTED) else REFUSED


def waits(state: Customer, platform: str) -> bool:
    """True while a platform still has to answer."""
    return any(told in (f"{platform} {WAITING}", f"{platform} {_CREATING}") for told in state.certificate.values())


def refuse_erased(state: Customer | None, request: StewardRequest) -> None:
    """Raise Invalid("erased_customer") for a request that comes after the erasure, unless it is an old one again."""
    if state is None or state.erased_at is None:
        return
    known = (request.request_id or NAMELESS) in state.requests
    if not known or (request.request_id is None and request.action != "erase"):
        raise Invalid(ERASED_CUSTOMER, request.action)


def erased_view(state: Customer) -> dict[str, Any]:
    """What is shown of an erased customer: when, and the certificate: for each platform the worst of its answers.

    `outcome`: waiting, failed (the retries are used up, see the dead letters), refused, unsupported or acked.
    """
    worst: dict[str, str] = {}
    records: dict[str, int] = {}
    for platform, outcome in (told.split(" ") for told in state.certificate.values()):
        shown = WAITING if outcome == _CREATING else outcome
        worst[platform] = min(worst.get(platform, ACKED), shown, key=_WORST.index)
        records[platform] = records.get(platform, 0) + 1
    certificate = [{"platform": one, "outcome": worst[one], "records": records[one]} for one in sorted(worst)]
    return {
        "customer_id": state.customer_id,
        "erased": True,
        "erased_at": format_time(state.erased_at or 0),
        "certificate": certificate,
    }


# Its contact points, at whoever shows them


def suppress(fold: Fold, contact_point: str, channel: str, erased_at: Millis) -> None:
    """A contact point of an erased customer stays suppressed until a later explicit opt-in."""
    words = fold.state.reach.setdefault(f"{contact_point}{SEP}{channel}", {})
    if ERASED not in words or words[ERASED].at < erased_at:
        words[ERASED] = Reach(erased_at, True)


def suppressed_again(decision: Decision, policy: Policy, erased: Callable[[str], Millis | None]) -> Decision:
    """The decision with every contact point in it suppressed that `erased` knows: when it was erased, else None.

    Only contact points whose consent is new or differs are looked up: a new one is always among them (C5).
    """
    state = decision.state
    fold = Fold(state, policy, state.clock, ERASED)
    known: dict[str, Millis | None] = {PERSON: None}
    for update in decision.contacts:
        point = update.contact_point
        if point not in known:
            known[point] = erased(point)
        at = known[point]
        if at is not None:
            suppress(fold, point, update.channel, at)
            fold.keys.add(joined(point, update.channel, update.purpose))
    return decision if not fold.keys else decision._replace(contacts=[*decision.contacts, *_resolved(fold)])


def shun(
    state: Customer, contact_point: str, channels: tuple[str, ...], at: Millis, policy: Policy
) -> list[ContactUpdate]:
    """Suppress a contact point that another customer, erased at `at`, had too; what is to be published.

    Nothing where this customer is not known to have it: no state keeps an erased value that nobody stated there.
    """
    if state.erased_at is not None or not _knows(state, contact_point):
        return []
    fold = Fold(state, policy, state.clock, ERASED)
    for channel in channels:
        suppress(fold, contact_point, channel, at)
        fold.keys.update(joined(contact_point, channel, one) for one in purposes(state, policy, channel))
    return _resolved(fold)


def _knows(state: Customer, contact_point: str) -> bool:
    return contact_point in appearances(state) or any(
        split(key).contact_point == contact_point
        for key in (*state.entries, *state.consents, *state.pins)
        if SEP in key
    )


def _resolved(fold: Fold) -> list[ContactUpdate]:
    resolve_consents(fold)
    return fold.contacts
