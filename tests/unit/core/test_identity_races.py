"""Records that arrive at the same moment: their steps interleave as the partitions happen to be scheduled."""

import random

import pytest

from streams.core.identity import Arrive, Claim, Message, Row, minted, step
from streams.core.repointing import Met, customer_key
from streams.model import Change, Identifiers
from streams.policy import load_policy

POLICY = load_policy(None)
EMAIL = Identifiers(email=("ann@example.com",))
CREATED = Change("s1", "storefront", "9", identifiers=EMAIL)
CONSENT = Change("s2", "storefront", "9")
CONTACT = Change("c1", "crm", "003", identifiers=Identifiers(email=("ann@example.com",), external=("storefront:9",)))
PROFILE = Change("e1", "esp", "7", identifiers=EMAIL)


class Network:
    """Rows on partitions of their own, fed by two topics: each topic keeps a row's order, all else is chance."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._queues: dict[tuple[str, str], list[Message]] = {}
        self.rows: dict[str, Row] = {}
        self.forwarded: list[tuple[str, str]] = []

    def send(self, topic: str, key: str, message: Message) -> None:
        self._queues.setdefault((topic, key), []).append(message)

    def run(self) -> None:
        while waiting := sorted(key for key, queue in self._queues.items() if queue):
            topic, key = self._chance.choice(waiting)
            hop = step(key, self.rows.get(key, Row()), self._queues[topic, key].pop(0), 1_000, POLICY)
            self.rows[key] = hop.row
            self.forwarded += [(one.change.change_id, one.customer_id) for one in hop.forwards]
            for target, message in hop.sends:
                self.send("identity", target, message)


def _arrived(seed: int) -> Network:
    network = Network(seed)
    for change in (CREATED, CONSENT, CONTACT, PROFILE):
        network.send("changes", change.record, Arrive(change))
    network.run()
    return network


@pytest.mark.parametrize("seed", range(300))
def test_records_that_share_an_address_become_one_customer_in_whatever_order_they_arrive(seed: int) -> None:
    network = _arrived(seed)

    assert {change_id for change_id, _ in network.forwarded} == {"s1", "s2", "c1", "e1"}
    assert len({customer for _, customer in network.forwarded}) == 1


def test_a_bound_record_keeps_its_customer_when_another_claims_it_and_the_two_are_to_be_judged() -> None:
    alone = minted("storefront:9")
    row = Row(customer=alone, joined=True)

    hop = step("storefront:9", row, Claim("c-other", "crm:003", instead_of=alone), 1_000, POLICY)

    assert hop.row.customer == alone
    assert hop.sends == [(customer_key(alone), Met(alone, "c-other", "crm:003", "external", ""))]
