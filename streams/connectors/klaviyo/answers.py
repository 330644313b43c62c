"""Klaviyo's answers: JSON:API errors to `Refused` or `Later`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from streams.connectors.base import Answer, Applied, Later, Refused
from streams.connectors.batches import stop_of
from streams.connectors.http import Reply

ACCESS_AFTER_S: Final = 300.0
UNREADABLE: Final = Later("unreadable_answer", whole_platform=False)
NOT_FOUND: Final = "not_found"

_CODE = re.compile(r"[a-z][a-z0-9_.-]{1,80}", re.ASCII)


def code_of(reply: Reply) -> str | None:
    """The first error's code; None where the body does not hold one."""
    body = reply.object()
    errors = body.get("errors") if not isinstance(body, Later) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("code") if isinstance(first, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def refusal(reply: Reply) -> Refused | Later:
    """What an answer that is no success means: 403 is our key's rights, which a person has to mend."""
    code = code_of(reply)
    if reply.status == 403:
        return Later(code or "http_403", ACCESS_AFTER_S)
    if code is None or reply.status < 400:
        return Later(f"http_{reply.status}", whole_platform=False)
    return Refused(code)


def whole(parts: Sequence[Answer], unsaid: Iterable[str]) -> Answer:
    """One answer of a command's parts: what has to wait first, then what was refused, then done.

    `unsaid` names what the command says and Klaviyo has no place for: a detail, or a refusal where it is everything.
    """
    left_out = ",".join(sorted(set(unsaid)))
    if not parts:
        return Refused(left_out or "nothing_to_say")
    later = stop_of(parts) or next((part for part in parts if isinstance(part, Later)), None)
    refused = next((part for part in parts if isinstance(part, Refused)), None)
    if later is not None or refused is not None:
        return later or refused or UNREADABLE
    done = [part for part in parts if isinstance(part, Applied)]
    details = ",".join([*sorted({part.detail for part in done if part.detail}), *([left_out] if left_out else [])])
    return Applied(next((part.record_id for part in done if part.record_id), None), detail=details or None)
