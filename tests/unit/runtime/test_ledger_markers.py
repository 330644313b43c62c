"""What an erasure says in the consent ledger, and which entries go for it, and that no others do."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streams.codec import PublicCodec
from streams.core.erasure import Erasure, keyed_hash
from streams.core.state import Customer, Moves
from streams.lane import Emit, Headers, Record
from streams.model import LedgerEntry
from streams.runtime.ledger_markers import COPIED, Fate, Forgetting, OtherKey, copied, copied_from, marked, markers
from streams.runtime.tombstones import HEADER

KEY = b"k" * 32
AT = 1_768_046_400_000
CODEC = PublicCodec()
ERASED = Customer("C1", 1, aliases=["C0"], erased_at=AT)


def erasure(*records: str, ids: tuple[str, ...] = ("C1", "C0")) -> Erasure:
    return Erasure(AT, ids, records, {"ann@example.com": (("email", "marketing"),)}, {})


def told(one: Emit, offset: int = 0) -> Record:
    return Record(one.topic, 0, offset, one.timestamp_ms or 0, one.key, one.value, one.headers)


def entry(
    customer_id: str, record: str | None = "crm:1", at: int = AT - 1, offset: int = 5, headers: Headers = ()
) -> Record:
    row = LedgerEntry(customer_id, "ann@example.com", "email", "marketing", "opt_in", AT, "accepted", record)
    return Record("consent.ledger", 0, offset, at, b"ann@example.com", CODEC.encode_ledger(row), headers)


def forgetting(*erased: Emit) -> Forgetting:
    found = Forgetting(KEY, CODEC.decode_ledger)
    for one in erased:
        found.learn(told(one))
    return found


def fate(found: Forgetting, record: Record, low: int = 0) -> Fate:
    return found.fate(record, low)[0]


def test_the_customer_and_each_alias_get_a_marker_that_names_the_id_alone() -> None:
    written = list(markers(erasure("crm:1"), ERASED, KEY))

    assert [(one.topic, one.key, one.value) for one in written] == [
        ("consent.ledger", b"customer:C1", None),
        ("consent.ledger", b"customer:C0", None),
    ]
    assert [one.timestamp_ms for one in written] == [AT, AT]
    assert all((HEADER, b"1") in one.headers for one in written)
    assert not [one for one in written if b"crm" in repr(one).encode() or b"ann" in repr(one).encode()]
    assert written == list(markers(erasure("crm:1"), ERASED, KEY))


def test_the_entries_of_an_erased_customer_and_its_aliases_are_forgotten_and_no_others() -> None:
    found = forgetting(*markers(erasure("crm:1"), ERASED, KEY))

    assert fate(found, entry("C1")) is Fate.FORGOTTEN
    assert fate(found, entry("C0", record=None)) is Fate.FORGOTTEN
    assert fate(found, entry("C2", record="crm:2")) is Fate.KEPT
    assert fate(found, entry("C2", record=None)) is Fate.KEPT


def test_markers_are_kept() -> None:
    written = list(markers(erasure("crm:1"), ERASED, KEY))

    assert [fate(forgetting(*written), told(one)) for one in written] == [Fate.KEPT, Fate.KEPT]


def test_what_a_record_stated_before_it_was_unlinked_is_forgotten_with_its_own_customer() -> None:
    found = forgetting(*markers(erasure("crm:1"), ERASED, KEY))

    assert fate(found, entry("C9", record="crm:1")) is Fate.FORGOTTEN
    assert fate(found, entry("C9", record="crm:1", at=AT)) is Fate.FORGOTTEN


def test_what_a_record_states_after_its_erasure_is_a_new_customers() -> None:
    found = forgetting(*markers(erasure("crm:1"), ERASED, KEY))

    assert fate(found, entry("C9", record="crm:1", at=AT + 1)) is Fate.KEPT


def test_a_record_that_was_unlinked_before_keeps_what_it_had_stated() -> None:
    parted = Customer("C1", 1, erased_at=AT, moves=Moves(parted={"esp:7": "C5"}))
    found = forgetting(*markers(erasure("crm:1"), parted, KEY))

    assert fate(found, entry("C1", record="esp:7")) is Fate.KEPT
    assert fate(found, entry("C1", record="crm:1")) is Fate.FORGOTTEN


def test_a_record_that_was_unlinked_and_came_back_is_forgotten() -> None:
    returned = Customer("C1", 1, erased_at=AT, moves=Moves(parted={"esp:7": "C5"}))
    found = forgetting(*markers(erasure("esp:7"), returned, KEY))

    assert fate(found, entry("C1", record="esp:7")) is Fate.FORGOTTEN


def test_a_parted_record_that_is_erased_later_is_forgotten_with_its_own_customer() -> None:
    parted = Customer("C1", 1, erased_at=AT, moves=Moves(parted={"esp:7": "C5"}))
    first = markers(erasure("crm:1"), parted, KEY)
    later = markers(erasure("esp:7", ids=("C5",)), Customer("C5", 1, erased_at=AT), KEY)

    assert fate(forgetting(*first, *later), entry("C1", record="esp:7")) is Fate.FORGOTTEN


def test_another_key_than_the_engines_is_noticed_before_anything_is_forgotten() -> None:
    with pytest.raises(OtherKey):
        forgetting(*markers(erasure("crm:1"), ERASED, b"other" * 8))


def test_a_null_value_that_somebody_sent_by_mistake_erases_nobody_and_is_kept() -> None:
    mistake = Record("consent.ledger", 0, 3, AT, b"customer:C2", None)
    found = forgetting()
    found.learn(mistake)

    assert found.customers == set()
    assert fate(found, mistake) is Fate.UNREADABLE


def test_bytes_that_cannot_be_decoded_are_kept() -> None:
    found = forgetting(*markers(erasure("crm:1"), ERASED, KEY))

    assert fate(found, replace(entry("C1"), value=b"\xff")) is Fate.UNREADABLE
    assert fate(found, replace(entry("C1"), value=b"")) is Fate.UNREADABLE


def test_a_copy_whose_original_is_still_there_is_skipped_whatever_it_holds() -> None:
    found = forgetting(*markers(erasure("crm:1"), ERASED, KEY))
    left = {"offset": 9, "headers": ((COPIED, b"4"),)}

    assert fate(found, entry("C2", **left), low=4) is Fate.SKIPPED
    assert fate(found, replace(entry("C2", **left), value=b"\xff"), low=4) is Fate.SKIPPED


def test_a_copy_whose_original_is_gone_is_an_entry_as_any_other() -> None:
    found = forgetting(*markers(erasure("crm:1"), ERASED, KEY))
    whole = {"offset": 9, "headers": ((COPIED, b"4"),)}

    assert fate(found, entry("C2", record="crm:2", **whole), low=5) is Fate.KEPT
    assert fate(found, entry("C1", **whole), low=5) is Fate.FORGOTTEN


def test_a_copy_has_the_headers_of_its_original_and_the_offset_that_it_had() -> None:
    first = entry("C2", offset=5, headers=(("trace", b"a"), ("trace", b"b")))
    second = entry("C2", offset=70, headers=copied(first))

    assert copied(first) == (("trace", b"a"), ("trace", b"b"), (COPIED, b"5"))
    assert copied(second) == (("trace", b"a"), ("trace", b"b"), (COPIED, b"70"))


@pytest.mark.parametrize("value", [b"", b"-1", b"four", b"\xb2"])
def test_a_header_that_is_no_offset_makes_no_copy(value: bytes) -> None:
    assert copied_from(((COPIED, value),)) is None
    assert fate(forgetting(), entry("C2", headers=((COPIED, value),))) is Fate.KEPT


def test_a_marker_is_known_by_key_header_and_missing_value_together() -> None:
    marker = told(next(iter(markers(erasure(), ERASED, KEY))))

    assert marked(marker) == "C1"
    assert marked(replace(marker, value=b"x")) is None
    assert marked(replace(marker, headers=())) is None
    assert marked(replace(marker, key=b"ann@example.com")) is None
    assert marked(replace(marker, key=None)) is None


def test_the_hashes_say_nothing_without_the_key() -> None:
    values = [value for one in markers(erasure("crm:1"), ERASED, KEY) for _, value in one.headers]

    assert keyed_hash(KEY, "crm:1").encode() in values
    assert keyed_hash(b"guessed" * 5, "crm:1").encode() not in values
