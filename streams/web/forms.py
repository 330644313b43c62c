"""What a person sends by a form: in the body, so that no value lands in an address or its log."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from streams.web.access import LIMITS
from streams.web.desk import Declined

FORM: Final = "application/x-www-form-urlencoded"
_OURS: Final = (None, "same-origin", "none")


def is_foreign(request: web.Request) -> bool:
    """True where the browser says that another site's page has sent it."""
    return request.headers.get("Sec-Fetch-Site") not in _OURS


async def read_body(request: web.Request, bytes_max: int) -> bytes:
    """The body; raises Declined where it is too large."""
    body = b""
    while len(body) <= bytes_max and (chunk := await request.content.read(bytes_max + 1 - len(body))):
        body += chunk
    if len(body) > bytes_max:
        raise Declined(413, "too_large", f"the body has more than {bytes_max} bytes")
    return body


async def read_form(request: web.Request, bytes_max: int | None = None) -> dict[str, str]:
    """The fields of a form of ours, trimmed; raises Declined. None: as large as a small form may be."""
    if is_foreign(request):
        raise Declined(403, "foreign_page", "a page of another site cannot send this")
    if request.content_type != FORM:
        raise Declined(415, "not_a_form", "this takes a form")
    try:
        text = (await read_body(request, bytes_max or request.app[LIMITS].form_max_bytes)).decode()
        most = request.app[LIMITS].form_fields_max
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=most, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise Declined(400, "bad_form", "the form cannot be read") from None
    return {name: value.strip() for name, value in fields}
