"""What a person is told when no broker answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streams.cli.errors import Sentence

if TYPE_CHECKING:
    from streams.runtime.settings import Settings


@contextmanager
def connecting(settings: Settings) -> Iterator[None]:
    """A broker that does not answer is a sentence that names it."""
    from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it would tell the same at length
    try:
        yield
    except (KafkaConnectionError, KafkaTimeoutError):
        raise Sentence(f"no Kafka broker answers at {settings.bootstrap} (--bootstrap, WRITEBACK_BOOTSTRAP)") from None
