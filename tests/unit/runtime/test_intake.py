"""A platform's request for an erasure goes to the record's identity row and the review queue, never to the engine."""

from __future__ import annotations

import json
from typing import Any

from streams.codec import PublicCodec
from streams.connectors import connector
from streams.connectors.merges import merged_into
from streams.core.redaction import Redact
from streams.lane import Batch, Emit, Record, Rows
from streams.model import Identifiers
from streams.policy import load_policy
from streams.runtime import topics
from streams.runtime.binder import decode_message
from streams.runtime.intake import Intake
from streams.runtime.letters import Letters
from streams.runtime.settings import Settings

POLICY = load_policy(None)
AT = 1_768_046_400_000


async def taken(topic: str, body: Any) -> list[Emit]:
    headers = (("X-Shopify-Topic", topic.encode()), ("X-Shopify-Event-Id", b"e-1"))
    letters = Letters("test", Settings())
    intake = Intake(POLICY, {"storefront": connector("shopify")}, PublicCodec(), letters, 1_000_000)
    record = Record("raw.storefront", 0, 0, AT, b"9", json.dumps(body).encode(), headers)
    rows = Rows("none", None, (), 0)
    return list((await intake.process(Batch("raw.storefront", 0, [record], 1), rows)).emits)


async def test_a_request_to_redact_goes_to_the_row_of_its_record() -> None:
    (emit,) = await taken("customers/redact", {"customer": {"id": 9, "email": "ann@example.com"}})

    assert (emit.topic, emit.key, emit.timestamp_ms) == (topics.IDENTITY, b"storefront:9", AT)
    assert decode_message(emit.value) == Redact("shopify:e-1:customers/redact:9")
    assert b"ann@example.com" not in (emit.value or b"")


async def test_a_request_for_everybody_is_a_case_of_its_own() -> None:
    (emit,) = await taken("shop/redact", {"shop_id": 1})

    assert (emit.topic, emit.key) == (topics.NOTES, b"storefront")
    note = json.loads(emit.value or b"")
    assert (note["kind"], note["rule"]) == ("review", "erase_requested")


def test_a_merge_survives_the_public_topic() -> None:
    change = merged_into("storefront", "1", "2", "m1", AT)

    codec = PublicCodec()
    assert codec.decode_change(codec.encode_change(change)) == change
    assert change.identifiers == Identifiers(external=("storefront:2",))
