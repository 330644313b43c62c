# ruff: noqa: SIM905 (sixty country codes read better as one text than as sixty quoted words)
"""Canonical forms: how two notations of one value are known to be equal (design.md, canonical forms).

Every comparison in the core is of these texts. A canonical address is its six parts joined by `SEP`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import idna
import phonenumbers
import pycountry

from streams.model import ADDRESS_PARTS, Address, Invalid, Value

SEP: Final = "\x1f"
CACHE_MAX: Final = 65_536

ValueKind: TypeAlias = Literal["address", "email", "phone", "name"]

# Countries without postal codes: an address there is full without one (R6).
NO_POSTAL_CODE = frozenset(
    "AE AG AO AW BF BI BJ BO BS BW BZ CD CF CG CI CK CM DJ DM ER FJ GA GD GH GM GN GQ GY HK IE JM KI KM KN KP "
    "LC LY ML MO MR MW NR NU QA RW SB SC SL SO SR ST SX SY TD TG TK TO TV TZ UG VU YE ZW".split()
)

_PUNCTUATION = " \t\r\n.,;:-"
_DIGITS = re.compile(r"\D+", re.ASCII)


def folded(text: str) -> str:
    """NFC, trimmed, inner space folded; case is kept (names)."""
    return " ".join((text if text.isascii() else unicodedata.normalize("NFC", text)).split())


def email(text: str) -> str:
    """Trimmed, lower case, the domain in its IDNA form; text that is no address is folded and kept."""
    plain = text.strip().lower()
    if plain.isascii():
        return plain
    return _international_email(unicodedata.normalize("NFC", plain))


@lru_cache(CACHE_MAX)
def _international_email(plain: str) -> str:
    local, at, domain = plain.rpartition("@")
    if not at:
        return plain
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError:
        return plain


def phone(text: str, default_region: str) -> str:
    """E.164, numbers without a country code taken in `default_region`; what does not parse is kept as text."""
    # A number of the North American plan in E.164 is its own canonical form; parsing it costs 60 us.
    if len(text) == 12 and text.startswith("+1") and text[2] not in "01" and text.isascii() and text[1:].isdigit():
        return text
    return _parsed_phone(text, default_region)


@lru_cache(CACHE_MAX)
def _parsed_phone(text: str, default_region: str) -> str:
    try:
        number = phonenumbers.parse(text, default_region)
    except phonenumbers.NumberParseException:
        return folded(text)
    if not phonenumbers.is_possible_number(number):
        return folded(text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_phone(canonical: str) -> bool:
    """True where the text parsed: what did not never matches and is no contact point."""
    return canonical.startswith("+") and canonical[1:].isdigit()


def is_email(canonical: str) -> bool:
    """True where the text has the shape of an address, so that it can be a contact point."""
    return 0 < canonical.rfind("@") < len(canonical) - 1 and " " not in canonical


@lru_cache(4096)
def country(text: str) -> str:
    """ISO 3166-1 alpha-2 of a code or a name, in upper case; an unknown name is folded and kept."""
    plain = folded(text).strip(_PUNCTUATION)
    if not plain:
        return ""
    try:
        return str(pycountry.countries.lookup(plain).alpha_2)
    except LookupError:
        return _COUNTRY_ALIASES.get(plain.casefold(), plain.casefold())


_COUNTRY_ALIASES = {
    "uk": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "u.s": "US",
    "u.s.a": "US",
    "united states of america": "US",
    "the netherlands": "NL",
    "south korea": "KR",
    "russia": "RU",
    "czech republic": "CZ",
    "turkey": "TR",
    "vietnam": "VN",
    "taiwan": "TW",
}


@lru_cache(1024)
def _subdivisions(country_code: str) -> Mapping[str, str]:
    if len(country_code) != 2:
        return {}
    found = pycountry.subdivisions.get(country_code=country_code)  # type: ignore[no-untyped-call]
    return {folded(one.name).casefold(): one.code.partition("-")[2] for one in found or ()}


@lru_cache(16_384)
def region(text: str, country_code: str) -> str:
    """The subdivision's code (`IL`) where the country has one by that name or code, else the folded text."""
    plain = folded(text).strip(_PUNCTUATION).casefold()
    known = _subdivisions(country_code)
    prefix = f"{country_code.casefold()}-"
    code = plain.removeprefix(prefix).upper()
    if code in known.values():
        return code
    return known.get(plain, plain)


def _part(text: str) -> str:
    if not text:
        return ""
    plain = text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()
    return " ".join(plain.split()).strip(_PUNCTUATION)


