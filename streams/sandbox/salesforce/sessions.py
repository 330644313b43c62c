"""OAuth: tokens that are given for client credentials or a refresh token, and that end."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from streams.sandbox.clock import Clock

GRANTS = ("client_credentials", "refresh_token", "password", "urn:ietf:params:oauth:grant-type:jwt-bearer")


class Denied(Exception):
    """The token endpoint's 400 answer."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.body = {"error": error, "error_description": description}


class Sessions:
    """The access tokens in force; `session_s` is how long one lasts."""

    def __init__(self, clock: Clock, shared: Mapping[str, str], session_s: float = 7200.0) -> None:
        self._clock = clock
        self._shared = shared
        self._until: dict[str, int] = {}
        self.session_s = session_s

    def grant(self, form: Mapping[str, Any], instance_url: str) -> dict[str, Any]:
        """A new token; raises Denied."""
        kind = str(form.get("grant_type", ""))
        if kind not in GRANTS:
            raise Denied("unsupported_grant_type", "grant type not supported")
        if kind != GRANTS[-1]:
            self._check_client(form)
        if kind == "refresh_token" and not _same(form.get("refresh_token"), self._shared.get("REFRESH_TOKEN")):
            raise Denied("invalid_grant", "expired access/refresh token")
        token = f"00DSb0000000001!{secrets.token_urlsafe(48)}"
        self._until[token] = self._clock() + round(self.session_s * 1000)
        return {
            "access_token": token,
            "signature": secrets.token_urlsafe(32),
            "scope": "api",
            "instance_url": instance_url,
            "id": f"{instance_url}/id/00DSb0000000001AAA/005Sb0000000001AAA",
            "token_type": "Bearer",
            "issued_at": str(self._clock()),
        }

    def expire_all(self) -> None:
        """Every session ends now."""
        self._until.clear()

    def is_valid(self, authorization: str) -> bool:
        token = authorization.partition(" ")[2]
        return self._until.get(token, 0) > self._clock()

    def _check_client(self, form: Mapping[str, Any]) -> None:
        if not _same(form.get("client_id"), self._shared["CLIENT_ID"]):
            raise Denied("invalid_client_id", "client identifier invalid")
        if not _same(form.get("client_secret"), self._shared["CLIENT_SECRET"]):
            raise Denied("invalid_client", "invalid client credentials")


def _same(given: Any, expected: str | None) -> bool:
    return expected is not None and hmac.compare_digest(str(given or "").encode(), expected.encode())
