"""The invented people by whom the platforms are populated; example.com addresses and 555-01xx numbers only."""

from __future__ import annotations

import msgspec

from streams.model import Address


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One customer as a platform is told to hold them.

    Consents are `subscribed`, `unsubscribed` or None (never asked); `consent_at` is an ISO time.
    """

    key: str
    first_name: str
    last_name: str
    email: str | None = None
    phone: str | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    email_consent: str | None = None
    sms_consent: str | None = None
    consent_at: str | None = None
    external: dict[str, str] = {}  # this person's record ids at other platforms


def _home(line1: str, city: str, region: str, postal_code: str, line2: str = "") -> Address:
    return Address(line1=line1, line2=line2, city=city, region=region, postal_code=postal_code, country="US")


# Each holds an address that the validator's book (smarty/book.py) knows or once knew.
POPULATION: tuple[Person, ...] = (
    Person(
        key="ann",
        first_name="Ann",
        last_name="Archer",
        email="ann@example.com",
        phone="+13125550101",
        shipping_address=_home("12 Harbor St", "Chicago", "IL", "60601"),
        billing_address=_home("400 Ledger Ave", "Chicago", "IL", "60602"),
        email_consent="subscribed",
        consent_at="2025-03-01T09:00:00Z",
    ),
    Person(
        key="ben",
        first_name="Ben",
        last_name="Okafor",
        email="ben@example.com",
        phone="+14155550102",
        shipping_address=_home("88 Juniper Way", "San Francisco", "CA", "94107"),
        email_consent="subscribed",
        consent_at="2025-04-12T15:30:00Z",
    ),
    Person(
        key="chloe",
        first_name="Chloé",
        last_name="Dubois-Marsh",
        email="chloe@example.com",
        phone="+12125550103",
        shipping_address=_home("5 Orchard Row", "New York", "NY", "10002", "Apt 4B"),
        email_consent="subscribed",
        sms_consent="subscribed",
        consent_at="2025-05-20T08:15:00Z",
    ),
    Person(
        key="dmitri",
        first_name="Dmitri",
        last_name="Volkov",
        email="dmitri@example.com",
        phone="+12065550104",
        shipping_address=_home("731 Cedar Ln", "Seattle", "WA", "98101"),
        email_consent="unsubscribed",
        consent_at="2025-06-02T11:45:00Z",
    ),
    Person(
        key="esi",
        first_name="Esi",
        last_name="Mensah",
        email="esi@example.com",
        phone="+15125550105",
        shipping_address=_home("2200 Mesa Blvd", "Austin", "TX", "78701", "Ste 300"),
        email_consent="subscribed",
        consent_at="2025-07-14T19:00:00Z",
    ),
    Person(
        key="farid",
        first_name="Farid",
        last_name="Haddad",
        email="farid@example.com",
        phone="+16175550106",
        shipping_address=_home("19 Quay Ct", "Boston", "MA", "02110"),
    ),
)
