"""Pages for people: templates, and how values, times and names are written in them."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from streams.web.wordings import case_story, case_title, erased, lasting, refusal, words

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)", re.ASCII)
_REASONS: Final = {
    "expired": "the opt-in has ended",
    "hard_bounce": "messages bounce, or its customer was erased",
    "objected": "the person as a whole has opted out",
    "pinned": "a steward has pinned the opt-out",
}
_STYLE: Final = (files("streams.web") / "templates" / "style.css").read_text("utf-8")

# Nothing is loaded from anywhere and no script runs; the one style sheet is known by its hash.
CONTENT_SECURITY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
        "img-src data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def render(template: str, **given: Any) -> str:
    """A page as HTML; every value is escaped."""
    return _pages.get_template(template).render(**given)


def quoted(name: str) -> str:
    """A name as one segment of a path, slashes and all; a segment of dots alone would be taken for a folder."""
    text = quote(name, safe="@:+")
    return text.replace(".", "%2E") if set(text) <= {"."} else text


def when(time: str | None) -> Markup:
    """An RFC 3339 time for reading."""
    if not time:
        return Markup("")
    shown = time.replace("T", " ").replace("Z", " UTC")
    return Markup('<time datetime="{}">{}</time>').format(time, shown)


def said(text: str) -> Markup:
    """A reason as a sentence, its times for reading."""
    parts = _TIME.split(text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else "."))
    return Markup("").join(when(part) if place % 2 else part for place, part in enumerate(parts))


def because(reason: str) -> str:
    """Why a contact point may not be sent to, where only the reason's name is at hand."""
    return _REASONS.get(reason, words(reason))


def decision(value: Any) -> Any:
    """A consent decision in words, any other value as it is."""
    return words(value) if value in ("opt_in", "opt_out") else value


def lines(value: Any) -> list[str]:
    """A value in lines: an address as on an envelope, anything else as it is."""
    if not isinstance(value, dict):
        return [] if value is None else [str(value)]
    place = " ".join(part for part in (value["region"], value["postal_code"]) if part)
    town = ", ".join(part for part in (value["city"], place) if part)
    return [line for line in (value["line1"], value["line2"], town, value["country"]) if line]


_pages = Environment(
    loader=PackageLoader("streams.web"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
_pages.filters.update(quoted=quoted, when=when, lines=lines, words=words, said=said, because=because, decision=decision)
_pages.filters.update(lasting=lasting, refusal=refusal, erased=erased, case_title=case_title, case_story=case_story)

_pages.globals["style"] = Markup(_STYLE)  # noqa: S704 - our own file
