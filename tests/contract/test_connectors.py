"""The contract that every connector keeps, run for each vendor's `case.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.connectors.base import Applied, Client, Later, Refused, Translation
from streams.model import Change, Invalid
from tests.contract.case import NOW, Case, Fault, Message, Reply, Request, cases
from tests.contract.server import Platform, running

CASES = {case.vendor: case for case in cases()}
PATHS = {
    "first_name", "last_name", "email", "phone",
    *(f"{kind}_address.{part}" for kind in ("shipping", "billing")
      for part in ("line1", "line2", "city", "region", "postal_code", "country")),
}  # fmt: skip
QUIRKS = {"max_length": int, "case": str, "ascii": bool, "ignore": bool}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
webhook_case = pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.sign], ids=[case.vendor for case in CASES.values() if case.sign]
)
every_message = pytest.mark.parametrize(
    ("case", "message"),
    [(case, message) for case in CASES.values() for message in case.messages],
    ids=[f"{case.vendor}-{message.name}" for case in CASES.values() for message in case.messages],
)
every_fault = pytest.mark.parametrize(
    ("case", "fault"),
    [(case, fault) for case in CASES.values() for fault in case.faults],
    ids=[f"{case.vendor}-{fault.name}" for case in CASES.values() for fault in case.faults],
)


@every_message
def test_a_message_says_the_same_each_time_it_is_read(case: Case, message: Message):
    first = case.connector.translate(case.platform, message.headers, message.body)
    second = case.connector.translate(case.platform, dict(reversed(message.headers.items())), message.body)

    assert first == second


@every_message
def test_a_message_speaks_of_the_records_it_names_and_counts_the_rest(case: Case, message: Message):
    said = case.connector.translate(case.platform, message.headers, message.body)

    assert (
        tuple(change.record_id for change in said.changes) + tuple(r.record_id for r in said.refetch) == message.records
    )
    assert said.ignored == message.ignored
    assert said.changes or said.refetch or said.erase_requests or said.ignored


@every_message
def test_each_change_is_whole_names_its_platform_and_has_an_id_of_its_own(case: Case, message: Message):
    changes = case.connector.translate(case.platform, message.headers, message.body).changes

    assert {change.platform for change in changes} <= {case.platform}
    assert all(change.change_id and change.record_id for change in changes)
    assert len({change.change_id for change in changes}) == len(changes)
    assert all(msgspec.msgpack.decode(msgspec.msgpack.encode(change), type=Change) == change for change in changes)


@every_message
def test_the_platform_is_the_one_that_the_policy_names(case: Case, message: Message):
    said = case.connector.translate("another", message.headers, message.body)

    assert {change.platform for change in said.changes} <= {"another"}


@every_message
def test_the_gateway_keys_a_message_by_the_record_that_it_speaks_of(case: Case, message: Message):
    key = case.connector.record_key(message.headers, message.body)

    named = set(message.records)
    assert key is None or not named or named == {key}
    assert key is not None or len(named) != 1


@webhook_case
def test_a_message_of_a_topic_nobody_knows_is_counted_by_name(case: Case):
    assert case.unknown is not None
    said = case.connector.translate(case.platform, case.unknown.headers, case.unknown.body)

    assert said.changes == ()
    assert said.ignored == case.unknown.ignored
    assert said.ignored


@every_case
@given(body=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_garbage_is_invalid_and_nothing_else(case: Case, body: bytes):
    for headers in headers_of(case):
        only_invalid(lambda: case.connector.translate(case.platform, headers, body))  # noqa: B023
        only_invalid(lambda: case.connector.record_key(headers, body))  # noqa: B023


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@every_case
@given(choose=st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_right_message_with_one_wrong_place_is_read_or_invalid(case: Case, choose: st.DataObject):
    if not case.messages:
        return
    message = choose.draw(st.sampled_from(case.messages))
    broken = mutated(json.loads(message.body), choose)
    body = json.dumps(broken).encode()

    only_invalid(lambda: encodable(case.connector.translate(case.platform, message.headers, body)))
    only_invalid(lambda: case.connector.record_key(message.headers, body))


@every_case
@given(choose=st.data())
@settings(max_examples=100, deadline=None)
def test_a_right_message_with_one_strange_header_is_read_or_invalid(case: Case, choose: st.DataObject):
    if not case.messages:
        return
    message = choose.draw(st.sampled_from(case.messages))
    name = choose.draw(st.sampled_from(sorted(message.headers) or ["x"]))
    # HTTP servers hand on bytes that are no UTF-8 as lone surrogates.
    strange = choose.draw(st.text(st.characters(codec=None), max_size=20) | st.just("\udcff"))
    headers = {**message.headers, name: strange}

    only_invalid(lambda: encodable(case.connector.translate(case.platform, headers, message.body)))
    only_invalid(lambda: case.connector.record_key(headers, message.body))
    only_invalid(lambda: case.connector.verify(headers, message.body, case.settings, NOW))


@every_message
def test_a_message_cut_short_anywhere_is_invalid(case: Case, message: Message):
    step = max(1, len(message.body) // 40)
    for end in range(0, len(message.body.rstrip()), step):
        body = message.body[:end]
        only_invalid(lambda: case.connector.translate(case.platform, message.headers, body))  # noqa: B023


def signed(case: Case, message: Message) -> dict[str, str]:
    assert case.sign is not None
    return dict(case.sign(message.headers, message.body, NOW))


@webhook_case
def test_a_right_signature_passes(case: Case):
    message = case.messages[0]

    case.connector.verify(signed(case, message), message.body, case.settings, NOW)


@webhook_case
def test_one_byte_more_or_less_fails_the_signature(case: Case):
    message = case.messages[0]
    headers = signed(case, message)

    for body in (message.body + b" ", message.body[:-1], b"", message.body.replace(b"a", b"b", 1)):
        with pytest.raises(Invalid, match="bad_signature"):
            case.connector.verify(headers, body, case.settings, NOW)


@webhook_case
def test_a_signature_by_another_secret_fails(case: Case):
    message = case.messages[0]
    secrets = {setting.name for setting in case.connector.settings if setting.secret}
    others = {name: "another" if name in secrets else value for name, value in case.settings.items()}

    with pytest.raises(Invalid, match="bad_signature"):
        case.connector.verify(signed(case, message), message.body, others, NOW)


@webhook_case
def test_without_a_signature_or_with_a_strange_one_nothing_passes(case: Case):
    message = case.messages[0]
    right = signed(case, message)
    added = [name for name in right if right[name] != message.headers.get(name)]

    with pytest.raises(Invalid):
        case.connector.verify(message.headers, message.body, case.settings, NOW)
    for name in added:
        for strange in ("", "é", "=" * 44, "\ud800"):
            with pytest.raises(Invalid):
                case.connector.verify({**right, name: strange}, message.body, case.settings, NOW)


@webhook_case
def test_an_empty_or_missing_secret_verifies_nothing(case: Case):
    message = case.messages[0]
    secrets = {setting.name for setting in case.connector.settings if setting.secret}
    empty = {name: "" if name in secrets else value for name, value in case.settings.items()}
    missing = {name: value for name, value in case.settings.items() if name not in secrets}

    for without in (empty, missing):
        with pytest.raises(Invalid, match="bad_signature"):
            case.connector.verify(signed(case, message), message.body, without, NOW)


@every_case
def test_what_sends_no_webhooks_verifies_none(case: Case):
    if case.sign is None:
        with pytest.raises(Invalid, match="bad_signature"):
            case.connector.verify({}, b"{}", case.settings, NOW)


@every_case
def test_settings_are_named_explained_and_secrets_have_no_default(case: Case):
    declared = case.connector.settings

    assert len({setting.name for setting in declared}) == len(declared)
    assert all(setting.name.isidentifier() and setting.name.isupper() and setting.meaning for setting in declared)
    assert all(not setting.default for setting in declared if setting.secret)
    required = {setting.name for setting in declared if setting.default is None}
    assert required <= {*case.settings, *case.url_settings}


@every_case
def test_the_rate_and_the_quirks_are_usable(case: Case):
    rate, quirks = case.connector.rate, case.connector.quirks

    assert rate.requests_per_s > 0
    assert rate.burst >= 1
    assert rate.batch_max >= 1
    assert set(quirks) <= PATHS
    for quirk in quirks.values():
        assert all(isinstance(value, QUIRKS[name]) for name, value in quirk.items())


def batches(case: Case, commands: Any = None) -> Iterator[Any]:
    wanted = case.commands if commands is None else commands
    size = case.connector.rate.batch_max
    for start in range(0, len(wanted), size):
        yield wanted[start : start + size]


async def deliver_all(case: Case, client: Client, commands: Any = None) -> list[Any]:
    answers = []
    for batch in batches(case, commands):
        given = await client.deliver(batch)
        assert len(given) == len(batch)
        answers += given
    return answers


@every_case
async def test_every_command_becomes_requests_and_is_applied(case: Case):
    platform = Platform(case.success)
    async with running(case, platform) as client:
        answers = await deliver_all(case, client)

    assert [type(answer) for answer in answers] == [Applied] * len(case.commands), answers
    assert platform.requests


@every_case
async def test_a_command_delivered_twice_is_applied_twice_without_complaint(case: Case):
    async with running(case, Platform(case.success)) as client:
        first = await deliver_all(case, client)
        second = await deliver_all(case, client)

    assert [type(answer) for answer in first] == [type(answer) for answer in second]


@every_fault
async def test_the_vendors_own_errors_are_told_apart(case: Case, fault: Fault):
    wanted = case.commands if fault.commands is None else fault.commands
    async with running(case, Platform(fault.answer)) as client:
        answers = await deliver_all(case, client, wanted)

    for answer in answers:
        if fault.refused is not None:
            assert answer == Refused(fault.refused)
        else:
            assert isinstance(answer, Later)
            assert answer.reason == fault.later
            assert answer.after_s == (pytest.approx(fault.after_s) if fault.after_s is not None else None)


ALWAYS: list[tuple[str, Callable[[Request], Reply], str, float | None]] = [
    ("429 with Retry-After", lambda _: Reply(429, b"slow down", {"Retry-After": "7"}), "throttled", 7.0),
    ("503 with nothing", lambda _: Reply(503), "unavailable", None),
    ("502 with a page", lambda _: Reply(502, b"<html>bad gateway"), "http_502", None),
    ("401", lambda _: Reply(401, {"error": "no"}), "unauthorized", None),
]


@every_case
@pytest.mark.parametrize(("name", "answer", "reason", "after_s"), ALWAYS, ids=[row[0] for row in ALWAYS])
async def test_a_platform_that_cannot_now_is_asked_later(
    case: Case, name: str, answer: Callable[[Request], Reply], reason: str, after_s: float | None
):
    async with running(case, Platform(answer)) as client:
        answers = await deliver_all(case, client)

    assert set(answers) == {Later(reason, after_s)}


@every_case
async def test_a_platform_that_hangs_is_asked_later(case: Case):
    async with running(case, Platform(case.success, delay_s=1.0), TOTAL_TIMEOUT_S="0.1") as client:
        answers = await client.deliver(case.commands[:1])

    assert list(answers) == [Later("timeout")]


@every_case
async def test_a_connection_that_breaks_is_asked_later(case: Case):
    async with running(case, Platform(case.success, drop=True)) as client:
        answers = await client.deliver(case.commands[:1])

    assert list(answers) == [Later("network")]


@every_case
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"data":',
        b"\xff\xfe",
        b"[" * 50_000,
        b'[{"x":1}]',
        b'{"data":{}}',
        b"7",
    ],
)
@pytest.mark.parametrize("status", [200, 400, 404])
async def test_an_answer_that_cannot_be_read_never_raises_and_never_counts_as_done(
    case: Case, body: bytes, status: int
):
    if status == 200 and body in case.bare_successes:
        return
    async with running(case, Platform(lambda _: Reply(status, body))) as client:
        answers = await deliver_all(case, client)

    assert not [answer for answer in answers if isinstance(answer, Applied)]


@every_case
async def test_an_answer_over_the_limit_is_not_read(case: Case):
    async with running(case, Platform(lambda _: Reply(200, b" " * 50_000)), BODY_MAX_BYTES="1000") as client:
        answers = await client.deliver(case.commands[:1])

    assert list(answers) == [Later("answer_too_large", whole_platform=False)]


@every_case
async def test_a_record_is_read_back_as_a_restatement_or_as_gone(case: Case):
    if case.fetched is None or case.gone is None:
        return
    async with running(case, Platform(case.success)) as client:
        found = await client.fetch(case.fetched)
    async with running(case, Platform(case.gone)) as client:
        lost = await client.fetch(case.fetched)

    assert found is not None
    assert (found.platform, found.record_id, found.op) == (case.platform, case.fetched, "restate")
    assert lost is None


@every_case
async def test_opening_and_closing_twice_changes_nothing(case: Case):
    async with running(case, Platform(case.success)) as client:
        await client.open()
        await client.close()
        await client.close()


def headers_of(case: Case) -> list[Any]:
    distinct = {json.dumps(dict(message.headers), sort_keys=True): message.headers for message in case.messages}
    return [{}, *distinct.values()]


def only_invalid(act: Callable[[], Any]) -> None:
    try:
        act()
    except Invalid as refusal:
        assert refusal.reason.replace("_", "").isalnum()


def encodable(said: Translation) -> None:
    """What a connector says must be storable: no lone surrogates, no numbers out of range."""
    msgspec.msgpack.encode(said)


def mutated(tree: Any, choose: st.DataObject) -> Any:
    """The tree with one place replaced by something else, or taken out."""
    where = choose.draw(st.sampled_from(list(places(tree))))
    if not where:
        return choose.draw(JSON)
    parent = tree
    for step in where[:-1]:
        parent = parent[step]
    if choose.draw(st.booleans()):
        parent[where[-1]] = choose.draw(JSON)
    else:
        del parent[where[-1]]
    return tree


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, child in inner:
        yield from places(child, (*path, step))
