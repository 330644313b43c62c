"""What a re-read is asked for. It travels in `Refetch.record_id`, which is what `Client.fetch` is called with.

A profile's id alone asks for the profile as it stands. With the words of a consent act after it, separated by `!`, it
asks for the contact point of that act, whose event named none.
"""

from __future__ import annotations

import re
from typing import NamedTuple, cast

from streams.connectors.klaviyo.consents import Act
from streams.model.command import ToldDecision

_ASKED = re.compile(
    r"([^!]+)!(opt_in|opt_out)!(email|sms)!(\d{0,15})!([a-z0-9_]{0,64})!([01])!([A-Za-z0-9_.:-]{0,200})", re.ASCII
)


class Asked(NamedTuple):
    """A profile, and the consent act to find the contact point of, with the event that stated it."""

    profile_id: str
    act: Act | None = None
    event_id: str = ""

    def text(self) -> str:
        """The form that travels."""
        if self.act is None:
            return self.profile_id
        act = self.act
        at = "" if act.at is None else str(act.at)
        said = (act.decision, act.channel, at, act.method or "", str(int(act.explicit)), self.event_id)
        return "!".join((self.profile_id, *said))


def read_asked(text: str) -> Asked:
    """The opposite of `Asked.text`; anything else is a profile's id."""
    match = _ASKED.fullmatch(text)
    if match is None:
        return Asked(text)
    decision, channel = cast("ToldDecision", match[2]), match[3]
    act = Act(decision, channel, int(match[4]) if match[4] else None, match[5] or None, match[6] == "1")
    return Asked(match[1], act, match[7])
