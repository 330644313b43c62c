"""A Quix Streams application: state in its RocksDB store with a changelog, commands with `to_topic`."""

import logging
from typing import Any

from quixstreams import Application, State
from quixstreams.models import BytesSerializer, SerializationContext, Topic

from benchmarks.contenders.tally import Tally, contest
from benchmarks.subject import Output, fold

# The changelog is written at a checkpoint; the default of 5 s would leave the clock running on an idle program.
COMMIT_INTERVAL_S = 1.0


class _Value(BytesSerializer):
    """Quix hands the whole emitted value to the serializer; ours is (topic, key, bytes)."""

    def __call__(self, value: Output, ctx: SerializationContext) -> bytes:
        return value[2]


def build() -> Application:
    """The app a reader of Quix's guide would write, with bytes throughout so that only the core decodes."""
    task, tally = contest(), Tally()
    app = Application(
        broker_address=task.bootstrap,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        state_dir=task.directory,
        commit_interval=COMMIT_INTERVAL_S,
        loglevel=logging.ERROR,
    )
    outputs = {name: _raw(app, name) for name in task.outputs}

    def decide(change: bytes, key: bytes, timestamp_ms: int, headers: Any, state: State) -> list[Output]:
        tally.add()
        after, outs = fold(state.get_bytes("state"), change, timestamp_ms)
        state.set_bytes("state", after)
        return outs

    stream = app.dataframe(_raw(app, task.topic)).apply(decide, stateful=True, expand=True, metadata=True)
    stream = stream.set_timestamp(lambda out, key, timestamp_ms, headers: timestamp_ms)
    stream.to_topic(lambda out, *context: outputs[out[0]], key=lambda out: out[1])
    return app


def _raw(app: Application, name: str) -> Topic:
    return app.topic(
        name, key_serializer="bytes", key_deserializer="bytes", value_serializer=_Value(), value_deserializer="bytes"
    )


if __name__ == "__main__":
    build().run()
