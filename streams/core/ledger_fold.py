"""The fold of one consent key's ledger entries, and the judgement of each of them (C2, C3, C8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streams.core.rules import ConsentRule, Policy
from streams.core.state import Entry
from streams.model import Millis

OPTED_IN: Final = "opted_in"
OPTED_OUT: Final = "opted_out"
PENDING: Final = "pending"
UNKNOWN: Final = "unknown"


# Order of entries at one effective time: an opt-out wins, so it is folded last (C2).
_RANK = {"opt_in": 0, "confirm": 1, "expire": 2, "opt_out": 3}


def entry_order(entry: Entry) -> tuple[Millis, int, str, str]:
    """Effective time; at equal time an opt-out is folded last, so that it wins."""
    return (entry.at, _RANK[entry.decision], entry.record or "", entry.change_id or "")


class Judged:
    """One key's entries folded: the state, the entry in force, and how each entry was judged; one method a decision."""

    __slots__ = (
        "awaited",
        "clock",
        "deadline",
        "expired",
        "guarded",
        "in_force",
        "lapsed",
        "rule",
        "since",
        "state",
        "statuses",
    )

    def __init__(self, policy: Policy, clock: Millis) -> None:
        self.rule = policy.consent
        self.clock = clock
        self.state = UNKNOWN
        self.since: Millis = 0
        self.in_force: Entry | None = None
        self.guarded = False  # an opt-out or an expiry lies behind: only an explicit opt-in counts (C3)
        self.lapsed = False
        self.deadline: Millis | None = None
        self.awaited: Millis | None = None
        self.statuses: list[str] = []
        self.expired: list[tuple[Entry, Millis]] = []

    def finish(self) -> None:
        """Once all entries are folded: what the clock has passed, and the next moment to judge again."""
        self.expire(self.clock)
        if self.awaited is not None:
            self.deadline = min(self.awaited, self.deadline or self.awaited)

    def expire(self, until: Millis) -> None:
        """C8: the opt-in in force ends at its deadline, once the clock has passed it."""
        if self.deadline is None or self.deadline > until:
            return
        if self.deadline >= self.clock:
            # What follows was stated a little ahead of the clock: judged again when the clock is there.
            self.awaited = self.deadline if self.awaited is None else min(self.awaited, self.deadline)
            return
        if self.in_force is not None:
            self.expired.append((self.in_force, self.deadline))
        self._enter(UNKNOWN, self.deadline, None)
        self.guarded = self.lapsed = True

    def _enter(self, state: str, at: Millis, entry: Entry | None, deadline: Millis | None = None) -> None:
        self.state = state
        self.since = at
        self.in_force = entry
        self.deadline = deadline
        self.lapsed = False

    def fold(self, entry: Entry) -> str:
        """Take one entry; returns its status."""
        decision = entry.decision
        if decision == "opt_out":
            self._enter(OPTED_OUT, entry.at, entry)
            self.guarded = True
            return "accepted"
        if decision == "expire":
            if self.in_force is not None and self.state in (OPTED_IN, PENDING):
                self._enter(UNKNOWN, entry.at, None)
                self.guarded = self.lapsed = True
            return "accepted"
        return self._opt_in(entry)

    def _opt_in(self, entry: Entry) -> str:
        if entry.stated_at is None:
            return "rejected_no_time"
        confirms = entry.decision == "confirm" or (self.rule.double_opt_in and entry.method == "double_opt_in")
        if confirms:
            return self._confirm(entry)
        if self.guarded and self.state not in (OPTED_IN, PENDING) and not self._explicit(entry):
            return "rejected_not_explicit"
        if self.rule.double_opt_in and self.state != OPTED_IN:
            self._enter(PENDING, entry.at, entry, entry.at + self.rule.double_opt_in_ttl_ms)
        else:
            force = self._stronger(entry)
            self._enter(OPTED_IN, entry.at, force, force.expires_at)
        return "accepted"

    def _confirm(self, entry: Entry) -> str:
        """C8: a double opt-in is confirmed only while it is pending."""
        if self.state == OPTED_IN:
            return "accepted"
        if self.state != PENDING or not (entry.explicit or entry.decision == "confirm"):
            return "rejected_not_pending"
        held = self.in_force.expires_at if self.in_force is not None else None
        self._enter(OPTED_IN, entry.at, entry, held if entry.expires_at is None else entry.expires_at)
        return "accepted"

    def _explicit(self, entry: Entry) -> bool:
        return is_explicit(self.rule, entry)

    def _stronger(self, entry: Entry) -> Entry:
        """What is in force after one more opt-in: a weaker one does not weaken, an untrusted one does not renew."""
        held = self.in_force
        if self.state != OPTED_IN or held is None:
            return entry
        weaker = self._weight(held) > self._weight(entry)
        return held if weaker and (held.expires_at is None or not self._weight(entry)) else entry

    def _weight(self, entry: Entry) -> int:
        return 2 if self._explicit(entry) else int(entry.method not in self.rule.untrusted_methods)


def is_explicit(rule: ConsentRule, entry: Entry) -> bool:
    """C3: an explicit act, with evidence, by a method that the policy trusts."""
    return entry.explicit and entry.evidence and bool(entry.method) and entry.method not in rule.untrusted_methods


def judge(entries: Sequence[Entry], policy: Policy, clock: Millis, carried_at: Millis | None = None) -> Judged:
    """Fold one key's entries in order of effective time; a carried opt-out is folded at its own time (C5)."""
    judged = Judged(policy, clock)
    waiting = carried_at
    for entry in entries:
        if waiting is not None and waiting <= entry.at:
            judged.fold(Entry("opt_out", waiting, None, method="carried"))
            waiting = None
        if judged.deadline is not None:
            judged.expire(entry.at if entry.decision == "opt_out" else entry.at - 1)
        judged.statuses.append(judged.fold(entry))
    if waiting is not None:
        judged.fold(Entry("opt_out", waiting, None, method="carried"))
    judged.finish()
    return judged


def counts(entry: Entry) -> bool:
    """False for an opt-in without a time: it is kept, never counts, and so holds no carried opt-out off (C3)."""
    return entry.stated_at is not None or entry.decision not in ("opt_in", "confirm")
