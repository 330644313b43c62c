"""`writeback demo` and `writeback dev`."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from streams.brokers import BrokerFailed
from streams.demo.settings import BadSetting, DemoSettings, read_demo_settings
from streams.demo.show import Show
from streams.demo.stack import Died, Stack
from streams.demo.stories import STORIES
from streams.demo.stories.story import PEOPLE
from streams.demo.world import NotConverged, World

INTERRUPTED = 130


def run_demo(settings: DemoSettings | None = None) -> int:
    """Play the stories; 0 where every platform converged, 1 with a sentence that names the one that did not."""
    show = Show()
    with _told(show) as outcome:
        chosen = settings or read_demo_settings(os.environ)
        stack = Stack(chosen, tell=show.process)
        with _running(stack, show, outcome):
            asyncio.run(_play(stack, chosen, show))
    return outcome.code


def run_dev(settings: DemoSettings | None = None) -> int:
    """Keep the stack up, with a trickle of edits, until Ctrl-C, which is its good end."""
    show = Show()
    with _told(show) as outcome:
        chosen = settings or read_demo_settings(os.environ)
        stack = Stack(chosen, fixed_ports=True, trickle_s=chosen.trickle_s, tell=show.process)
        with _running(stack, show, outcome), suppress(KeyboardInterrupt):
            asyncio.run(_keep(stack, chosen, show))
    return outcome.code


class _Outcome:
    code = 0


@contextmanager
def _told(show: Show) -> Iterator[_Outcome]:
    """Errors that are no bugs become one sentence and a code."""
    outcome = _Outcome()
    try:
        yield outcome
    except (NotConverged, Died, BrokerFailed, BadSetting) as error:
        show.say(f"✗ {error}", "bold red")
        outcome.code = 1
    except KeyboardInterrupt:
        outcome.code = INTERRUPTED


@contextmanager
def _running(stack: Stack, show: Show, outcome: _Outcome) -> Iterator[None]:
    """Stop everything in the end, whatever happened; a process that does not end well makes the outcome 1."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    good = False
    try:
        yield
        good = True
    finally:
        failed = stack.stop()
        signal.signal(signal.SIGTERM, before)
        for name, code in failed.items() if good else ():
            show.say(f"✗ {name} ended with {code}", "bold red")
            outcome.code = 1
        if good and not failed:
            stack.clean()
        else:
            show.say(f"logs: {stack.workdir}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


async def _play(stack: Stack, settings: DemoSettings, show: Show) -> None:
    started = time.monotonic()
    with show.busy("starting broker, sandbox, engine, sinks and gateway"):
        await stack.start()
    async with World(stack, settings) as world:
        with show.busy(f"{len(PEOPLE)} people sign up at every platform") as world.progress:
            await world.populate(PEOPLE)
        for number, story in enumerate(STORIES, 1):
            show.story(number, story)
            with show.busy("watching the platforms") as world.progress:
                told = await story.play(world)
            show.told(told)
    stack.check()
    show.say(f"\n✓ {len(STORIES)} stories converged in {time.monotonic() - started:.0f} s", "bold green")


async def _keep(stack: Stack, settings: DemoSettings, show: Show) -> None:
    with show.busy("starting broker, sandbox, engine, sinks and gateway"):
        await stack.start()
    for line in _addresses(stack):
        show.say(line)
    while True:
        stack.check()
        await asyncio.sleep(0.5)


def _addresses(stack: Stack) -> list[str]:
    engine, admin = stack.urls["engine"], stack.sandbox["admin"]
    return [
        "",
        f"views    {engine}/customers/by/email/ann@example.com   {engine}/consents/ann@example.com",
        f"metrics  {engine}/metrics   {stack.urls['sinks']}/metrics   {stack.urls['gateway']}/metrics",
        f"people   {admin}/admin/people/ann   {admin}/admin/edits",
        f"gateway  {stack.urls['gateway']}/webhooks/<platform>",
        f"logs     {stack.workdir}",
        "",
        "for other commands:",
        f"  export WRITEBACK_BOOTSTRAP={stack.broker.bootstrap} WRITEBACK_PROFILE=embedded WRITEBACK_URL={engine}",
        "Ctrl-C stops everything.",
    ]
