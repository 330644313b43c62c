"""The US Street API: addresses in, verdicts out, up to a hundred at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from streams.connectors.base import Answer, Applied, Later, Refused
from streams.connectors.http import Clock, Http, Limits, Reply, now_ms
from streams.connectors.smarty.judge import Candidate, judged
from streams.connectors.smarty.standard import COVERED, asked
from streams.core import canonical
from streams.model import Address, Change, Command, Millis, Verdict

BASE_URL: Final = "https://us-street.api.smarty.com"
BATCH_MAX: Final = 100
CANDIDATES_MAX: Final = 5
# One command in a batch may be at fault: the batch is halved until it stands alone.
_ABOUT_THE_BATCH: Final = frozenset({400, 413, 422})


class Lookup(msgspec.Struct, frozen=True):
    """One address of one command."""

    command: Command
    attribute: str
    address: Address


class SmartyClient:
    """One account. A verdict carries the time of its answer."""

    def __init__(self, platform: str, settings: Mapping[str, str], clock: Clock = now_ms) -> None:
        self._platform = platform
        self._match = settings.get("MATCH", "strict")
        self._params = {"auth-id": settings["AUTH_ID"], "auth-token": settings["AUTH_TOKEN"]}
        if settings.get("LICENSE"):
            self._params["license"] = settings["LICENSE"]
        self._http = Http(settings.get("BASE_URL", BASE_URL), None, Limits.of(settings), clock)

    async def open(self) -> None:
        """Open the session."""
        await self._http.open()

    async def close(self) -> None:
        """Close the session."""
        await self._http.close()

    async def deliver(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """One answer for each command, in order: its verdicts, or why there are none."""
        questions = [_lookups(command) for command in commands]
        open_questions = [found for found in questions if not isinstance(found, Refused)]
        answers = iter(await self._ask(open_questions) if open_questions else [])
        return [found if isinstance(found, Refused) else next(answers) for found in questions]

    async def fetch(self, record_id: str) -> Change | None:
        """A validator keeps no records."""
        return None

    async def _ask(self, questions: Sequence[Sequence[Lookup]]) -> list[Answer]:
        """The answers to the questions, each the lookups of one command."""
        lookups = [lookup for question in questions for lookup in question]
        if len(lookups) > BATCH_MAX and len(questions) > 1:
            return await self._halved(questions)
        reply = await self._post(lookups)
        if isinstance(reply, Later):
            return [reply] * len(questions)
        if reply.status in _ABOUT_THE_BATCH:
            return await self._halved(questions) if len(questions) > 1 else [Refused(f"http_{reply.status}")]
        if not reply.ok:
            return [Later(f"http_{reply.status}")] * len(questions)
        candidates = reply.read(list[Candidate])
        if isinstance(candidates, Later) or any(not 0 <= one.input_index < len(lookups) for one in candidates):
            return [Later("unreadable_answer", whole_platform=False)] * len(questions)
        return self._answers(questions, candidates, self._http.clock())

    async def _halved(self, questions: Sequence[Sequence[Lookup]]) -> list[Answer]:
        middle = len(questions) // 2
        return [*await self._ask(questions[:middle]), *await self._ask(questions[middle:])]

    async def _post(self, lookups: Sequence[Lookup]) -> Reply | Later:
        body = [
            {**asked(lookup.address), "candidates": CANDIDATES_MAX, "match": self._match, "input_id": str(place)}
            for place, lookup in enumerate(lookups)
        ]
        return await self._http.request("POST", "/street-address", json=body, params=self._params)

    def _answers(
        self, questions: Sequence[Sequence[Lookup]], candidates: Sequence[Candidate], at: Millis
    ) -> list[Answer]:
        by_lookup: dict[int, list[Candidate]] = {}
        for candidate in candidates:
            by_lookup.setdefault(candidate.input_index, []).append(candidate)
        answers: list[Answer] = []
        first = 0
        for question in questions:
            found = [by_lookup.get(first + place, []) for place in range(len(question))]
            answers.append(self._verdicts(question, found, at))
            first += len(question)
        return answers

    def _verdicts(self, question: Sequence[Lookup], found: Sequence[Sequence[Candidate]], at: Millis) -> Applied:
        verdicts, grades = [], []
        for lookup, candidates in zip(question, found, strict=True):
            judgement = judged(lookup.address, candidates)
            grades.append(judgement.grade.name)
            verdicts.append(
                Verdict(
                    record=lookup.command.record_id or "",
                    attribute=lookup.attribute,
                    input=lookup.address,
                    confidence=judgement.grade.confidence,
                    deliverable=judgement.grade.deliverable,
                    standardized=judgement.standardized,
                    at=at,
                )
            )
        change = Change(
            change_id=f"smarty:{question[0].command.command_id}",
            platform=self._platform,
            record_id=question[0].command.command_id,
            observed_at=at,
            actor="system",
            verdicts=tuple(verdicts),
        )
        return Applied(changes=(change,), detail=",".join(grades))


def _lookups(command: Command) -> Refused | list[Lookup]:
    """What a command asks; only `validate` asks anything, of a named record, about addresses that are covered here."""
    if command.op != "validate":
        return Refused("op_not_supported")
    if not command.record_id:
        return Refused("no_record")
    lookups = []
    for attribute, wanted in sorted(command.attributes.items()):
        if not isinstance(wanted.value, Address) or not wanted.value.line1.strip():
            return Refused("not_an_address")
        if canonical.country(wanted.value.country) not in COVERED:
            return Refused("country_not_covered")
        lookups.append(Lookup(command, attribute, wanted.value))
    return lookups if 0 < len(lookups) <= BATCH_MAX else Refused("not_an_address")
