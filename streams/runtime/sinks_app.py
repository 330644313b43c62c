"""The sinks process: one agent a platform, each with its own fence, rate, circuit and retries."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from streams.connectors import connector
from streams.core.rules import Policy
from streams.delivery import Delivery
from streams.lane import BatchTable, LaneApp, TopicSpec, ensure_topics, lane_agent, make_app, run
from streams.policy import load_policy
from streams.runtime import topics
from streams.runtime.codecs import public_codec
from streams.runtime.letters import Letters
from streams.runtime.logs import begin_logs
from streams.runtime.security import client_auth, credentials
from streams.runtime.settings import Settings
from streams.runtime.sinks import Refetcher, Sink
from streams.runtime.tombstones import Living
from streams.runtime.vendors import all_connector_settings

APP_ID = "writeback-sinks"


class SinksApp(NamedTuple):
    """The app and its fences by platform."""

    app: LaneApp
    fences: dict[str, BatchTable]


def build_sinks(settings: Settings, policy: Policy, platforms: Sequence[str] = ()) -> SinksApp:
    """Wire an agent for each platform (all that are told anything, unless named); nothing is started."""
    chosen = list(platforms) or topics.delivered_platforms(policy)
    vendor_settings = all_connector_settings(policy, chosen, os.environ)
    app_id = f"{APP_ID}-{'-'.join(sorted(platforms))}" if platforms else APP_ID
    app = make_app(settings.lane(app_id), credentials(settings))
    codec = public_codec(settings)
    letters = Letters(APP_ID, settings)
    deliveries: list[Delivery] = []
    fences: dict[str, BatchTable] = {}
    stop = asyncio.Event()
    for platform in chosen:
        vendor = connector(policy.platforms[platform].connector)
        client = vendor.client(platform, vendor_settings[platform])
        delivery = Delivery(client, vendor.rate, stop=stop)
        deliveries.append(delivery)
        fences[platform] = BatchTable(app, f"fence-{platform}", settings.partitions)
        sink = Sink(platform, delivery, codec, letters)
        name = f"sink-{platform}"
        lane_agent(app, [topics.commands(platform)], settings.partitions, fences[platform], Living(sink), name)
        if not topics.is_validator(policy, platform):
            refetcher = Refetcher(platform, client, codec, letters)
            lane_agent(app, [topics.refetch(platform)], settings.partitions, None, refetcher, f"refetch-{platform}")
    _open_and_close(app, deliveries, stop)
    return SinksApp(app, fences)


def _open_and_close(app: LaneApp, deliveries: list[Delivery], stop: asyncio.Event) -> None:
    @app.task
    async def open_clients() -> None:
        for delivery in deliveries:
            await delivery.open()

    @app.on_before_shutdown.connect
    async def close_clients(*_: object, **__: object) -> None:
        stop.set()


def sinks_specs(settings: Settings, policy: Policy, built: SinksApp) -> list[TopicSpec]:
    """All topics that the sinks need, changelogs included."""
    keeping = settings.keeping
    shared = topics.topic_specs(policy, settings.partitions, settings.replication, keeping)
    return [*shared, *(topics.changelog(fence.spec, keeping) for fence in built.fences.values())]


def run_sinks(settings: Settings, platforms: Sequence[str] = ()) -> NoReturn:
    """Run one sinks worker until it is told to stop."""
    from streams.web.pages import add_health

    begin_logs(settings.log_level)
    Path(settings.datadir).mkdir(parents=True, exist_ok=True)
    policy = load_policy(settings.policy_path)
    built = build_sinks(settings, policy, platforms)
    asyncio.run(ensure_topics(settings.bootstrap, sinks_specs(settings, policy, built), client_auth(settings)))
    add_health(built.app, list(built.fences.values()))
    run(built.app, settings.log_level)
