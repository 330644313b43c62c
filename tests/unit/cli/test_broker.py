"""The client's keywords for every kind of connection."""

from __future__ import annotations

import ssl

import pytest
from confluent_kafka.admin import AdminClient

from streams.runtime.security import client_auth, native_auth
from streams.runtime.settings import read_settings

SASL = {"WRITEBACK_SASL_MECHANISM": "SCRAM-SHA-512", "WRITEBACK_SASL_USERNAME": "u", "WRITEBACK_SASL_PASSWORD": "p"}
TLS = {"WRITEBACK_TLS": "true"}


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [({}, "PLAINTEXT"), (TLS, "SSL"), (SASL, "SASL_PLAINTEXT"), (SASL | TLS, "SASL_SSL")],
)
def test_tls_and_sasl_make_the_protocol(environment: dict[str, str], protocol: str | None) -> None:
    assert client_auth(read_settings(environment)).get("security_protocol") == protocol
    assert native_auth(read_settings(environment)).get("security.protocol") == protocol


def test_the_native_client_takes_the_same_credentials_and_the_systems_authorities() -> None:
    plain, secured = native_auth(read_settings({})), native_auth(read_settings(SASL | TLS))

    assert plain == {"security.protocol": "PLAINTEXT"}
    assert (secured["sasl.mechanism"], secured["sasl.username"], secured["sasl.password"]) == (
        "SCRAM-SHA-512",
        "u",
        "p",
    )
    assert secured["ssl.ca.location"]
    AdminClient({"bootstrap.servers": "127.0.0.1:9", "log_level": 0, **secured})


def test_a_tls_connection_checks_the_brokers_name() -> None:
    context = client_auth(read_settings(TLS))["ssl_context"]

    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