def postal_code(text: str, country_code: str) -> str:
    """A US ZIP as its digits (five or nine), any other code without its spaces."""
    if country_code == "US":
        digits = text if text.isascii() and text.isdigit() else _DIGITS.sub("", text)
        if len(digits) in (5, 9):
            return digits
    return _part(text).replace(" ", "")


def address(value: Address) -> str:
    """The six canonical parts joined by `SEP`."""
    place = (value.city, value.region, value.postal_code, value.country)
    known = _places.get(place)
    if known is None:
        if len(_places) >= CACHE_MAX:
            _places.clear()
        known = _places[place] = _canonical_place(*place)
    return f"{_part(value.line1)}{SEP}{_part(value.line2)}{SEP}{known}"


# Streets are as many as customers, places are not. A dict: the compiled core would call an lru_cache slowly.
_places: Final[dict[tuple[str, str, str, str], str]] = {}


def _canonical_place(city: str, area: str, postal: str, country_name: str) -> str:
    code = country(country_name)
    return SEP.join(
        (
            _part(city),
            region(area, code) if area else "",
            postal_code(postal, code) if postal else "",
            code,
        )
    )


def is_full(value: Address) -> bool:
    """R6: line1, city, country, and a postal code where the country has them."""
    if not (value.line1.strip() and value.city.strip() and value.country.strip()):
        return False
    return bool(value.postal_code.strip()) or country(value.country) in NO_POSTAL_CODE


def merged(base: Address | None, told: Address) -> Address:
    """The parts that were told over the parts that were known; an empty part says nothing (R6)."""
    if base is None:
        return told
    known = base.parts()
    known.update((part, text) for part, text in told.parts().items() if text.strip())
    return Address(**known)


def is_empty(value: Value | None) -> bool:
    """True where the value says nothing: null, blank text, an address with no part (R5)."""
    if value is None or isinstance(value, str):
        return not (value and value.strip())
    return not any(text.strip() for text in value.parts().values())


def canonical(kind: ValueKind, value: Value | None, default_region: str) -> str:
    """The canonical text of a value of `kind`; "" where there is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return address(value)
    if kind == "phone":
        return phone(value, default_region)
    if kind == "email":
        return email(value)
    return folded(value)


def same(one: str, other: str) -> bool:
    """Equality of canonical texts; US ZIPs by their first five digits unless both have nine."""
    if one == other:
        return True
    if SEP not in one or SEP not in other:
        return False
    left, right = one.split(SEP), other.split(SEP)
    if left[5] != "US" or left[:4] != right[:4] or right[5] != "US":
        return False
    return left[4][:5] == right[4][:5] and 5 in (len(left[4]), len(right[4]))


@dataclass(frozen=True)
class Quirk:
    """What a platform does to one attribute, or one part of an address, that it stores.

    `max_length`: characters kept. `case = "ignore"`: it changes upper and lower case. `ascii`: it drops accents.
    `ignore`: it does not keep this part at all.
    """

    max_length: int | None = None
    case: Literal["keep", "ignore"] = "keep"
    ascii: bool = False
    ignore: bool = False

    def keeps(self, text: str) -> bool:
        """True where the platform keeps the text as it is. Nearly always its length says so."""
        if self.ascii or self.ignore or self.case != "keep":
            return self.stored(text) == text
        return self.max_length is None or len(text) <= self.max_length

    def stored(self, text: str) -> str:
        """The text as the platform keeps it."""
        if self.ignore:
            return ""
        if self.ascii:
            text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
        if self.max_length is not None:
            text = text[: self.max_length]
        return text.casefold() if self.case == "ignore" else text


def through(quirks: dict[str, Quirk], value: Value) -> Value:
    """The value as the platform keeps it, itself where nothing changes.

    `quirks` by part of an address, or under "" for a plain value. What no comparison looks at does not take up room.
    """
    if isinstance(value, str):
        plain = quirks.get("")
        kept = value.strip()
        return value if plain is None or plain.keeps(kept) else plain.stored(kept)
    changed: dict[str, str] = {}
    for part, quirk in quirks.items():
        told = getattr(value, part).strip(_PUNCTUATION)
        if not quirk.keeps(told):
            changed[part] = quirk.stored(told)
    return Address(**{**value.parts(), **changed}) if changed else value


def check_separators(path: str, *texts: str | None) -> None:
    """Raise Invalid for a text with the character that parts the state's keys and canonical addresses."""
    for text in texts:
        if text is not None and SEP in text:
            raise Invalid("bad_value", f"{path}: a control character")


PARTS = frozenset(ADDRESS_PARTS)
