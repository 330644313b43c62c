"""A person opts in and out at three platforms, our commands are applied there, and both come back as webhooks.

Whoever opted out last is mailed by nobody. Webhooks and commands may be late by days; what a platform says of our own
write looks as the person's act would, except at the CRM, which marks it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.model import Command
from tests.property.vocabulary import Json, World, change, policy, receipt, stamp, tick

ANN = "ann@example.com"
RECORDS = ("storefront:9", "crm:1", "esp:7")
MARKED = "crm:1"
# Longer than the clock skew that is tolerated: what lies closer to our command cannot be told from its echo.
PAUSE_S = 400
EXPLICIT: Json = {"explicit": True, "method": "checkbox", "evidence": {"form": "f1"}}


class Platforms:
    """What each platform holds of the one contact point, its webhooks under way, and its commands to apply."""

    def __init__(self) -> None:
        self.world = World(policy(), acknowledge=False)
        self.held: dict[str, str] = {}
        self.since: dict[str, float] = {}
        self.webhooks: dict[str, deque[tuple[float, Json]]] = {record: deque() for record in RECORDS}
        self.commands: dict[str, deque[Command]] = {record: deque() for record in RECORDS}
        self.applied: set[str] = set()
        self.now = 0.0
        self.count = 0
        self.last: str | None = None
        for record in RECORDS:
            self.say(record, -PAUSE_S, attributes={"email": {"value": ANN}})
            self.settle()

    def hear(self, one: Any) -> None:
        """Feed one input; every platform gets its commands."""
        for command in self.world.take(one).commands:
            self.commands[f"{command.platform}:{command.record_id}"].append(command)

    def say(self, record: str, at: float, **said: Any) -> None:
        """A change of a record reaches the engine now."""
        self.count += 1
        self.now += 0.2
        self.hear(change(record, at, self.now, f"E{self.count}", **said))

    def hold(self, record: str, decision: str, words: Json) -> None:
        """The platform holds another decision from now on, and sends its webhook in its own time."""
        if self.held.get(record) == decision:
            return
        self.held[record], self.since[record] = decision, self.now
        self.webhooks[record].append((self.now, {"consents": [self.consent(decision, self.now)], **words}))

    def consent(self, decision: str, at: float | None) -> Json:
        said = {"contact_point": ANN, "channel": "email", "purpose": "marketing", "decision": decision}
        return said if at is None else {**said, "at": stamp(at)}

    def act(self, record: str, decision: str) -> None:
        """The person decides at a platform that has nothing of ours to apply just then."""
        while self.commands[record]:
            self.apply(record)
        self.now += PAUSE_S
        if self.held.get(record) == decision:
            return
        self.hold(record, decision, {})
        if decision == "opt_in":
            self.webhooks[record][-1][1]["consents"][0].update(EXPLICIT)
        self.last = decision
        self.now += PAUSE_S

    def apply(self, record: str) -> None:
        """The platform takes its oldest command and answers; one that is emitted again changes nothing there."""
        if not self.commands[record]:
            return
        command = self.commands[record].popleft()
        self.now += 0.3
        if command.command_id not in self.applied:
            self.applied.add(command.command_id)
            for order in command.consents:
                self.hold(record, order.decision, {"origin": "writeback"} if record == MARKED else {})
            self.hear(receipt(command, "applied", self.now))

    def deliver(self, record: str) -> None:
        """The platform's oldest webhook arrives."""
        if self.webhooks[record]:
            at, said = self.webhooks[record].popleft()
            self.say(record, at, **said)

    def export(self, record: str) -> None:
        """A nightly export; the CRM's does not say when somebody opted in."""
        if record in self.held:
            decision = self.held[record]
            at = None if (record, decision) == (MARKED, "opt_in") else self.since[record]
            self.say(record, self.now, kind="snapshot", consents=[self.consent(decision, at)])

    def settle(self) -> None:
        """Everything under way arrives, and nothing is due any more."""
        while any(self.webhooks.values()) or any(self.commands.values()):
            for record in RECORDS:
                self.deliver(record)
                self.apply(record)
            self.now += PAUSE_S
            self.hear(tick(self.now))


@given(st.data())
def test_whoever_opted_out_last_is_mailed_by_nobody_however_late_the_webhooks_and_the_commands_are(
    data: st.DataObject,
) -> None:
    platforms = Platforms()
    moves: list[Callable[[str], None]] = [
        lambda record: platforms.act(record, "opt_in"),
        lambda record: platforms.act(record, "opt_out"),
        platforms.deliver,
        platforms.apply,
        platforms.export,
    ]
    for _ in range(data.draw(st.integers(2, 12))):
        platforms.now += data.draw(st.sampled_from((PAUSE_S, 4_000, 90_000)))
        data.draw(st.sampled_from(moves))(data.draw(st.sampled_from(RECORDS)))

    platforms.settle()

    if platforms.last == "opt_out":
        assert not platforms.world.consent(ANN)["sendable"]
        assert "opt_in" not in platforms.held.values()
