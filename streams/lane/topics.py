"""Topics as they must exist before anything runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streams.lane.errors import Refused

_VISIBLE_TIMEOUT_S = 30.0
_VISIBLE_POLL_S = 0.1
_BROKER_DEFAULT = -1


class TopicSpec(msgspec.Struct, frozen=True):
    """A topic to have; `replication` -1 takes the broker's default."""

    name: str
    partitions: int
    config: Mapping[str, str] = {}
    replication: int = _BROKER_DEFAULT


async def ensure_topics(bootstrap: str, specs: Iterable[TopicSpec], auth: Mapping[str, Any] | None = None) -> list[str]:
    """Create the topics that are missing and wait until they can be used; the names created.

    Raises Refused, listing all of them, when existing topics have another number of partitions: keys would
    change their partition. Configurations of existing topics are left alone.
    """
    wanted = list(specs)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap.split(","), **(auth or {}))
    await admin.start()
    try:
        present = await _partition_counts(admin, [spec.name for spec in wanted])
        _require_equal(wanted, present)
        missing = [spec for spec in wanted if spec.name not in present]
        await _create(admin, missing)
        await _visible(admin, wanted)
        return [spec.name for spec in missing]
    finally:
        await admin.close()


async def require_topics(bootstrap: str, specs: Iterable[TopicSpec], auth: Mapping[str, Any] | None = None) -> None:
    """Raise Refused, listing all of them, for topics that are missing or have another number of partitions."""
    wanted = list(specs)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap.split(","), **(auth or {}))
    await admin.start()
    try:
        present = await _partition_counts(admin, [spec.name for spec in wanted])
    finally:
        await admin.close()
    if missing := [spec.name for spec in wanted if spec.name not in present]:
        raise Refused(f"Topics do not exist: {', '.join(missing)}. Create the topics first, then start again.")
    _require_equal(wanted, present)


async def _partition_counts(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    """Of those that exist. Asked for all topics, since asking for one by name may create it."""
    known = set(await admin.list_topics())
    present = [name for name in names if name in known]
    if not present:
        return {}
    described = await admin.describe_topics(present)
    return {topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}


def _require_equal(wanted: Iterable[TopicSpec], present: Mapping[str, int]) -> None:
    wrong = [
        f"{spec.name} has {present[spec.name]} partitions, not {spec.partitions}"
        for spec in wanted
        if present.get(spec.name, spec.partitions) != spec.partitions
    ]
    if wrong:
        raise Refused(f"Topics do not fit: {'; '.join(wrong)}. Set the partition count to theirs, or use new topics.")


async def _create(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    if not specs:
        return
    response = await admin.create_topics([_new(spec) for spec in specs])
    for name, code, *rest in response.topic_errors:
        error = for_code(code)
        if code != 0 and error is not TopicAlreadyExistsError:
            raise Refused(f"Topic {name} cannot be created: {error.__name__}: {rest[0] if rest else ''}")


def _new(spec: TopicSpec) -> NewTopic:
    topic = NewTopic(spec.name, spec.partitions, 1, topic_configs=dict(spec.config))
    topic.replication_factor = spec.replication  # aiokafka's constructor refuses the broker's default, -1
    return topic


async def _visible(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    """Wait for the metadata to show all of them: creation is not immediate on a cluster."""
    deadline = asyncio.get_running_loop().time() + _VISIBLE_TIMEOUT_S
    while True:
        present = await _partition_counts(admin, [spec.name for spec in specs])
        if all(spec.name in present for spec in specs):
            _require_equal(specs, present)
            return
        if asyncio.get_running_loop().time() > deadline:
            raise KafkaError("created topics do not appear in the metadata")
        await asyncio.sleep(_VISIBLE_POLL_S)
