"""How the commands that look into topics reach the broker."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from streams.cli.errors import Sentence

if TYPE_CHECKING:
    from streams.runtime.settings import Settings


def client_options(settings: Settings) -> dict[str, Any]:
    """The client's keywords for TLS and SASL; empty for a plain connection."""
    found: dict[str, Any] = {}
    if settings.tls:
        found["ssl_context"] = ssl.create_default_context()
    if settings.sasl_mechanism:
        found["sasl_mechanism"] = settings.sasl_mechanism
        found["sasl_plain_username"] = settings.sasl_username
        found["sasl_plain_password"] = settings.sasl_password
    kinds = {(False, False): "", (True, False): "SSL", (False, True): "SASL_PLAINTEXT", (True, True): "SASL_SSL"}
    protocol = kinds[settings.tls, bool(settings.sasl_mechanism)]
    return found | {"security_protocol": protocol} if protocol else found


@contextmanager
def connecting(settings: Settings) -> Iterator[None]:
    """A broker that does not answer is a sentence that names it."""
    from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it would tell the same at length
    try:
        yield
    except (KafkaConnectionError, KafkaTimeoutError):
        raise Sentence(f"no Kafka broker answers at {settings.bootstrap} (--bootstrap, WRITEBACK_BOOTSTRAP)") from None
