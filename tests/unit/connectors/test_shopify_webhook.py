"""Signatures and the replay window."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from streams.connectors.shopify import CONNECTOR
from streams.model import Invalid, parse_time

BODY = b'{"id": 7001}'
NOW = parse_time("2026-01-09T12:00:00Z")


def signature(secret: bytes) -> str:
    return base64.b64encode(hmac.new(secret, BODY, hashlib.sha256).digest()).decode()


def headers(secret: bytes = b"hush", at: str = "2026-01-09T11:59:00Z", prefix: str = "x-shopify-") -> dict[str, str]:
    return {f"{prefix}hmac-sha256": signature(secret), f"{prefix}triggered-at": at}


def test_headers_without_x_verify_too():
    CONNECTOR.verify(headers(prefix="shopify-"), BODY, {"WEBHOOK_SECRET": "hush"}, NOW)


def test_while_a_secret_is_rotated_either_one_signs():
    settings = {"WEBHOOK_SECRET": "new, hush"}

    CONNECTOR.verify(headers(b"hush"), BODY, settings, NOW)
    CONNECTOR.verify(headers(b"new"), BODY, settings, NOW)
    with pytest.raises(Invalid, match="bad_signature"):
        CONNECTOR.verify(headers(b""), BODY, settings, NOW)


@pytest.mark.parametrize("at", ["2026-01-09T08:00:00Z", "2026-01-08T12:00:00Z", "2026-01-09T12:05:00Z"])
def test_retries_over_hours_and_deliveries_a_day_late_are_taken(at: str):
    CONNECTOR.verify(headers(at=at), BODY, {"WEBHOOK_SECRET": "hush"}, NOW)


@pytest.mark.parametrize("at", ["2026-01-07T12:00:00Z", "2026-01-11T12:00:00Z", "yesterday"])
def test_a_delivery_out_of_the_window_is_stale(at: str):
    with pytest.raises(Invalid, match="stale_signature"):
        CONNECTOR.verify(headers(at=at), BODY, {"WEBHOOK_SECRET": "hush"}, NOW)


def test_the_window_is_a_setting():
    settings = {"WEBHOOK_SECRET": "hush", "REPLAY_WINDOW_S": "30"}

    with pytest.raises(Invalid, match="stale_signature"):
        CONNECTOR.verify(headers(), BODY, settings, NOW)


def test_a_delivery_that_states_no_time_is_judged_by_its_signature_alone():
    CONNECTOR.verify({"x-shopify-hmac-sha256": signature(b"hush")}, BODY, {"WEBHOOK_SECRET": "hush"}, NOW)
