"""The REST client: profile writes, consent jobs and their confirmation, reads.

A consent job is answered with 202 and nothing: the profile is read afterwards, a bounded number of times, and the
command is `Applied` only once the profile shows the decision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from streams.connectors.base import Answer, Applied, Later, Refused
from streams.connectors.batches import in_waves, stop_of
from streams.connectors.http import Clock, Http, Limits, Reply, now_ms
from streams.connectors.klaviyo.answers import NOT_FOUND, UNREADABLE, code_of, refusal, whole
from streams.connectors.klaviyo.asked import Asked, read_asked
from streams.connectors.klaviyo.consents import PERSON, evidence_of
from streams.connectors.klaviyo.events import act_change
from streams.connectors.klaviyo.orders import (
    Plan,
    erase_body,
    import_body,
    patch_body,
    plan_of,
    subscribe_body,
    unsubscribe_body,
)
from streams.connectors.klaviyo.profiles import contact_point, held_act, marketing, profile_change
from streams.connectors.klaviyo.shapes import identity, inner
from streams.connectors.settings import number
from streams.model import Change, Command, ConsentOrder, Invalid, Retry

BATCH_MAX = 100  # profiles of one unsubscribe job
JSON_API = "application/vnd.api+json"
_UNSUBSCRIBE = "/api/profile-subscription-bulk-delete-jobs/"
_SUBSCRIBE = "/api/profile-subscription-bulk-create-jobs/"
_SUBSCRIPTIONS = {"additional-fields[profile]": "subscriptions"}


class _Told(NamedTuple):
    """One consent to tell, of the command at `place`."""

    place: int
    record_id: str
    order: ConsentOrder


class KlaviyoClient:
    """One account."""

    def __init__(self, platform: str, settings: Mapping[str, str], trust_email: bool, clock: Clock = now_ms) -> None:
        self.platform = platform
        self._trust_email = trust_email
        self._list_id = settings.get("LIST_ID", "")
        self._tries_max = int(number(settings, "CONFIRM_TRIES_MAX", "6"))
        self._wait_s = number(settings, "CONFIRM_WAIT_MS", "100") / 1000
        sent = {
            "Authorization": f"Klaviyo-API-Key {settings['API_KEY']}",
            "revision": settings.get("REVISION", "2026-07-15"),
            "Accept": JSON_API,
        }
        self._http = Http(settings["BASE_URL"], sent, Limits.of(settings), clock)

    async def open(self) -> None:
        """Open the session."""
        await self._http.open()

    async def close(self) -> None:
        """Close the session."""
        await self._http.close()

    async def deliver(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """One answer for each command, in order: creations, then opt-outs in one job, opt-ins, values, erasures."""
        return await in_waves(commands, self._wave)

    async def fetch(self, record_id: str) -> Change | None:
        """The profile as it stands, or the consent act that `record_id` asks for (asked.py); None where it is gone.

        Raises Retry where it cannot be read now, Invalid("fetch_refused") where it never can.
        """
        asked = read_asked(record_id)
        profile = await self._profile(asked.profile_id)
        if isinstance(profile, Later):
            raise Retry(profile.reason, profile.after_s)
        if isinstance(profile, Refused):
            if profile.detail == NOT_FOUND:
                return self._asked_act(asked, {})
            raise Invalid("fetch_refused", profile.detail)
        act = self._asked_act(asked, profile)
        if act is not None:
            return act
        change_id = f"{asked.profile_id}:read:{self._http.clock()}"
        named = {**profile, "id": asked.profile_id}
        return profile_change(self.platform, named, change_id, "snapshot", "restate", self._trust_email)

    def _asked_act(self, asked: Asked, profile: Mapping[str, Any]) -> Change | None:
        """The act of an event that named no contact point. Where there is none any more the opt-out is the person's."""
        if asked.act is None:
            return None
        otherwise = PERSON if asked.act.decision == "opt_out" else None
        reached = contact_point(profile, asked.act.channel) or otherwise
        if reached is None:
            return None
        evidence = evidence_of({}, event=asked.event_id)
        return act_change(self.platform, asked.profile_id, asked.event_id, asked.act, reached, evidence)

    async def _wave(self, commands: Mapping[int, Command]) -> dict[int, Answer]:
        """One wave: no record twice. Nothing is sent any more once the platform said "later"."""
        plans = {place: plan_of(command) for place, command in commands.items() if command.op in ("update", "create")}
        parts: dict[int, list[Answer]] = {place: [] for place in commands}
        made = await self._create(commands, plans, parts)
        told = [
            _Told(place, record_id, order)
            for place, plan in plans.items()
            if (record_id := made.get(place) or commands[place].record_id)
            for order in plan.consents
        ]
        await self._unsubscribe([one for one in told if one.order.decision == "opt_out"], parts)
        for one in told:
            if one.order.decision == "opt_in":
                parts[one.place].append(_stopped(parts) or await self._subscribe(one))
        for place, command in commands.items():
            parts[place] += await self._tell(command, plans.get(place), _stopped(parts))
        return {place: whole(done, plans[place].unsaid if place in plans else ()) for place, done in parts.items()}

    async def _create(
        self, commands: Mapping[int, Command], plans: Mapping[int, Plan], parts: dict[int, list[Answer]]
    ) -> dict[int, str]:
        """Import the new profiles; returns their ids by place."""
        made: dict[int, str] = {}
        for place, plan in plans.items():
            if commands[place].op != "create":
                continue
            answer = _stopped(parts) or await self._import(commands[place], plan.attributes)
            parts[place].append(answer)
            if isinstance(answer, Applied) and answer.record_id:
                made[place] = answer.record_id
        return made

    async def _import(self, command: Command, attributes: Mapping[str, Any]) -> Answer:
        """Without an e-mail or a phone there is nothing to find the profile by again: no upsert, so no import."""
        if not (attributes.get("email") or attributes.get("phone_number")):
            return Refused("no_contact_point")
        reply = await self._post("/api/profile-import", import_body(command, attributes))
        if isinstance(reply, Later):
            return reply
        return _profile_answer(reply, None)

    async def _tell(self, command: Command, plan: Plan | None, stopped: Later | None) -> list[Answer]:
        """The values of an update, or an erasure; nothing for a command that has neither."""
        if command.op not in ("update", "create", "erase"):
            return [Refused("unsupported_op")]
        if command.op != "create" and command.record_id is None:
            return [Refused("no_record_id")]
        if command.op == "create" or (plan is not None and not plan.attributes):
            return []
        if stopped is not None:
            return [stopped]
        named = command.record_id or ""
        return [await (self._erase(named) if plan is None else self._patch(named, plan.attributes))]

    async def _patch(self, record_id: str, attributes: Mapping[str, Any]) -> Answer:
        reply = await self._send("PATCH", _profile_path(record_id), patch_body(record_id, attributes))
        if isinstance(reply, Later):
            return reply
        return _profile_answer(reply, record_id)

    async def _erase(self, record_id: str) -> Answer:
        """A data-privacy deletion; a profile that is gone is done. Klaviyo deletes within its own time."""
        reply = await self._post("/api/data-privacy-deletion-jobs", erase_body(record_id))
        if isinstance(reply, Later):
            return reply
        if reply.status == 202:
            return Applied(detail="accepted")
        if reply.status == 404 and code_of(reply) == NOT_FOUND:
            return Applied()
        return UNREADABLE if reply.ok else refusal(reply)

    async def _unsubscribe(self, told: Sequence[_Told], parts: dict[int, list[Answer]]) -> None:
        """Opt-outs in jobs of at most BATCH_MAX, each confirmed by its profile."""
        for start in range(0, len(told), BATCH_MAX):
            group = told[start : start + BATCH_MAX]
            answers = await self._unsubscribe_job(group, _stopped(parts))
            accepted = [one for one, answer in zip(group, answers, strict=True) if answer is None]
            for one, answer in zip(group, answers, strict=True):
                if answer is not None:
                    parts[one.place].append(answer)
            for one, confirmed in zip(accepted, await self._confirm(accepted), strict=True):
                parts[one.place].append(confirmed)

    async def _unsubscribe_job(self, group: Sequence[_Told], stopped: Later | None) -> list[Answer | None]:
        """None for what was accepted. A refused job is tried in halves: one profile cannot refuse the others."""
        if stopped is not None:
            return [stopped] * len(group)
        points = {(one.order.channel, one.order.contact_point): one.order for one in group}
        answer = await self._job(_UNSUBSCRIBE, unsubscribe_body(points.values()))
        if not isinstance(answer, Refused) or len(group) == 1:
            return [answer] * len(group)
        half = len(group) // 2
        left = await self._unsubscribe_job(group[:half], None)
        return left + await self._unsubscribe_job(group[half:], stop_of([one for one in left if one is not None]))

    async def _subscribe(self, one: _Told) -> Answer:
        """Subscribe what the profile holds; a job for another address would make another profile."""
        profile = await self._profile(one.record_id)
        if isinstance(profile, Later | Refused):
            return profile
        if not _holds(profile, one.order):
            return Refused("contact_point_not_held")
        if _shows(profile, one.order):
            return Applied()
        if _left_since(profile, one.order):
            return Refused("later_opt_out")
        body = subscribe_body(one.order, one.record_id, self._http.clock(), self._list_id)
        answer = await self._job(_SUBSCRIBE, body)
        return answer if answer is not None else (await self._confirm([one]))[0]

    async def _job(self, path: str, body: dict[str, Any]) -> Answer | None:
        """None where the job was accepted."""
        reply = await self._post(path, body)
        if isinstance(reply, Later):
            return reply
        if reply.status == 202:
            return None
        return UNREADABLE if reply.ok else refusal(reply)

    async def _confirm(self, told: Sequence[_Told]) -> list[Answer]:
        """Read the profiles until they show it, waiting twice as long each time."""
        answers: dict[int, Answer] = {}
        for turn in range(self._tries_max):
            waiting = [place for place in range(len(told)) if place not in answers]
            if not waiting or stop_of(answers.values()) is not None:
                break
            if turn:
                await asyncio.sleep(self._wait_s * 2 ** (turn - 1))
            found = await asyncio.gather(*(self._shown(told[place]) for place in waiting))
            answers |= {place: answer for place, answer in zip(waiting, found, strict=True) if answer is not None}
        otherwise = stop_of(answers.values()) or Later("unconfirmed", whole_platform=False)
        return [answers.get(place, otherwise) for place in range(len(told))]

    async def _shown(self, one: _Told) -> Answer | None:
        """None while the profile does not show it yet. An address that it no longer holds cannot be read back."""
        profile = await self._profile(one.record_id)
        if isinstance(profile, Refused) and profile.detail == NOT_FOUND:
            return Applied(detail="accepted_profile_gone")
        if isinstance(profile, Later | Refused):
            return profile
        if not _holds(profile, one.order):
            return Applied(detail="accepted_former_address")
        return Applied() if _shows(profile, one.order) else None

    async def _profile(self, record_id: str) -> Mapping[str, Any] | Refused | Later:
        reply = await self._http.request("GET", _profile_path(record_id), params=_SUBSCRIPTIONS)
        if isinstance(reply, Later):
            return reply
        if not reply.ok:
            return refusal(reply)
        body = reply.object()
        profile = inner(body if not isinstance(body, Later) else None, "data")
        return profile if profile.get("type") == "profile" and identity(profile.get("id")) else UNREADABLE

    async def _post(self, path: str, body: dict[str, Any]) -> Reply | Later:
        return await self._send("POST", path, body)

    async def _send(self, method: str, path: str, body: dict[str, Any]) -> Reply | Later:
        return await self._http.request(method, path, json=body, headers={"Content-Type": JSON_API})


