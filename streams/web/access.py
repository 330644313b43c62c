"""Who may look: a token where one is set; without one the server binds to loopback only (settings)."""

from __future__ import annotations

import base64
import binascii
import hmac

REALM = 'Basic realm="Writeback", charset="UTF-8"'


def allowed(token: str, authorization: str | None) -> bool:
    """True without a token, or for `Bearer <token>`, or for HTTP Basic with the token as the password."""
    if not token:
        return True
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        given = _password(given)
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode(), token.encode())


def _password(given: str) -> str:
    try:
        return base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
