"""I4: what a platform is being told when a record is unlinked is taken back, also where it never said what it holds."""

from __future__ import annotations

import pytest

from streams.model import Command
from streams.replay import Pipeline
from tests.property.vocabulary import policy, stamp, steward, tick

RULES = policy()
PHONE = "+12025550123"


class World:
    """Nothing is acknowledged by itself."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(RULES, acknowledge=False)

    def hear(self, record: str, at: float, **said: object) -> list[Command]:
        platform, _, record_id = record.partition(":")
        change = {"change_id": f"{record} {at}", "platform": platform, "record_id": record_id, "customer_id": "A"}
        fed = self.pipeline.feed("changes", {**change, "observed_at": stamp(at), **said}, tick(at).at)
        return fed.commands

    def answered(self, command: Command, at: float, outcome: str) -> list[Command]:
        receipt = {
            "outcome": outcome,
            "command_id": command.command_id,
            "customer_id": command.customer_id,
            "platform": command.platform,
            "record_id": command.record_id,
            "golden_version": command.golden_version,
            "at": stamp(at),
        }
        return self.pipeline.feed("receipts", receipt, tick(at).at).commands

    def unlink(self, at: float, record: str) -> list[Command]:
        request = steward(at, "u", customer_id="A", action="unlink", record=record)
        return self.pipeline.feed(request.topic, request.value, request.at).commands


@pytest.mark.parametrize("leaving", ["storefront:9", "crm:1"])
@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("said", [{}, {"attributes": {"phone": {"value": None}}}], ids=["never said", "said: none"])
def test_a_foreign_value_that_may_still_arrive_is_cleared(said: dict[str, object], failed: bool, leaving: str) -> None:
    """On either side of the unlink, and where it waits in the dead letters."""
    world = World()
    world.hear("crm:1", 0, **said)
    told = world.hear("storefront:9", 10, attributes={"phone": {"value": PHONE}})
    (command,) = [one for one in told if one.platform == "crm"]
    assert command.attributes["phone"].value == PHONE

    if failed:
        world.answered(command, 15, "failed")
    back = [one for one in world.unlink(20, leaving) if one.platform == "crm"]
    back += [one for one in world.answered(command, 30, "applied") if one.platform == "crm"]

    assert [one.attributes["phone"].value for one in back] == [None]
    assert back[0].golden_version > command.golden_version


@pytest.mark.parametrize("failed", [False, True])
def test_an_opt_out_is_told_behind_an_opt_in_that_still_waits_where_the_platform_says_it_itself(failed: bool) -> None:
    """R12, R14: the platform is down, and unsubscribed the person before the opt-in arrives."""
    world = World()
    mail = "ann@example.com"
    said = {"contact_point": mail, "channel": "email", "purpose": "marketing"}
    act = {"explicit": True, "method": "checkbox", "evidence": {"form": "f1"}}
    world.hear("crm:1", 0, attributes={"email": {"value": mail}})
    told = world.hear("storefront:9", 10, consents=[{**said, **act, "decision": "opt_in", "at": stamp(10)}])
    (waiting,) = [one for one in told if one.platform == "crm" and one.consents]

    if failed:
        world.answered(waiting, 15, "failed")
    told = world.hear("crm:1", 20, consents=[{**said, **act, "decision": "opt_out", "at": stamp(20)}])

    (behind,) = [one for one in told if one.platform == "crm"]
    assert [one.decision for one in (*waiting.consents, *behind.consents)] == ["opt_in", "opt_out"]
    assert behind.golden_version > waiting.golden_version
    if not failed:
        assert [one for one in world.answered(waiting, 30, "superseded") if one.platform == "crm"] == []
    assert [one for one in world.answered(behind, 31, "applied") if one.platform == "crm"] == []
