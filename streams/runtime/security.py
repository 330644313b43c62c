"""How the broker knows us: TLS and SASL, for Faust's connections and for the topic administration."""

from __future__ import annotations

import ssl
from typing import Any

import faust
from faust.types.auth import CredentialsT

from streams.runtime.settings import Settings


def credentials(settings: Settings) -> CredentialsT | None:
    """Faust's credentials; None for a plain connection."""
    context = ssl.create_default_context() if settings.tls else None
    if settings.sasl_mechanism:
        return faust.SASLCredentials(
            mechanism=settings.sasl_mechanism,
            username=settings.sasl_username,
            password=settings.sasl_password,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def client_auth(settings: Settings) -> dict[str, Any]:
    """The same for an aiokafka client."""
    options: dict[str, Any] = {"security_protocol": _protocol(settings)}
    if settings.tls:
        options["ssl_context"] = ssl.create_default_context()
    if settings.sasl_mechanism:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password
    return options


def native_auth(settings: Settings) -> dict[str, str]:
    """The same for a confluent-kafka client, which has authorities of its own if it is told of none."""
    options = {"security.protocol": _protocol(settings)}
    if settings.tls:
        authorities = ssl.get_default_verify_paths()
        options["ssl.ca.location"] = authorities.cafile or authorities.capath or "probe"
    if settings.sasl_mechanism:
        options["sasl.mechanism"] = settings.sasl_mechanism
        options["sasl.username"] = settings.sasl_username
        options["sasl.password"] = settings.sasl_password
    return options


def _protocol(settings: Settings) -> str:
    security = "SASL" if settings.sasl_mechanism else ""
    transport = "SSL" if settings.tls else "PLAINTEXT" if security else ""
    return "_".join(part for part in (security, transport) if part) or "PLAINTEXT"