def _profile_path(record_id: str) -> str:
    return f"/api/profiles/{quote(record_id, safe='')}"


def _stopped(parts: Mapping[int, Sequence[Answer]]) -> Later | None:
    return stop_of(answer for done in parts.values() for answer in done)


def _profile_answer(reply: Reply, record_id: str | None) -> Answer:
    """A written profile is answered with the profile; a create learns its id from it."""
    if not reply.ok:
        return refusal(reply)
    body = reply.object()
    named = identity(inner(body, "data").get("id")) if not isinstance(body, Later) else None
    if named is None:
        return UNREADABLE
    return Applied(record_id=named if record_id is None else None)


def _holds(profile: Mapping[str, Any], order: ConsentOrder) -> bool:
    held = contact_point(profile, order.channel)
    return held is not None and held.strip().lower() == order.contact_point.strip().lower()


def _left_since(profile: Mapping[str, Any], order: ConsentOrder) -> bool:
    """True where the person opted out there after the ordered decision, which waited: a subscription would undo that.

    What a program wrote does not count: our own opt-outs are dated with their delivery.
    """
    act = held_act(marketing(profile, order.channel), order.channel, None)
    if act is None or act.decision != "opt_out" or not act.explicit:
        return False
    return act.at is not None and act.at > order.decided_at


def _shows(profile: Mapping[str, Any], order: ConsentOrder) -> bool:
    """True where the profile's standing decision is the ordered one; one that cannot be mailed is opted out."""
    held = marketing(profile, order.channel)
    act = held_act(held, order.channel, None)
    if order.decision == "opt_out" and held.get(f"can_receive_{order.channel}_marketing") is False:
        return True
    return act is not None and act.decision == order.decision
