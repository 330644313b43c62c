"""A sink's run over a batch of commands, against a platform that answers as it is told."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.base import Answer, Applied, Later, Rate, Refused
from streams.delivery import Delivered, DeliverySettings
from streams.model import Assignment, Change, Command
from tests.unit.delivery.fakes import NOW, QUICK, MemoryRows, Platform, command, consent, delivery

DOWN = Later("http_503")
LOCKED = Later("locked", whole_platform=False)


def outcomes(delivered: Delivered) -> list[str | None]:
    return [receipt.outcome if receipt else None for receipt in delivered.receipts]


def settings(**more: Any) -> DeliverySettings:
    return msgspec.structs.replace(QUICK, **more)


async def test_every_command_gets_a_receipt_that_names_it() -> None:
    delivered = await delivery(Platform()).run([command("a", version=4), command("b", record="2")], MemoryRows())

    assert (outcomes(delivered), delivered.done, delivered.complete) == (["applied", "applied"], 2, True)
    first = delivered.receipts[0]
    assert (first.command_id, first.customer_id, first.platform, first.record_id) == ("a", "C1", "crm", "1")
    assert (first.golden_version, first.at, first.detail) == (4, NOW, None)


async def test_no_commands_are_no_work() -> None:
    assert await delivery(Platform()).run([], MemoryRows()) == Delivered((), 0)


async def test_consent_goes_first_and_the_order_of_a_record_is_kept() -> None:
    platform = Platform()
    await delivery(platform, settings(in_flight_max=1)).run(
        [command("a1"), command("a2", version=2), consent("c2", "2"), consent("c1"), command("a3", version=3)],
        MemoryRows(),
    )

    assert platform.told == ["c2", "c1", "a1", "a2", "a3"]


async def test_batches_are_as_large_as_the_platform_takes_and_hold_each_record_once() -> None:
    platform = Platform()
    commands = [command(f"k{n}", record=str(n % 5), version=n + 1) for n in range(10)]
    await delivery(platform, rate=Rate(1e6, 100, batch_max=3)).run(commands, MemoryRows())

    assert [len(call) for call in platform.calls] == [3, 2, 3, 2]
    assert all(len({int(name[1:]) % 5 for name in call}) == len(call) for call in platform.calls)


async def test_records_go_side_by_side_within_the_limit() -> None:
    platform = Platform()
    platform.pause_s = 0.005
    commands = [command(f"k{n}", record=str(n)) for n in range(12)]
    await delivery(platform, settings(in_flight_max=3)).run(commands, MemoryRows())

    assert platform.at_once_max == 3


async def test_a_refusal_is_final_and_says_why() -> None:
    platform = Platform(a=[Refused("INVALID_FIELD")])
    delivered = await delivery(platform).run([command("a"), command("b", version=2)], MemoryRows())

    assert outcomes(delivered) == ["refused", "applied"]
    assert delivered.receipts[0].detail == "INVALID_FIELD"


@pytest.mark.parametrize("answer", [Refused("INVALID_FIELD"), LOCKED])
async def test_an_opt_out_that_could_not_be_told_still_stops_an_older_opt_in_from_the_dead_letters(
    answer: Answer,
) -> None:
    platform, rows = Platform(b=[answer] * 9), MemoryRows()
    opt_in = consent("a", version=4)
    opt_in = msgspec.structs.replace(
        opt_in, consents=(msgspec.structs.replace(opt_in.consents[0], decision="opt_in", explicit=True),)
    )
    sink = delivery(platform, settings(tries_max=2))
    await sink.run([consent("b", version=5)], rows)

    assert outcomes(await sink.run([opt_in], rows)) == ["superseded"]
    platform.script.clear()
    assert outcomes(await sink.run([consent("b", version=5)], rows)) == ["applied"]
    assert platform.told == ["b"]


async def test_a_created_records_id_is_in_the_receipt() -> None:
    platform = Platform(a=[Applied("77")])
    delivered = await delivery(platform).run([command("a", record=None, op="create")], MemoryRows())

    assert delivered.receipts[0].record_id == "77"


async def test_statements_that_come_with_an_answer_are_handed_on() -> None:
    verdict = Change("v-1", "validator", "crm:1")
    platform = Platform(a=[Applied(changes=(verdict,))])
    delivered = await delivery(platform).run([command("a", record="crm:1", op="validate")], MemoryRows())

    assert delivered.changes == (verdict,)


async def test_a_command_that_fails_by_itself_is_tried_again_while_others_go_on() -> None:
    platform = Platform(a=[LOCKED, LOCKED])
    sink, rows = delivery(platform), MemoryRows()
    commands = [command("a"), command("b", record="2")]
    first = await sink.run(commands, rows)

    assert (outcomes(first), first.done, sink.put_off) == ([None, "applied"], 0, 1)
    second = await sink.run(commands, rows)
    assert (outcomes(second), platform.told, sink.put_off) == (["applied", "applied"], ["b", "a"], 0)


async def test_a_command_whose_tries_are_used_up_fails_and_those_behind_it_go_on() -> None:
    platform = Platform(a=[LOCKED] * 9)
    delivered = await delivery(platform, settings(tries_max=3)).run(
        [command("a"), command("b", version=2)], MemoryRows()
    )

    assert outcomes(delivered) == ["failed", "applied"]
    assert [(f.position, f.reason, f.detail) for f in delivered.failures] == [(0, "retries_used_up", "locked")]
    assert len([call for call in platform.calls if call == ["a"]]) == 3


async def test_a_command_that_takes_too_long_in_all_fails_though_it_has_tries_left() -> None:
    platform = Platform(a=[LOCKED] * 99)
    delivered = await delivery(platform, settings(tries_max=99, retry_total_max_s=0.0)).run(
        [command("a")], MemoryRows()
    )

    assert outcomes(delivered) == ["failed"]
    assert len(platform.calls) < 4


async def test_what_a_platform_asks_for_is_waited_for() -> None:
    platform = Platform(a=[Later("locked", 0.08, whole_platform=False)])
    started = time.monotonic()
    await delivery(platform).run([command("a")], MemoryRows())

    assert time.monotonic() - started >= 0.08


async def test_a_platform_that_is_down_uses_up_no_tries() -> None:
    platform = Platform(a=[DOWN] * 12)
    sink = delivery(platform, settings(tries_max=2))
    delivered = await sink.run([command("a")], MemoryRows())

    assert (outcomes(delivered), len(platform.calls), sink.circuit.state) == (["applied"], 13, "closed")


async def test_a_platform_that_is_down_is_asked_by_one_call_at_a_time() -> None:
    commands = [command(f"k{n}", record=str(n)) for n in range(20)]
    platform = Platform(**{f"k{n}": [DOWN] for n in range(20)})
    sink = delivery(platform, settings(in_flight_max=2, pause_base_s=0.02, pause_cap_s=0.02))
    delivered = await sink.run(commands, MemoryRows())

    assert platform.at_once_max == 2
    assert [len(call) for call in platform.calls[:3]] == [1, 1, 1]
    assert outcomes(delivered).count("failed") == 0


async def test_commands_wait_for_a_paused_platform_and_one_platform_does_not_pause_another() -> None:
    paused = delivery(Platform(a=[Later("http_429", 30.0)]))
    waiting = asyncio.create_task(paused.run([command("a")], MemoryRows()))
    delivered = await delivery(Platform()).run([command("a")], MemoryRows())
    await asyncio.sleep(0.01)

    assert (outcomes(delivered), waiting.done(), paused.circuit.state) == (["applied"], False, "open")
    waiting.cancel()


async def test_a_run_that_finished_something_does_not_hold_its_receipts_back_while_the_platform_is_paused() -> None:
    platform = Platform(b=[Later("http_429", 30.0)])
    delivered = await delivery(platform, settings(in_flight_max=1)).run([command("a"), command("b", "2")], MemoryRows())

    assert (outcomes(delivered), delivered.done) == (["applied", None], 1)
    assert 29.0 < delivered.retry_after_s < 31.0


async def test_what_waits_for_a_dead_platform_is_given_up_in_the_end() -> None:
    platform = Platform(a=[DOWN] * 99)
    delivered = await delivery(platform, settings(give_up_after_s=0.01)).run([command("a")], MemoryRows())

    assert outcomes(delivered) == ["failed"]
    assert delivered.failures[0].reason == "gave_up"


async def test_a_command_that_brings_a_healthy_platform_down_each_time_is_found_out() -> None:
    commands = [command("bad"), *(command(f"k{n}", record=f"r{n}") for n in range(30))]
    platform = Platform(bad=[DOWN] * 99)
    sink, rows = delivery(platform, settings(in_flight_max=1, suspicions_max=3)), MemoryRows()
    delivered = await sink.run(commands, rows)
    for round_ in range(20):
        more = [commands[0], *(command(f"m{round_}-{n}", record=f"s{n}", version=round_ + 1) for n in range(5))]
        if delivered.receipts[0] is not None:
            break
        delivered = await sink.run(more, rows)

    assert outcomes(delivered)[0] == "failed"
    assert delivered.failures[0].reason == "retries_used_up"


async def test_what_is_final_behind_a_command_that_waits_is_not_tried_again_with_the_rest() -> None:
    later = Later("locked", 0.1, whole_platform=False)
    platform = Platform(a=[later], b=[Refused("BAD")], c=[LOCKED] * 3)
    sink, rows = delivery(platform, settings(tries_max=3)), MemoryRows()
    commands = [command("a"), command("b", "2"), command("c", "3")]
    first = await sink.run(commands, rows)
    while outcomes(first)[2] is None:
        first = await sink.run(commands, rows)
    calls = len(platform.calls)
    second = await sink.run(commands, rows)

    assert (outcomes(first), outcomes(second)) == ([None, "refused", "failed"], ["applied", "refused", "failed"])
    assert (second.receipts[1:], second.failures) == (first.receipts[1:], first.failures)
    assert platform.calls[calls:] == [["a"]]


async def test_a_failed_command_that_comes_anew_is_tried_anew() -> None:
    platform = Platform(a=[LOCKED])
    sink, rows = delivery(platform, settings(tries_max=1)), MemoryRows()

    assert outcomes(await sink.run([command("a")], rows)) == ["failed"]
    assert outcomes(await sink.run([command("a")], rows)) == ["applied"]


async def test_the_same_commands_again_are_answered_without_a_call() -> None:
    platform, rows = Platform(), MemoryRows()
    commands = [command("a"), consent("c"), command("n", record=None, op="create")]
    first = await delivery(platform).run(commands, rows)
    again = await delivery(platform).run([*commands, *commands], rows)

    assert again.receipts == (*first.receipts, *first.receipts)
    assert len(platform.told) == 3


async def test_a_stale_command_is_superseded_without_a_call_and_one_that_is_stale_in_part_says_so() -> None:
    platform, rows = Platform(), MemoryRows()
    await delivery(platform).run([command("a", version=5)], rows)
    both = {"phone": Assignment("+15125550199"), "first_name": Assignment("Kim")}
    delivered = await delivery(platform).run(
        [command("old", version=4), command("half", version=4, attributes=both)], rows
    )

    assert outcomes(delivered) == ["superseded", "applied"]
    assert delivered.receipts[1].detail == "superseded: phone"
    assert list(platform.received[-1].attributes) == ["first_name"]


async def test_a_run_returns_its_receipts_in_time_and_the_rest_later() -> None:
    platform, rows = Platform(), MemoryRows()
    platform.pause_s = 0.02
    commands = [command(f"k{n}", record=str(n)) for n in range(40)]
    sink = delivery(platform, settings(in_flight_max=2, run_max_s=0.05))
    delivered = await sink.run(commands, rows)

    assert 0 < delivered.done < 40
    assert (delivered.retry_after_s, outcomes(await sink.run(commands, rows))[: delivered.done]) == (
        0.0,
        ["applied"] * delivered.done,
    )


async def test_told_to_stop_a_run_returns_soon_with_what_is_finished() -> None:
    stop, platform = asyncio.Event(), Platform()
    platform.pause_s = 0.01
    sink = delivery(platform, settings(in_flight_max=2), stop=stop)
    running = asyncio.create_task(sink.run([command(f"k{n}", record=str(n)) for n in range(500)], MemoryRows()))
    await asyncio.sleep(0.05)
    stop.set()
    delivered = await asyncio.wait_for(running, 1.0)

    assert 0 < delivered.done == outcomes(delivered).count("applied") < 500


async def test_told_to_stop_a_call_that_hangs_is_left_after_the_grace() -> None:
    stop, platform = asyncio.Event(), Platform()
    platform.pause_s = 60.0
    sink = delivery(platform, stop=stop)
    running = asyncio.create_task(sink.run([command("a")], MemoryRows()))
    await asyncio.sleep(0.01)
    stop.set()

    assert outcomes(await asyncio.wait_for(running, 1.0)) == [None]
    assert (platform.at_once, sink.in_flight) == (0, 0)


async def test_told_to_stop_nobody_waits_for_a_pause_or_a_rate() -> None:
    stop = asyncio.Event()
    slow = delivery(Platform(), rate=Rate(0.01, 1), stop=stop)
    paused = delivery(Platform(a=[Later("http_429", 60.0)]), stop=stop)
    runs = [
        asyncio.create_task(slow.run([command("a"), command("b", "2")], MemoryRows())),
        asyncio.create_task(paused.run([command("a")], MemoryRows())),
    ]
    await asyncio.sleep(0.02)
    stop.set()
    first, second = await asyncio.wait_for(asyncio.gather(*runs), 1.0)

    assert (outcomes(first), outcomes(second)) == (["applied", None], [None])


async def test_a_cancelled_run_leaves_no_call_behind_and_the_platform_can_be_tried_by_another() -> None:
    platform = Platform(a=[DOWN])
    sink = delivery(platform)
    platform.before = lambda: setattr(platform, "pause_s", 60.0) if len(platform.calls) > 1 else None
    running = asyncio.create_task(sink.run([command("a")], MemoryRows()))
    while len(platform.calls) < 2:
        await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    platform.before, platform.pause_s = None, 0.0

    assert platform.at_once == 0
    assert outcomes(await asyncio.wait_for(sink.run([command("a")], MemoryRows()), 1.0)) == ["applied"]


async def test_a_call_without_an_end_counts_as_a_platform_that_is_down() -> None:
    platform = Platform()
    platform.pause_s = 60.0
    platform.before = lambda: setattr(platform, "pause_s", 0.0) if len(platform.calls) > 1 else None
    delivered = await delivery(platform, settings(call_timeout_s=0.01)).run([command("a")], MemoryRows())

    assert (outcomes(delivered), len(platform.calls)) == (["applied"], 2)


async def test_a_bug_in_a_client_is_not_hidden() -> None:
    platform = Platform()
    platform.before = lambda: 1 / 0

    with pytest.raises(ZeroDivisionError):
        await delivery(platform).run([command("a")], MemoryRows())


async def test_the_rate_is_kept() -> None:
    platform = Platform()
    started = time.monotonic()
    await delivery(platform, rate=Rate(100.0, 2)).run([command(f"k{n}", record=str(n)) for n in range(7)], MemoryRows())

    assert time.monotonic() - started >= 0.05


def laters() -> st.SearchStrategy[list[Answer]]:
    return st.lists(st.sampled_from([DOWN, LOCKED, Later("http_429", 0.001)]), max_size=2)


@given(
    st.lists(st.tuples(st.sampled_from("xyz"), st.booleans()), max_size=12),
    st.lists(laters(), min_size=12, max_size=12),
    st.integers(1, 3),
)
def test_whatever_is_put_off_everything_is_applied_once_in_the_order_of_its_record(
    sent: list[tuple[str, bool]], put_off: list[list[Answer]], batch_max: int
) -> None:
    commands: list[Command] = [
        (consent if is_consent else command)(f"k{n}", record, n + 1) for n, (record, is_consent) in enumerate(sent)
    ]
    platform = Platform(**{f"k{n}": list(answers) for n, answers in enumerate(put_off)})
    sink, rows = delivery(platform, settings(tries_max=99), Rate(1e6, 100, batch_max)), MemoryRows()

    async def all_of_them() -> None:
        left = commands
        while left:
            left = left[(await sink.run(left, rows)).done :]

    asyncio.run(all_of_them())
    assert sorted(platform.told) == sorted(each.command_id for each in commands)
    told: dict[object, list[int]] = defaultdict(list)
    for each in platform.received:
        told[each.record_id, bool(each.consents)].append(each.golden_version)
    assert all(versions == sorted(versions) for versions in told.values())
