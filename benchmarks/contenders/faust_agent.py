"""A plain Faust agent: one event at a time, state in a RocksDB table with a changelog, commands with `topic.send`."""

import sys

import faust

from benchmarks.contenders.tally import Tally, contest
from benchmarks.subject import fold


def build() -> faust.App:
    """The app a reader of Faust's guide would write, with raw serializers so that only the core decodes."""
    task, tally = contest(), Tally()
    app = faust.App(
        task.group,
        broker=f"kafka://{task.bootstrap}",
        store="rocksdb://",
        datadir=task.directory,
        web_enabled=False,
        topic_partitions=task.partitions,
        topic_allow_declare=True,
        consumer_auto_offset_reset="earliest",
        key_serializer="raw",
        value_serializer="raw",
    )
    source = app.topic(task.topic, key_serializer="raw", value_serializer="raw", partitions=task.partitions)
    outputs = {name: app.topic(name, key_serializer="raw", value_serializer="raw") for name in task.outputs}
    customers = app.Table("customers", key_type=bytes, value_type=bytes, partitions=task.partitions)

    @app.agent(source)
    async def engine(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            tally.add()
            state, outs = fold(customers.get(event.key), event.value, round(event.message.timestamp * 1000))
            for topic, key, value in outs:
                await outputs[topic].send(key=key, value=value)
            customers[event.key] = state

    return app


if __name__ == "__main__":
    app = build()
    sys.argv = ["faust", "worker", "--loglevel=error", "--without-web"]
    app.main()
