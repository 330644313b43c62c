"""Wrong tokens, counted by the address that they come from, so that nobody tries one after the other at the form.

Each worker counts for itself, and the address is the connection's own: a header could be made up. Over the API a right
token always passes, whatever else came from its address: nobody can lock a steward's scripts out.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import time
from collections.abc import Callable
from typing import Final

from aiohttp import web

from streams.runtime.metrics import WRONG_TOKENS
from streams.web.wordings import lasting

log = logging.getLogger(__name__)

# Who has one address of such a network has them all.
_NETWORK_BITS: Final = 64


class Guesses:
    """At most `most` wrong tokens (0: any number) of one address in `window_s`, from the first one on.

    `peers_max`: addresses that are remembered; the one that began first is dropped.
    """

    def __init__(self, most: int, window_s: float, peers_max: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._window_s = window_s
        self._peers_max = peers_max
        self._now_s = now_s
        # Since when, and how many; those that began first come first.
        self._peers: dict[str, tuple[float, int]] = {}

    def wait_s(self, peer: str | None) -> int:
        """Seconds until a token from this address is looked at again; 0: now."""
        began_s, count = self._of(network_of(peer))
        return math.ceil(began_s + self._window_s - self._now_s()) if self._most and count >= self._most else 0

    def wrong(self, peer: str | None) -> None:
        """A token from this address was wrong."""
        WRONG_TOKENS.inc()
        network = network_of(peer)
        began_s, count = self._of(network)
        if not count:
            self._peers.pop(network, None)
        self._peers[network] = (began_s, count + 1)
        if len(self._peers) > self._peers_max:
            del self._peers[next(iter(self._peers))]
        if count + 1 == self._most:
            log.warning("%d wrong tokens came from one address; it cannot sign in for %g s", self._most, self._window_s)

    def _of(self, network: str) -> tuple[float, int]:
        began_s, count = self._peers.get(network, (0.0, 0))
        now_s = self._now_s()
        return (began_s, count) if count and now_s < began_s + self._window_s else (now_s, 0)


GUESSES: Final = web.AppKey("guesses", Guesses)


def guessed(request: web.Request) -> int:
    """Count the wrong token of a request; seconds that its address has to wait by now, 0 for none.

    Where it must wait already, no more is counted: so waiting ends.
    """
    guesses = request.app[GUESSES]
    wait_s = guesses.wait_s(request.remote)
    if not wait_s:
        guesses.wrong(request.remote)
    return wait_s


def too_many(wait_s: int) -> str:
    """Why nothing is looked at now."""
    return f"too many wrong tokens came from your address: try again in {lasting(wait_s)}"


def network_of(peer: str | None) -> str:
    """An address; of IPv6 the network that one customer of a provider has."""
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:
        return peer or ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), _NETWORK_BITS), strict=False).network_address)
