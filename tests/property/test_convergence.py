"""However commands, receipts and events overtake each other: when all is quiet, every platform holds what is golden."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.model import Command
from streams.replay.pipeline import Output
from tests.property.platforms import Platform
from tests.property.vocabulary import Input, World, change, policy, receipt, tick

RECORDS = ("storefront:9", "crm:1", "esp:7")
VALUES = {
    "phone": ("+14155550101", "+14155550102", "+14155550103"),
    "first_name": ("Ann", "Bea", "Cleo"),
    "email": ("ann@example.com", "bea@example.com"),
}
LAPS_MAX = 60


@dataclass
class Site:
    """One platform with what is under way to and from it, and its sink's fence: the last version by attribute."""

    platform: Platform
    commands: deque[Command] = field(default_factory=deque)
    events: deque[Input] = field(default_factory=deque)
    fence: dict[str, int] = field(default_factory=dict)


class Net:
    """Platforms, sinks and topics between which everything takes its time. Each record's events keep their order."""

    def __init__(self, style: str) -> None:
        self.world = World(policy({"ping_pong_limit": 100}), acknowledge=False)
        self.sites = {record: Site(Platform(record, style)) for record in RECORDS}
        self.receipts: deque[Input] = deque()
        self.now = 0.0
        for record in RECORDS:
            self.hear(self.world.take(change(record, -1000, -999, f"{record} enters")))

    def hear(self, output: Output) -> None:
        for command in output.commands:
            if command.op == "update":
                self.sites[f"{command.platform}:{command.record_id}"].commands.append(command)

    def edit(self, record: str, name: str, value: Any) -> None:
        site = self.sites[record]
        site.events.append(site.platform.edit(self.now, **{name: value}))

    def deliver(self, record: str, place: int) -> None:
        """A sink writes one of the waiting commands, unless a newer one was written before (R14)."""
        site = self.sites[record]
        if not site.commands:
            return
        command = site.commands[place % len(site.commands)]
        del site.commands[place % len(site.commands)]
        if any(command.golden_version < site.fence.get(name, -1) for name in command.attributes):
            self.receipts.append(receipt(command, "superseded", self.now))
            return
        site.fence.update(dict.fromkeys(command.attributes, command.golden_version))
        echo = site.platform.apply(command, self.now)
        if echo is not None:
            site.events.append(echo)
        self.receipts.append(receipt(command, "applied", self.now))

    def lose(self, record: str) -> None:
        """A command is lost on its way; it is emitted again after the interval."""
        site = self.sites[record]
        if site.commands:
            site.commands.popleft()

    def publish(self, record: str) -> None:
        """The oldest event of a record arrives, as late as it is."""
        site = self.sites[record]
        if site.events:
            self.arrive(site.events.popleft())

    def answer(self, place: int) -> None:
        """One of the waiting receipts arrives."""
        if self.receipts:
            self.receipts.rotate(-(place % len(self.receipts)))
            self.arrive(self.receipts.popleft())

    def arrive(self, given: Input) -> None:
        self.hear(self.world.take(given._replace(at=tick(self.now).at)))

    def drain(self) -> bool:
        """Let everything arrive, again and again; True where it came to rest."""
        for _ in range(LAPS_MAX):
            for record, site in self.sites.items():
                while site.commands or site.events:
                    self.now += 1
                    self.publish(record)
                    self.deliver(record, 0)
            while self.receipts:
                self.now += 1
                self.answer(0)
            if not any(site.commands or site.events for site in self.sites.values()):
                self.now += 301
                self.hear(self.world.take(tick(self.now)))
                if not any(site.commands for site in self.sites.values()):
                    return True
        return False


moves = st.one_of(
    st.sampled_from(RECORDS).flatmap(
        lambda record: st.sampled_from(sorted(VALUES)).flatmap(
            lambda name: st.tuples(st.just("edit"), st.just(record), st.just(name), st.sampled_from(VALUES[name]))
        )
    ),
    st.tuples(st.just("deliver"), st.sampled_from(RECORDS), st.integers(0, 3)),
    st.tuples(st.just("publish"), st.sampled_from(RECORDS)),
    st.tuples(st.just("answer"), st.integers(0, 3)),
    st.tuples(st.just("lose"), st.sampled_from(RECORDS)),
)


@given(st.sampled_from(("plain", "marked", "row", "silent")), st.lists(moves, min_size=1, max_size=25), st.data())
def test_when_all_is_quiet_every_platform_holds_what_is_golden(
    style: str, made: list[Any], data: st.DataObject
) -> None:
    net = Net(style)
    for name, *given_arguments in made:
        net.now += data.draw(st.sampled_from((1, 5, 400)))
        getattr(net, name)(*given_arguments)

    assert net.drain()
    golden = net.world.view()["attributes"]
    held = {record: site.platform.held for record, site in net.sites.items()}
    wanted = {name: shown["value"] for name, shown in golden.items() if shown["value"] is not None}
    assert held == dict.fromkeys(RECORDS, wanted)


@given(st.lists(moves, min_size=1, max_size=25))
def test_the_shadow_of_every_platform_is_what_it_holds(made: list[Any]) -> None:
    net = Net("plain")
    for name, *given_arguments in made:
        net.now += 5
        getattr(net, name)(*given_arguments)

    assert net.drain()
    shadows = net.world.view()["shadows"]
    assert {record: shadows.get(record, {}) for record in RECORDS} == {
        record: site.platform.held for record, site in net.sites.items()
    }
