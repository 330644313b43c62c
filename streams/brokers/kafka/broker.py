"""Apache Kafka in KRaft mode: one node that is broker and controller, on loopback, in a directory of its own."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from streams.brokers.broker import Availability, Broker, BrokerFailed
from streams.brokers.kafka import jars
from streams.brokers.probe import free_port
from streams.brokers.profile import APACHE_KAFKA, Profile

QUICK_START: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""JVM options for tests: up in half the time, at a lower peak speed."""

_FORMAT_TIMEOUT_S = 60.0

# One node, no replicas, small internal topics, a group that starts at once, a cleaner that cleans soon.
_SERVER: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,CLIENTS:PLAINTEXT",
    "inter.broker.listener.name": "CLIENTS",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "log.cleaner.backoff.ms": "1000",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "controlled.shutdown.enable": "false",
}


class ApacheKafka(Broker):
    """The release pinned in `pom.xml`, started with plain `java`; the first start ever resolves it with Maven.

    `heap_mb` bounds the JVM's heap; `jvm_options` are handed to it as they are.
    """

    kind: ClassVar[str] = "kafka"
    profile: ClassVar[Profile] = APACHE_KAFKA
    start_timeout_s: ClassVar[float] = 60.0
    stop_timeout_s: ClassVar[float] = 10.0

    def __init__(self, *, port: int = 0, heap_mb: int = 512, jvm_options: Sequence[str] = QUICK_START) -> None:
        super().__init__(port=port)
        self._jvm = [f"-Xmx{heap_mb}m", *jvm_options, "-Dlog4j2.level=WARN"]

    @classmethod
    def available(cls) -> Availability:
        """False without Java 17, or without Maven while the cache is empty."""
        return Availability(not (lacks := jars.missing()), lacks)

    @classmethod
    def version(cls) -> str:
        """The pinned release."""
        return jars.version()

    def _prepare(self, directory: Path, port: int, cluster: str) -> tuple[Sequence[str], str]:
        config = directory / "server.properties"
        settings = {**_SERVER, **_addresses(port, free_port()), "log.dirs": str(directory / "logs")}
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        java = [str(jars.java()), *self._jvm, "-cp", self._class_path()]
        _format(java, config, cluster)
        return [*java, "kafka.Kafka", str(config)], cluster

    def _class_path(self) -> str:
        try:
            return jars.class_path()
        except jars.ResolveFailed as error:
            raise BrokerFailed(f"{self.kind}: {error}") from error


def _addresses(clients: int, controller: int) -> dict[str, str]:
    return {
        "listeners": f"CLIENTS://127.0.0.1:{clients},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"CLIENTS://127.0.0.1:{clients}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
    }


def _format(java: Sequence[str], config: Path, cluster: str) -> None:
    """Give the empty log directory its cluster id; Kafka refuses to start on an unformatted one."""
    argv = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]
    run = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_FORMAT_TIMEOUT_S)  # noqa: S603
    if run.returncode != 0:
        raise BrokerFailed(f"format: {run.stderr[-2000:]}")
