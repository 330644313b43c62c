"""Every process of the product and the simulated platforms, for tests; one stack serves a module."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec

from streams.brokers import Broker, Embedded
from streams.demo.settings import DemoSettings
from streams.demo.stack import Stack
from streams.demo.stories.story import PEOPLE
from streams.demo.world import World
from streams.sandbox import Person
from tests.brokers import require

SETTINGS = DemoSettings(story_timeout_s=30)


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without any setting of the product."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WRITEBACK_")} | more


@contextmanager
def running(
    broker: Broker | None = None, people: tuple[Person, ...] = PEOPLE, environment: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """A stack with people, at rest; on the given broker, which stays up, or on an embedded one of its own."""
    if broker is None:
        require(Embedded())
    stack = Stack(SETTINGS, broker, environment=clean_environment(**(environment or {})))
    try:
        asyncio.run(_start(stack, people))
        yield stack
        stack.check()
        assert stack.stop() == {}
    finally:
        stack.stop()
        stack.clean()


@asynccontextmanager
async def seen(stack: Stack, **limits: Any) -> AsyncIterator[World]:
    """The world of a stack, with some of its limits changed."""
    async with World(stack, msgspec.structs.replace(SETTINGS, **limits)) as world:
        yield world


async def _start(stack: Stack, people: tuple[Person, ...]) -> None:
    await stack.start()
    async with seen(stack) as world:
        await world.populate(people)
