"""Random messages of every shape that the schemas allow, with invented people."""

from __future__ import annotations

from typing import get_args

from hypothesis import strategies as st

from streams.codec.limits import TIME_MAX_MS, TIME_MIN_MS
from streams.model import (
    Address,
    Assignment,
    Change,
    Command,
    ConsentOrder,
    ConsentStatement,
    Identifiers,
    LedgerEntry,
    Receipt,
    Statement,
    StewardRequest,
    Suppression,
    Verdict,
)
from streams.model.change import Actor, Decision, Kind, Op, SuppressionReason
from streams.model.command import CommandOp, Outcome, Reason, ToldDecision
from streams.model.ledger import LedgerStatus
from streams.model.steward import Action
from streams.model.suppression import ConsentState, PublishedSuppression, SendableState

texts = st.text(max_size=40)
names = st.text(min_size=1, max_size=12)
words = names.filter(str.strip)
times = st.integers(TIME_MIN_MS, TIME_MAX_MS)
longs = st.integers(-(2**63), 2**63 - 1)
confidences = st.floats(0.0, 1.0)


def maybe(some: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | some


def one_of(alias: object) -> st.SearchStrategy:
    return st.sampled_from(get_args(alias))


def few(some: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(some, max_size=3).map(tuple)


evidence = maybe(st.dictionaries(names, st.recursive(texts | st.integers(-9, 9) | st.none(), st.lists, max_leaves=4)))
addresses = st.builds(Address, texts, texts, texts, texts, texts, texts)
statements = st.one_of(
    st.builds(
        Statement,
        value=maybe(texts | addresses),
        confidence=maybe(confidences),
        verified_by=maybe(texts),
    ),
    st.just(Statement(clear=True)),
    st.just(Statement(retract=True)),
)
consents = st.builds(
    ConsentStatement,
    contact_point=words,
    channel=words,
    purpose=words,
    decision=one_of(Decision),
    at=maybe(times),
    explicit=st.booleans(),
    method=maybe(texts),
    evidence=evidence,
    expires_at=maybe(times),
)
verdicts = st.builds(
    Verdict,
    record=names,
    attribute=names,
    input=addresses,
    confidence=confidences,
    deliverable=maybe(st.booleans()),
    standardized=maybe(addresses),
    at=maybe(times),
)
suppressions = st.builds(
    Suppression,
    contact_point=words,
    channel=words,
    reason=one_of(SuppressionReason),
    active=st.booleans(),
    at=maybe(times),
)
changes = st.builds(
    Change,
    change_id=names,
    platform=names,
    record_id=names,
    kind=one_of(Kind),
    op=one_of(Op),
    observed_at=maybe(times),
    sequence=maybe(longs),
    actor=one_of(Actor),
    origin=st.sampled_from([None, "writeback"]),
    customer_id=maybe(texts),
    identifiers=st.builds(Identifiers, few(texts), few(texts), few(texts)),
    attributes=st.dictionaries(names, statements, max_size=4),
    consents=few(consents),
    verdicts=few(verdicts),
    suppressions=few(suppressions),
)
commands = st.builds(
    Command,
    command_id=names,
    customer_id=names,
    platform=names,
    record_id=maybe(texts),
    golden_version=st.integers(0, 2**63 - 1),
    op=one_of(CommandOp),
    reason=one_of(Reason),
    caused_by=texts | st.text(min_size=5000, max_size=5000),
    issued_at=times,
    attributes=st.dictionaries(
        names, st.builds(Assignment, value=maybe(texts | addresses), clear=st.booleans()), max_size=4
    ),
    consents=few(st.builds(ConsentOrder, texts, names, names, one_of(ToldDecision), times, st.booleans())),
)
ledger_entries = st.builds(
    LedgerEntry,
    customer_id=names,
    contact_point=st.just("*") | texts,
    channel=names,
    purpose=names,
    decision=one_of(Decision),
    at=times,
    status=one_of(LedgerStatus),
    record=maybe(texts),
    stated_at=maybe(times),
    explicit=st.booleans(),
    method=maybe(texts),
    evidence=evidence,
    expires_at=maybe(times),
    caused_by=maybe(texts),
    judgement=maybe(texts),
    names=maybe(times),
    seq=st.integers(0, 2**31),
)
published = st.builds(
    PublishedSuppression,
    contact_point=texts,
    updated_at=times,
    customer_count=st.integers(0, 2**31 - 1),
    states=few(st.builds(SendableState, names, names, one_of(ConsentState), st.booleans(), few(names))),
)
receipts = st.builds(
    Receipt,
    outcome=one_of(Outcome),
    command_id=maybe(texts),
    customer_id=maybe(texts),
    platform=maybe(texts),
    record_id=maybe(texts),
    golden_version=maybe(longs),
    at=maybe(times),
    detail=maybe(texts),
)
steward_requests = st.builds(
    StewardRequest,
    action=one_of(Action),
    request_id=maybe(texts),
    customer_id=maybe(texts),
    attribute=maybe(texts),
    value=maybe(texts | addresses),
    contact_point=maybe(texts),
    record=maybe(texts),
    with_=maybe(texts),
    at=maybe(times),
    by=maybe(texts),
)
