"""The benchmark compares nothing unless its input is the same every time and its check finds any difference."""

import itertools

from benchmarks.digest import Digest
from benchmarks.generate import changes
from streams.codec import change_from_json


def test_the_same_arguments_give_the_same_changes() -> None:
    assert list(changes(200, 50)) == list(changes(200, 50))


def test_another_seed_gives_other_changes() -> None:
    assert list(changes(200, 50)) != list(changes(200, 50, seed=8))


def test_a_shorter_input_is_the_beginning_of_a_longer_one() -> None:
    assert list(changes(50, 20)) == list(itertools.islice(changes(200, 20), 50))


def test_every_change_fits_the_contract_and_belongs_to_its_customer() -> None:
    for keyed in changes(200, 50):
        change = change_from_json(keyed.change)

        assert change.customer_id == keyed.customer_id
        assert change.attributes.keys() == {"phone", "email", "first_name", "shipping_address"}
        assert len(change.consents) == 1


def test_a_digest_does_not_see_the_order() -> None:
    there, back = Digest(), Digest()
    for number in range(100):
        there.add(b"key", b"%d" % number)
        back.add(b"key", b"%d" % (99 - number))

    assert (there.count, str(there)) == (back.count, str(back))


def test_a_digest_sees_a_record_that_came_twice_for_another() -> None:
    right, wrong = Digest(), Digest()
    for number in range(100):
        right.add(b"key", b"%d" % number)
        wrong.add(b"key", b"%d" % max(number, 1))

    assert right.count == wrong.count
    assert str(right) != str(wrong)
