"""How platforms spell places and phones: names for codes, codes for names, national and E.164 notation."""

from __future__ import annotations

from typing import Any, cast

import phonenumbers
import pycountry

DEFAULT_REGION = "US"
_COUNTRIES = cast(Any, pycountry.countries)
_REGIONS = cast(Any, pycountry.subdivisions)


def country_code(text: str) -> str | None:
    """ISO 3166-1 alpha-2 of a country's code or name; None where no country is called so."""
    try:
        return str(_COUNTRIES.lookup(text.strip()).alpha_2)
    except LookupError:
        return None


def country_name(code: str) -> str:
    """The everyday English name of a country; the code itself where it is none."""
    country = _COUNTRIES.get(alpha_2=code)
    return code if country is None else str(getattr(country, "common_name", country.name))


def region_code(country: str, text: str) -> str | None:
    """The subdivision's code without its country (`IL`) from its code or name; None where there is none."""
    wanted = text.strip().casefold()
    for region in _REGIONS.get(country_code=country) or ():
        code = str(region.code).partition("-")[2]
        if wanted in (code.casefold(), str(region.name).casefold()):
            return code
    return None


def region_name(country: str, code: str) -> str:
    """The subdivision's English name; the code itself where it is none."""
    region = _REGIONS.get(code=f"{country}-{code}")
    return code if region is None else str(region.name)


def e164(text: str, region: str = DEFAULT_REGION) -> str | None:
    """The phone number in E.164; None where it is not a valid one."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def national(text: str, region: str = DEFAULT_REGION) -> str:
    """The number as people of `region` write their own, `(312) 555-0101`; any other number, and any text, as it is."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return text
    if number.country_code != phonenumbers.country_code_for_region(region):
        return text
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL))
