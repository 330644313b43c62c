"""The main stories on a real Apache Kafka."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streams.brokers import Broker
from streams.demo.stack import Stack
from streams.demo.stories import CHECKOUT, GARBAGE, OPT_OUT, Story
from tests.integration.live.stacks import running, seen

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack(kafka_broker: Broker) -> Iterator[Stack]:
    with running(kafka_broker) as started:
        yield started


@pytest.mark.parametrize("story", [CHECKOUT, OPT_OUT, GARBAGE], ids=lambda one: one.title)
async def test_the_story_ends_as_it_is_told_on_apache_kafka(stack: Stack, story: Story) -> None:
    async with seen(stack) as world:
        told = await story.play(world)

    assert {row.platform for row in told.rows} >= {"crm", "esp"}
