"""What a re-read is asked for. It travels in `Refetch.record_id`, which is what `Client.fetch` is called with.

`003…` alone asks for the record as it stands. `003…@<ms>.<sequence>` asks for it as read after that event, so that the
restatement is newer than the event's own partial statement. `003…@<ms>.<sequence>!opt_out` asks only for the contact
point of a consent act whose event named none.
"""

from __future__ import annotations

import re
from typing import NamedTuple, cast

from streams.model import Millis
from streams.model.command import ToldDecision

_ASKED = re.compile(r"([^@!]+)@(\d{0,15})\.(\d{0,19})(?:!(opt_out|opt_in))?", re.ASCII)


class Asked(NamedTuple):
    """A record, the event after which it is read, and the consent decision to find the contact point of."""

    record_id: str
    at: Millis | None = None
    sequence: int | None = None
    decision: ToldDecision | None = None

    def text(self) -> str:
        """The form that travels."""
        if self.at is None and self.decision is None:
            return self.record_id
        at, sequence = ("" if number is None else str(number) for number in (self.at, self.sequence))
        decided = f"!{self.decision}" if self.decision else ""
        return f"{self.record_id}@{at}.{sequence}{decided}"


def read_asked(text: str) -> Asked:
    """The opposite of `Asked.text`; anything else is a record id."""
    match = _ASKED.fullmatch(text)
    if match is None:
        return Asked(text)
    at, sequence = (int(number) if number else None for number in match.group(2, 3))
    return Asked(match[1], at, sequence, cast("ToldDecision | None", match[4]))
