"""Steward requests: pins, merges, unlinks, erasures, releases, policy activations (design.md, contracts)."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from streams.model.change import Value
from streams.model.times import Millis

Action: TypeAlias = Literal["pin", "unpin", "merge", "unlink", "erase", "release", "review", "activate"]


class StewardRequest(msgspec.Struct, frozen=True, omit_defaults=True, rename={"with_": "with"}):
    """What a person asks for; `by` says who, `why` says why.

    A `review` names the case in `review` and what is decided in `value`: `approve` or `dismiss`.
    """

    action: Action
    request_id: str | None = None
    customer_id: str | None = None
    attribute: str | None = None
    value: Value | None = None
    contact_point: str | None = None
    channel: str | None = None
    purpose: str | None = None
    record: str | None = None
    with_: str | None = None
    policy_version: str | None = None
    at: Millis | None = None
    by: str | None = None
    why: str | None = None
    review: str | None = None
