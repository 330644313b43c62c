"""A story told to the pipeline in a few words: records of the customer C1 that say things at seconds after T0."""

from __future__ import annotations

from typing import Any

from streams.core.canonical import SEP
from streams.core.rules import Policy
from streams.core.state import Claim, Record, Slot
from streams.replay.pipeline import Output
from tests.property.vocabulary import CUSTOMER, Json, World, change, policy, receipt, stamp, steward, tick

P0 = policy()
HOME: Json = {
    "line1": "233 S Wacker Dr",
    "line2": "",
    "city": "Chicago",
    "region": "IL",
    "postal_code": "60606",
    "country": "US",
}
WORK: Json = {**HOME, "line1": "875 N Michigan Ave", "postal_code": "60611"}
ANN, LEE, SMS = "ann@example.com", "lee@example.com", "+14155550190"
EXPLICIT: Json = {"explicit": True, "method": "checkbox", "evidence": {"form": "f1"}}


class Story(World):
    """A world whose change ids count themselves; `ingested` is the Kafka timestamp, one second after by default."""

    def __init__(self, *records: str, rules: Policy = P0, acknowledge: bool = True) -> None:
        super().__init__(rules, acknowledge)
        self.count = 0
        for record in records:
            self.hear(record, -2000)

    def hear(self, record: str, at: float | None, ingested: float | None = None, **said: Any) -> Output:
        """One change with any fields of the contract."""
        self.count += 1
        change_id = said.pop("change_id", f"E{self.count}")
        moment = ingested if ingested is not None else at + 1 if at is not None else 0
        return self.take(change(record, at, moment, change_id, **said))

    def say(self, record: str, at: float | None, ingested: float | None = None, **values: Any) -> Output:
        """One event with values; an address may be given with its confidence as a pair."""
        return self.hear(record, at, ingested, attributes={name: statement(one) for name, one in values.items()})

    def export(self, record: str, at: float, ingested: float | None = None, **values: Any) -> Output:
        """One snapshot with values."""
        return self.hear(
            record, at, ingested, kind="snapshot", attributes={name: statement(one) for name, one in values.items()}
        )

    def consents(
        self, record: str, at: float, decision: str, point: str = ANN, /, ingested: float | None = None, **more: Any
    ) -> Output:
        """One event with one consent; `at=...` in `more` overrides its own time, `kind` the change's."""
        kind = more.pop("kind", "event")
        return self.hear(record, at, ingested, kind=kind, consents=[consent(at, decision, point, **more)])

    def judge(self, record: str, at: float, judged: Json, confidence: float, **more: Any) -> Output:
        """A validator's verdict on a shipping address of a record."""
        verdict = {
            "record": record,
            "attribute": "shipping_address",
            "input": judged,
            "confidence": confidence,
            "at": stamp(at),
            **more,
        }
        return self.hear("validator:v1", at, verdicts=[verdict])

    def ask(self, at: float, action: str, **asked: Any) -> Output:
        """A steward's request."""
        self.count += 1
        return self.take(steward(at, asked.pop("request_id", f"S{self.count}"), action=action, **asked))

    def answer(self, output: Output, outcome: str, at: float, place: int = 0) -> Output:
        """A receipt for one command of an output."""
        return self.take(receipt(output.commands[place], outcome, at))

    def answer_last(self, outcome: str, at: float) -> Output:
        """A receipt for the last command of all."""
        return self.take(receipt(self.commands[-1], outcome, at))

    def wait(self, at: float) -> Output:
        """The clock reaches `at`."""
        return self.take(tick(at))

    def record(self, name: str) -> Record:
        """A record of the state."""
        return self.state().records[name]

    def slot(self, name: str, attribute: str) -> Slot:
        """What is known of one attribute of a record."""
        return self.record(name).slots[attribute]

    def claim(self, name: str, attribute: str) -> Claim:
        """A record's newest claim."""
        newest = self.slot(name, attribute).newest
        assert newest is not None
        return newest

    def shadow(self, name: str, attribute: str) -> Any:
        """What a platform is known to hold; `unknown` where nothing is known."""
        return self.view()["shadows"].get(name, {}).get(attribute, "unknown")

    def detail(self, attribute: str) -> Json:
        """The golden view of an attribute."""
        shown: Json = self.view()["attributes"][attribute]
        return shown

    def held_consent(self, name: str, point: str = ANN, channel: str = "email") -> str | None:
        """The consent that a platform is known to hold for a contact point."""
        slot = self.record(name).consents.get(SEP.join((point, channel, "marketing")))
        shadow = slot.shadow() if slot is not None else None
        return shadow.seen if shadow is not None else None


def statement(said: Any) -> Json:
    """A value, or (value, confidence), or a statement as it is."""
    if isinstance(said, tuple):
        return {"value": said[0], "confidence": said[1]}
    if isinstance(said, dict) and {"value", "clear", "retract"} & set(said):
        return said
    return {"value": said}


def consent(at: float, decision: str, point: str = ANN, /, **more: Any) -> Json:
    """A consent of the contract; the channel follows from the contact point."""
    said: Json = {
        "contact_point": point,
        "channel": "sms" if point.startswith("+") else "email",
        "purpose": "marketing",
        "decision": decision,
        "at": stamp(at),
    }
    for name, value in more.items():
        said[name] = stamp(value) if name in ("at", "expires_at") and value is not None else value
    return said


def kinds(output: Output) -> list[str]:
    """The kinds of an output's notes."""
    return [note.kind for note in output.notes]


def orders(output: Output) -> list[tuple[str, str, str]]:
    """The consent decisions that were told: record, contact point, decision."""
    return [
        (f"{one.platform}:{one.record_id}", order.contact_point, order.decision)
        for one in output.commands
        for order in one.consents
    ]


def updates(output: Output) -> dict[str, Json]:
    """What each record was told of its attributes, `None` for a clear; a validation under its platform's name."""
    told: dict[str, Json] = {}
    for one in output.commands:
        if one.attributes:
            name = f"{one.platform}:{one.record_id}" if one.op == "update" else one.op
            told[name] = {key: getattr(given.value, "line1", given.value) for key, given in one.attributes.items()}
    return told


__all__ = ["CUSTOMER", "Story", "consent", "kinds", "orders", "policy", "stamp", "statement", "updates"]
