"""R14: nothing older than what a record was told last, and nothing twice."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery import Fence, fence_keys
from streams.delivery.fence import DONE_MAX, KEYS_MAX, Done, Passes, Superseded
from streams.model import Assignment, Command
from tests.unit.delivery.fakes import NOW, MemoryRows, command, consent

PHONE = {"phone": Assignment("+15125550142")}
NAME = {"first_name": Assignment("Kim")}


@pytest.fixture
def rows() -> MemoryRows:
    return MemoryRows()


@pytest.fixture
def fence(rows: MemoryRows) -> Fence:
    return Fence(rows)


def apply(fence: Fence, command: Command, record_id: str | None = None) -> None:
    judged = fence.judge(command)
    assert isinstance(judged, Passes)
    fence.applied(judged.command, NOW, record_id)


def test_an_older_version_of_an_attribute_is_superseded_and_a_newer_or_equal_one_passes(fence: Fence) -> None:
    apply(fence, command("a", version=5))

    assert isinstance(fence.judge(command("b", version=4)), Superseded)
    assert isinstance(fence.judge(command("c", version=5)), Passes)
    assert isinstance(fence.judge(command("d", version=6)), Passes)


def test_the_fence_of_one_attribute_or_record_does_not_stop_another(fence: Fence) -> None:
    apply(fence, command("a", version=5))

    assert isinstance(fence.judge(command("b", version=4, attributes=NAME)), Passes)
    assert isinstance(fence.judge(command("c", record="2", version=4)), Passes)
    assert isinstance(fence.judge(consent("d", version=4)), Passes)


def test_only_the_stale_keys_of_a_command_are_left_out(fence: Fence) -> None:
    apply(fence, command("a", version=5))
    judged = fence.judge(command("b", version=4, attributes={**PHONE, **NAME}))

    assert isinstance(judged, Passes)
    assert (dict(judged.command.attributes), judged.left_out) == (NAME, ("phone",))


def test_a_consent_is_fenced_by_contact_point_channel_and_purpose(fence: Fence) -> None:
    apply(fence, consent("a", version=5))

    assert isinstance(fence.judge(consent("b", version=4)), Superseded)
    assert isinstance(fence.judge(consent("c", version=4, point="lee@example.com")), Passes)


def test_an_applied_command_is_answered_again_with_its_own_time(fence: Fence) -> None:
    apply(fence, command("a", version=5))
    apply(fence, command("b", version=6))

    assert fence.judge(command("a", version=5)) == Done("a", NOW, None)


def test_a_created_record_is_fenced_under_its_own_name_and_not_created_again(fence: Fence) -> None:
    create = command("a", record=None, version=5, op="create")
    apply(fence, create, record_id="77")

    assert fence.judge(create) == Done("a", NOW, "77")
    assert isinstance(fence.judge(command("b", record="77", version=4)), Superseded)


def test_a_creation_that_was_overtaken_is_superseded_whole_also_where_it_says_more(fence: Fence) -> None:
    apply(fence, command("b", record=None, version=5, op="create"), record_id="77")

    stale = command("a", record=None, version=3, op="create", attributes={**PHONE, **NAME})
    assert isinstance(fence.judge(stale), Superseded)
    assert isinstance(fence.judge(command("c", record=None, version=6, op="create")), Passes)


def test_after_an_erasure_its_customer_is_not_created_by_anything_older(fence: Fence) -> None:
    apply(fence, command("e", version=5, op="erase", attributes={}))

    assert isinstance(fence.judge(command("a", record=None, version=3, op="create")), Superseded)


def test_after_an_erasure_nothing_older_reaches_the_record(fence: Fence) -> None:
    apply(fence, command("a", version=3))
    apply(fence, command("e", version=5, op="erase", attributes={}))

    assert isinstance(fence.judge(command("b", version=4, attributes=NAME)), Superseded)
    assert isinstance(fence.judge(consent("c", version=4)), Superseded)
    assert isinstance(fence.judge(command("d", version=6)), Passes)


def test_a_validation_has_no_fence_but_is_not_asked_twice(fence: Fence) -> None:
    apply(fence, command("v", record="crm:1", version=5, op="validate"))

    assert isinstance(fence.judge(command("w", record="crm:1", version=1, op="validate")), Passes)
    assert isinstance(fence.judge(command("v", record="crm:1", version=5, op="validate")), Done)


def test_the_rows_hold_no_contact_point(fence: Fence, rows: MemoryRows) -> None:
    apply(fence, consent("a"))

    assert b"kim" not in b"".join(rows.values())


def test_the_rows_to_read_are_named_once(fence: Fence, rows: MemoryRows) -> None:
    commands = [command("a"), consent("b"), command("c", record=None, op="create")]

    assert fence_keys(commands) == [b"crm:1", b"crm:+C1"]
    apply(fence, commands[2], "9")
    assert sorted(rows) == [b"crm:+C1", b"crm:9"]


def test_a_row_stays_within_its_bounds_and_forgets_the_oldest(fence: Fence, rows: MemoryRows) -> None:
    for number in range(KEYS_MAX + 50):
        apply(fence, command(f"k{number}", version=number + 1, attributes={f"a{number}": Assignment("x")}))
    versions, done = msgspec.msgpack.decode(rows[b"crm:1"][1:])

    assert (len(versions), len(done)) == (KEYS_MAX, DONE_MAX)
    assert (min(versions.values()), done[-1][0]) == (51, f"k{KEYS_MAX + 49}")


def test_a_row_that_we_cannot_read_is_a_bug(rows: MemoryRows) -> None:
    rows[b"crm:1"] = b"\x09"

    with pytest.raises(ValueError, match="unknown version"):
        Fence(rows).judge(command("a"))


@given(st.lists(st.tuples(st.integers(1, 6), st.sets(st.sampled_from("abc"), min_size=1)), max_size=30))
def test_whatever_the_order_each_key_ends_at_the_highest_version_that_was_sent(
    sent: list[tuple[int, set[str]]],
) -> None:
    fence, told = Fence(MemoryRows()), {}
    for number, (version, keys) in enumerate(sent):
        attributes = {key: Assignment(str(version)) for key in sorted(keys)}
        judged = fence.judge(command(f"k{number}", version=version, attributes=attributes))
        if isinstance(judged, Passes):
            told.update({key: int(str(value.value)) for key, value in judged.command.attributes.items()})
            fence.applied(judged.command, NOW, None)

    assert told == {key: max(v for v, keys in sent if key in keys) for key in set().union(*(keys for _, keys in sent))}
