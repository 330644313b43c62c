"""Klaviyo's consent words: methods, whether the person acted, and whether it was our own job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from streams.connectors.klaviyo.shapes import text
from streams.model import ConsentStatement, Millis
from streams.model.change import Actor
from streams.model.command import ToldDecision

# What our subscribe jobs carry as `custom_source`; it comes back in an event's method details.
OUR_SOURCE = "writeback"
PERSON = "*"  # the contact point that is the person as a whole

# Ways in which only the person can have subscribed. A method that is not here is nobody's explicit act.
_PERSON_SUBSCRIBES = frozenset(
    {
        "form",
        "signup_form",
        "embed_form",
        "hosted_form",
        "subscribe_page",
        "preference_page",
        "preferences_page",
        "checkout",
        "text",
        "sms",
        "keyword",
        "click_to_text",
        "double_opt_in",
    }
)
# Ways in which it was not the person who unsubscribed: another system, a file, or an agent on the profile's page.
_NOT_THE_PERSON = frozenset(
    {"sync", "import", "csv", "csv_import", "list_import", "profile_page", "manual_suppression"}
)
_PROGRAMS: dict[str, Actor] = {"sync": "integration", "import": "import", "csv_import": "import"}
_AGENT = frozenset({"profile_page", "manual_suppression"})
# A consent set by a program has no act behind it: the core's word for that is `sync`.
_SAME = {"api": "sync", "integration": "sync", "spam_report": "spam_complaint"}
_WORD = re.compile(r"[^a-z0-9]+", re.ASCII)
_DETAILS = ("method_detail", "custom_method_detail", "custom_source")


class Act(NamedTuple):
    """A consent decision without its contact point."""

    decision: ToldDecision
    channel: str
    at: Millis | None
    method: str | None
    explicit: bool

    @property
    def actor(self) -> Actor:
        """Who decided."""
        if self.explicit:
            return "customer"
        if self.method in _AGENT:
            return "agent"
        return _PROGRAMS.get(self.method or "", "unknown")

    def statement(self, contact_point: str, evidence: dict[str, Any]) -> ConsentStatement:
        """The act as a statement about one contact point."""
        return ConsentStatement(
            contact_point=contact_point,
            channel=self.channel,
            purpose="marketing",
            decision=self.decision,
            at=self.at,
            explicit=self.explicit,
            method=self.method,
            evidence=evidence,
        )


def method_of(raw: Any) -> str | None:
    """The method as a lower-case word of at most 64 characters; None where there is none."""
    said = text(raw)
    word = _WORD.sub("_", said.lower()).strip("_")[:64] if said else ""
    return _SAME.get(word, word) or None


def act_of(decision: ToldDecision, channel: str, at: Millis | None, method: str | None) -> Act:
    """Explicit: an opt-out unless we know that it was not the person; an opt-in only where it was."""
    explicit = method in _PERSON_SUBSCRIBES if decision == "opt_in" else method not in _NOT_THE_PERSON
    return Act(decision, channel, at, method, explicit)


def is_ours(properties: Mapping[str, Any]) -> bool:
    """True where the marker of our jobs came back."""
    return any(properties.get(name) == OUR_SOURCE for name in _DETAILS)


def evidence_of(properties: Mapping[str, Any], **found: str) -> dict[str, Any]:
    """What shows the decision: the event or the profile, and where the person was."""
    details = {name: said[:500] for name in _DETAILS if (said := text(properties.get(name)))}
    return {"platform": "klaviyo", **found, **details}
