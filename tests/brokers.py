"""Pytest plugin: one broker of each kind for the whole session, and tests that run on both.

A kind that this machine cannot run skips its tests with the reason; with WRITEBACK_REQUIRE_ALL=1 it fails them.
"""

import os
import uuid
from collections.abc import Iterator

import pytest

from streams.brokers import ApacheKafka, Broker, Embedded


def unique(prefix: str) -> str:
    """A topic, group or application name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[Broker]:
    """The embedded broker, shared by the session: use `unique` names."""
    yield from _running(Embedded())


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[Broker]:
    """A real Apache Kafka, shared by the session: use `unique` names."""
    yield from _running(ApacheKafka())


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("embedded_broker", id="embedded", marks=pytest.mark.embedded),
        pytest.param("kafka_broker", id="kafka", marks=pytest.mark.kafka),
    ],
)
def broker(request: pytest.FixtureRequest) -> Broker:
    """Runs the test once on each kind of broker."""
    return request.getfixturevalue(request.param)


def _running(broker: Broker) -> Iterator[Broker]:
    require(broker)
    with broker:
        yield broker


def require(broker: Broker) -> None:
    """Skip, or under WRITEBACK_REQUIRE_ALL=1 fail, the test whose broker cannot run here."""
    available = broker.available()
    if not available:
        refuse = pytest.fail if os.environ.get("WRITEBACK_REQUIRE_ALL") == "1" else pytest.skip
        refuse(f"{broker.kind}: {available.reason}")
