"""Who may look: a token where one is set; without one only this machine, under a name of its own."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from typing import Final, NamedTuple

from aiohttp import web
from yarl import URL

from streams.runtime.settings import Settings

REALM: Final = 'Basic realm="Writeback", charset="UTF-8"'


# The limits of forms.
LIMITS: Final = web.AppKey("limits", Settings)


class Access(NamedTuple):
    """The token ("" for none), the worker's own address, the stewards' token, and the settings with the limits."""

    token: str = ""
    node_url: str = ""
    steward_token: str = ""
    limits: Settings = Settings()


def allowed(token: str, authorization: str | None) -> bool:
    """True without a token, or for `Bearer <token>`, or for HTTP Basic with the token as the password."""
    if not token:
        return True
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        given = _password(given)
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())


def _password(given: str) -> str:
    try:
        return base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def local_name(host: str, node_url: str = "") -> bool:
    """True where a `Host` header names this machine's loopback, or the worker's own address.

    Without a token a foreign page could otherwise read the views, through a name of its own that it lets resolve to
    127.0.0.1 (DNS rebinding).
    """
    name = _name(f"http://{host}")
    if name is None:
        return False
    if name == "localhost" or (node_url and name == _name(node_url)):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name(url: str) -> str | None:
    try:
        return URL(url).host
    except ValueError:
        return None
