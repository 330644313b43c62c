"""Two notations of one value, and two values that only look alike (canonical forms)."""

from __future__ import annotations

import pytest

from streams.core import canonical
from streams.core.canonical import Quirk, same, through
from streams.model import Address, Invalid

HOME = Address("233 S Wacker Dr", "", "Chicago", "IL", "60606", "US")


def changed(**parts: str) -> Address:
    return Address(**{**HOME.parts(), **parts})


@pytest.mark.parametrize(
    "other",
    [
        changed(line1=" 233 s  WACKER dr. "),
        changed(country="United States"),
        changed(country="usa"),
        changed(region="Illinois"),
        changed(region="US-IL"),
        changed(city="CHICAGO,"),
        changed(postal_code="60606-4637"),
        changed(postal_code="606064637"),
    ],
    ids=lambda one: " ".join(one.parts().values()),
)
def test_one_address_in_two_notations_is_the_same(other: Address) -> None:
    assert same(canonical.address(HOME), canonical.address(other))


@pytest.mark.parametrize(
    "other",
    [
        changed(line1="233 South Wacker Drive"),
        changed(line2="Apt 1"),
        changed(postal_code="60607"),
        changed(country="CA"),
        changed(region="IN"),
    ],
    ids=lambda one: " ".join(one.parts().values()),
)
def test_two_addresses_are_not(other: Address) -> None:
    assert not same(canonical.address(HOME), canonical.address(other))


def test_two_zips_of_nine_digits_are_compared_whole() -> None:
    one, other = (canonical.address(changed(postal_code=code)) for code in ("60606-4637", "60606-4638"))

    assert not same(one, other)


def test_only_zips_of_the_united_states_are_compared_by_their_first_five_digits() -> None:
    one, other = (
        canonical.address(changed(country="DE", postal_code=code, region="")) for code in ("10115", "101154637")
    )

    assert not same(one, other)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" Ann@Example.COM ", "ann@example.com"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("no address", "no address"),
    ],
)
def test_an_email_is_trimmed_lower_case_and_its_domain_idna(given: str, expected: str) -> None:
    assert canonical.email(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("(415) 555-0101", "+14155550101"),
        ("+44 20 7946 0123", "+442079460123"),
        ("0044 20 7946 0123", "0044 20 7946 0123"),
        ("call  me", "call me"),
    ],
)
def test_a_phone_is_e164_or_the_text_that_it_was(given: str, expected: str) -> None:
    assert canonical.phone(given, "US") == expected


def test_a_phone_that_does_not_parse_is_no_contact_point() -> None:
    assert [canonical.is_phone(canonical.phone(one, "US")) for one in ("+14155550101", "call me", "12")] == [
        True,
        False,
        False,
    ]


def test_a_name_keeps_its_case_and_loses_its_extra_spaces() -> None:
    assert canonical.folded("  de   la Cruz ") == "de la Cruz"
    assert canonical.folded("Zoe\u0308") == "Zo\u00eb"


@pytest.mark.parametrize(
    ("address", "full"),
    [
        (HOME, True),
        (changed(postal_code=""), False),
        (changed(postal_code="", country="AE"), True),
        (changed(postal_code="", country="Hong Kong"), True),
        (changed(line1=" "), False),
        (changed(region="", line2=""), True),
    ],
    ids=str,
)
def test_an_address_is_full_with_line_city_country_and_the_postal_code_where_there_is_one(
    address: Address, full: bool
) -> None:
    assert canonical.is_full(address) is full


def test_quirks_show_a_value_as_the_platform_keeps_it() -> None:
    quirks = {"line1": Quirk(max_length=9), "city": Quirk(case="ignore"), "line2": Quirk(ignore=True)}

    kept = through(quirks, changed(line1=" 233 South Wacker Drive", line2="Apt 4B", city="Chicago"))

    assert kept == changed(line1="233 South", line2="", city="chicago")
    assert through({"": Quirk(ascii=True)}, "Zoë") == "Zoe"


def test_a_value_that_no_quirk_changes_is_itself() -> None:
    assert through({"line1": Quirk(max_length=80)}, HOME) is HOME


def test_the_separator_is_no_part_of_any_text() -> None:
    with pytest.raises(Invalid):
        canonical.check_separators("value", "fine", "a\x1fb")
