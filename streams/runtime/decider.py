"""The engine's decisions in processes of their own (`WRITEBACK_DECIDERS`): the worker's side, and the process."""

from __future__ import annotations

import os
import sys
from typing import Final

import msgspec

from streams.core.rules import Policy
from streams.lane import Aside, Batch, Done, Processor, Rows, serve
from streams.policy import load_policy
from streams.runtime.codecs import public_codec
from streams.runtime.engine import Engine
from streams.runtime.erasing import Erasing, erasure_key
from streams.runtime.letters import Letters
from streams.runtime.logs import begin_logs
from streams.runtime.metrics import DECIDE_S, add_counts, counted
from streams.runtime.settings import Settings
from streams.runtime.tombstones import Living
from streams.runtime.tuning import tune

_ARGV: Final = [sys.executable, "-m", "streams.runtime.decider"]


def engine_of(settings: Settings, policy: Policy, letters: Letters, key: bytes) -> Living:
    """The engine's processor."""
    count = settings.partitions
    erasing = Erasing(policy, key, count)
    codec = public_codec(settings)
    return Living(Engine(policy, codec, letters, settings.record_max_bytes, settings.due_max, count, erasing))


class Deciders(Aside):
    """The engine, decided aside."""

    def __init__(self, engine: Processor, settings: Settings) -> None:
        super().__init__(engine, _ARGV, msgspec.msgpack.encode(settings), settings.deciders, add_counts)

    async def process(self, batch: Batch, rows: Rows) -> Done:
        """As a processor does; the time includes the way there and back."""
        with DECIDE_S.labels("engine").time():
            return await super().process(batch, rows)


def _make(greeting: bytes) -> Processor:
    settings = msgspec.msgpack.decode(greeting, type=Settings)
    begin_logs(settings.log_level)
    letters = Letters("writeback-engine", settings)
    engine = engine_of(settings, load_policy(settings.policy_path), letters, erasure_key(os.environ))
    tune()
    return engine


if __name__ == "__main__":
    serve(int(sys.argv[1]), _make, counted)
