"""A person at a browser: a signed cookie in the place of each token, and the mark that proves a form to be ours.

A cookie is signed with the token that it stands for and holds nothing that must be kept here: every worker reads it,
and another token ends it. The token itself never leaves the sign-in form.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final, Literal, NamedTuple, TypeAlias

from streams.web.access import Access

Role: TypeAlias = Literal["view", "steward"]

COOKIES: Final[Mapping[Role, str]] = {"view": "writeback_view", "steward": "writeback_steward"}


class Person(NamedTuple):
    """Who looks at a page.

    `looks`, `acts`: signed in for it; `by`: the steward's name; `mark`: goes into every form that acts;
    `may_act`: there are stewards here, so one can sign in as one.
    """

    looks: bool = False
    acts: bool = False
    by: str = ""
    mark: str = ""
    may_act: bool = False

    @property
    def signed_in(self) -> bool:
        """Whether there is something to sign out of."""
        return self.looks or self.acts

    def marked(self, given: str) -> bool:
        """Whether a form is one that this person got from us."""
        return self.acts and _same(given, self.mark)


NOBODY: Final = Person()
PERSON: Final[ContextVar[Person]] = ContextVar("person", default=NOBODY)
"""Who sent the request that is being answered; the guard sets it for each one."""


def person_of(access: Access, cookies: Mapping[str, str], now_s: float) -> Person:
    """Who sent these cookies."""
    looks = opened(access.token, "view", cookies.get(COOKIES["view"], ""), now_s) is not None
    cookie = cookies.get(COOKIES["steward"], "")
    by = opened(access.steward_token, "steward", cookie, now_s)
    if by is None:
        return Person(looks, may_act=bool(access.steward_token))
    return Person(looks, True, by, _mac(access.steward_token, "form", cookie), True)


def sealed(token: str, role: Role, name: str, ends_s: int) -> str:
    """A cookie's value: when it ends, the person's name, and the signature."""
    named = base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
    said = f"{ends_s}.{secrets.token_urlsafe(12)}.{named}"
    return f"{said}.{_mac(token, role, said)}"


def opened(token: str, role: Role, cookie: str, now_s: float) -> str | None:
    """The name in a cookie that was sealed with this token and has not ended; None for any other."""
    said, _, signature = cookie.rpartition(".")
    if not token or not _same(signature, _mac(token, role, said)):
        return None
    ends, _, named = said.split(".")
    if int(ends) <= now_s:
        return None
    return base64.urlsafe_b64decode(named + "=" * (-len(named) % 4)).decode(errors="replace")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())


def _mac(token: str, purpose: str, said: str) -> str:
    text = f"writeback {purpose}\0{said}".encode("utf-8", "surrogateescape")
    return hmac.new(token.encode(), text, hashlib.sha256).hexdigest()
