"""The engine process: intake, identity, engine and contact points on one Faust app."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

from streams.core.rules import Policy
from streams.lane import BatchTable, Emit, LaneApp, TopicSpec, ensure_topics, lane_agent, make_app, run
from streams.policy import load_policy
from streams.runtime import topics
from streams.runtime.binder import Binder
from streams.runtime.chapters import HistoryTable
from streams.runtime.chapters import derive as derive_aged
from streams.runtime.codecs import public_codec, register_schemas
from streams.runtime.contacts import Contacts
from streams.runtime.decider import Deciders, engine_of
from streams.runtime.engine import derive
from streams.runtime.erasing import erasure_key
from streams.runtime.historian import Historian
from streams.runtime.intake import Intake
from streams.runtime.letters import Letters
from streams.runtime.logs import begin_logs
from streams.runtime.reviews import Reviews
from streams.runtime.reviews import derive as derive_cases
from streams.runtime.security import client_auth, credentials
from streams.runtime.settings import Settings
from streams.runtime.tombstones import Living
from streams.runtime.tuning import tune
from streams.runtime.vendors import translators

log = logging.getLogger(__name__)

APP_ID = "writeback-engine"


class EngineApp(NamedTuple):
    """The app and what the views read."""

    app: LaneApp
    policy: Policy
    customers: BatchTable
    identity: BatchTable
    contacts: BatchTable
    history: BatchTable
    reviews: BatchTable
    deciders: Deciders | None = None

    @property
    def tables(self) -> list[BatchTable]:
        """Every table of the engine."""
        return [self.customers, self.identity, self.contacts, self.history, self.reviews]


def build_engine(settings: Settings, policy: Policy, erasure_key: bytes = b"") -> EngineApp:
    """Wire topics, tables and agents; nothing is started. It cannot run without `erasure_key`."""
    app = make_app(settings.lane(APP_ID), credentials(settings))
    codec = public_codec(settings)
    letters = Letters(APP_ID, settings)
    count = settings.partitions
    customers = BatchTable(app, "customers", count, derive=derive)
    identity = BatchTable(app, "identity", count)
    contacts = BatchTable(app, "contacts", count)
    history = HistoryTable(app, "history", count, derive=derive_aged)
    limit = settings.record_max_bytes
    raw = [topics.raw(platform) for platform in policy.platforms]
    intake = Intake(policy, translators(policy, os.environ), codec, letters, limit)
    lane_agent(app, raw, count, None, intake, "intake")
    binder = Binder(policy, codec, letters, count, erasure_key)
    lane_agent(app, [topics.CHANGES, topics.IDENTITY], count, identity, Living(binder), "identity")
    inputs = [topics.CUSTOMER_CHANGES, topics.RECEIPTS, topics.STEWARD, topics.TICKS]
    engine = engine_of(settings, policy, letters, erasure_key)
    deciders = Deciders(engine, settings) if settings.deciders else None
    lane_agent(app, inputs, count, customers, deciders or engine, "engine")
    lane_agent(app, [topics.CONTACTS], count, contacts, Living(Contacts(codec, letters)), "contacts")
    historian = Historian(policy.history, letters, limit)
    lane_agent(app, [topics.HISTORY], count, history, historian, "history")
    reviews = BatchTable(app, "reviews", count, derive=derive_cases)
    queue = Reviews(letters, settings.reviews_max, settings.outcomes_max)
    lane_agent(app, [topics.NOTES, topics.REVIEWS], count, reviews, queue, "reviews")
    built = EngineApp(app, policy, customers, identity, contacts, history, reviews, deciders)
    _tick(built, settings)
    return built


def _tick(built: EngineApp, settings: Settings) -> None:
    """Each worker tells the partitions that it holds what time it is; the core has no clock of its own."""

    @built.app.timer(settings.tick_s)
    async def tick() -> None:
        try:
            at = time.time_ns() // 1_000_000
            mine = [one for one in built.customers.held if built.app.lane.owns_partition(topics.TICKS, one)]
            await built.app.lane.outbox.send([Emit(topics.TICKS, None, b"{}", one, at) for one in mine], 0)
        except Exception as error:
            # A timer that raises ends the worker; a missed tick only fires timers later.
            log.warning("A tick was not sent: %s", type(error).__name__)


def engine_specs(settings: Settings, policy: Policy) -> list[TopicSpec]:
    """All topics that the engine needs, changelogs included."""
    register_schemas(public_codec(settings), policy)
    built = build_engine(settings, policy)
    return _specs(settings, built)


def _specs(settings: Settings, built: EngineApp) -> list[TopicSpec]:
    keeping = settings.keeping
    shared = topics.topic_specs(built.policy, settings.partitions, settings.replication, keeping)
    return [*shared, *(topics.changelog(one.spec, keeping) for one in built.tables)]


def run_engine(settings: Settings) -> NoReturn:
    """Run one engine worker until it is told to stop."""
    from streams.web.views import add_views

    begin_logs(settings.log_level)
    Path(settings.datadir).mkdir(parents=True, exist_ok=True)
    policy = load_policy(settings.policy_path)
    key = erasure_key(os.environ)
    register_schemas(public_codec(settings), policy)
    built = build_engine(settings, policy, key)
    asyncio.run(ensure_topics(settings.bootstrap, _specs(settings, built), client_auth(settings)))
    add_views(built, settings)
    tune()
    if built.deciders is not None:
        built.deciders.start()
    run(built.app, settings.log_level)
