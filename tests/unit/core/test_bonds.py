"""Why a record belongs to its customer: from the rows that its binding left behind."""

from __future__ import annotations

from typing import Any

import pytest

from streams.core.bond_words import asked_keys, bond_view, joins_view
from streams.core.bonds import MADE
from streams.core.identity import Arrive, Bound, Message, Row, step
from streams.core.repointing import Parted
from streams.core.state import Customer, Join
from streams.model import Change, Identifiers
from tests.property.vocabulary import policy

POLICY = policy({"platforms": {"loyalty": {"connector": "generic", "unique": True}}})
EMAIL = Identifiers(email=("ann@example.com",))


class Rows:
    """Identity rows; each message is carried on until all is at rest."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def say(self, change: Change) -> None:
        self.tell(change.record, Arrive(change))

    def tell(self, key: str, message: Message) -> None:
        waiting = [(key, message)]
        while waiting:
            key, message = waiting.pop(0)
            hop = step(key, self.rows.get(key, Row()), message, 1_000, POLICY)
            self.rows[key] = hop.row
            waiting += hop.sends

    def why(self, record: str) -> dict[str, Any]:
        row = self.rows[record]
        others = {key: self.rows[key] for key in asked_keys(row) if key in self.rows}
        return bond_view(record, row, others, POLICY)


def test_a_shared_address_names_the_value_and_both_changes() -> None:
    rows = Rows()
    rows.say(Change("s1", "storefront", "9", identifiers=EMAIL))
    rows.say(Change("c1", "crm", "003", identifiers=EMAIL))

    assert rows.why("crm:003") == {
        "record": "crm:003",
        "by": "email",
        "change_id": "c1",
        "identifier": {
            "kind": "email",
            "value": "ann@example.com",
            "first_named_by": "storefront:9",
            "first_change_id": "s1",
        },
        "rule": "identity.match (external, email)",
        "why": (
            "change c1 named an e-mail address of this customer: "
            "ann@example.com, which storefront:9 had named in change s1"
        ),
    }


def test_of_several_addresses_only_the_one_that_led_there_is_named_whatever_is_claimed_later() -> None:
    rows = Rows()
    rows.say(Change("s1", "storefront", "9", identifiers=EMAIL))
    rows.say(Change("c1", "crm", "003", identifiers=Identifiers(email=("new@example.com", "ann@example.com"))))
    rows.say(Change("c2", "crm", "003", identifiers=Identifiers(email=("later@example.com",))))

    assert rows.why("crm:003")["identifier"]["value"] == "ann@example.com"
    assert len(rows.rows["crm:003"].claimed) == 3


def test_an_external_id_of_a_known_record_names_that_record() -> None:
    rows = Rows()
    rows.say(Change("s1", "storefront", "9"))
    rows.say(Change("c1", "crm", "003", identifiers=Identifiers(external=("storefront:9",))))

    assert rows.why("crm:003")["why"] == "change c1 named an external id of this customer: storefront:9"


def test_a_record_that_was_named_before_it_spoke_says_by_whom() -> None:
    rows = Rows()
    rows.say(Change("c1", "crm", "003", identifiers=Identifiers(external=("storefront:9",))))
    rows.say(Change("s1", "storefront", "9"))

    shown = rows.why("storefront:9")
    assert (shown["by"], shown["change_id"]) == ("claimed", "s1")
    assert shown["why"] == "crm:003 in change c1 had named storefront:9 as an external id before it spoke"


def test_a_record_alone_and_one_whose_change_named_its_customer_say_so() -> None:
    rows = Rows()
    rows.say(Change("s1", "storefront", "9", identifiers=EMAIL))
    rows.say(Change("e1", "esp", "7", customer_id="C1"))

    assert rows.why("storefront:9")["by"] == "alone"
    assert rows.why("storefront:9")["rule"] == "nothing matches: a new customer"
    assert rows.why("esp:7")["why"] == "change e1 named this customer"


def test_a_record_that_was_refused_a_place_names_the_limit() -> None:
    rows = Rows()
    rows.say(Change("l1", "loyalty", "1", identifiers=EMAIL))
    rows.say(Change("l2", "loyalty", "2", identifiers=EMAIL))

    assert rows.why("loyalty:2")["by"] == "refused"
    assert "may not have another record" in rows.why("loyalty:2")["why"]


def test_a_record_that_we_made_or_that_was_unlinked_says_so() -> None:
    rows = Rows()
    rows.tell("esp:7", Bound("C1", MADE))
    rows.say(Change("s1", "storefront", "9", customer_id="C1"))
    rows.tell("storefront:9", Parted("storefront:9", "C2", ("C1",)))

    assert rows.why("esp:7")["why"] == "a command of ours made it at its platform"
    assert rows.why("storefront:9")["why"] == "a steward took it out of another customer"


@pytest.mark.parametrize("row", [Row(customer="C1", joined=True), None])
def test_a_row_from_before_this_was_kept_says_that_it_cannot_tell(row: Row | None) -> None:
    shown = bond_view("crm:003", row, {}, POLICY)

    assert (shown["by"], shown["change_id"], shown["identifier"]) == ("", None, None)
    assert shown["why"] == "it was bound before this was kept, or its row does not tell"


def test_a_merge_says_who_asked_or_what_both_had_and_under_which_rule() -> None:
    state = Customer("C1", 0)
    state.joins = [
        Join("C2", 0, "Q1", "Sam", "the same person"),
        Join("C3", 0, "m-1", None, None, "email", "merge", ["c1"], "crm:003"),
    ]

    asked, met = joins_view(state)
    assert (asked["words"], asked["by"], asked["rule"]) == ("Sam asked for it: the same person", "Sam", None)
    assert met["words"] == (
        "crm:003 named an e-mail address of the other in change c1, and identity.merge lets such two be one"
    )
    assert (met["identifier"], met["record"], met["change_ids"], met["rule"]) == (
        "email",
        "crm:003",
        ["c1"],
        "identity.merge",
    )
