"""Simulated platforms for the demo, for development and for tests. No product code may import this package."""

from streams.sandbox.faults import Faults
from streams.sandbox.outbox import OutboxLimits
from streams.sandbox.people import POPULATION, Person
from streams.sandbox.sandbox import Sandbox, environment_for
from streams.sandbox.simulator import BadEdit, Holding, UnknownRecord
from streams.sandbox.wiring import shared_secrets

__all__ = [
    "Sandbox",
    "Person",
    "POPULATION",
    "Holding",
    "Faults",
    "OutboxLimits",
    "BadEdit",
    "UnknownRecord",
    "environment_for",
    "shared_secrets",
]
