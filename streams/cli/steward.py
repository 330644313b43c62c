"""`writeback steward`: what a person decides, by way of any engine worker."""

from __future__ import annotations

import json
from typing import Any

import click

from streams.cli.posting import act, posted, told
from streams.cli.review import review


@click.group()
def steward() -> None:
    """Pin, merge, unlink, release, erase, and decide what is in the review queue.

    Every act needs who (--by) and why (--why); both are kept in the customer's history. WRITEBACK_STEWARD_TOKEN must
    hold the stewards' token of the engine. CUSTOMER is a customer id, a record (`<platform>:<record_id>`) or an e-mail
    address.

    \b
    Example:
      writeback steward pin crm:0031 phone +14155550100 --by Sam --why "confirmed by phone"
      writeback steward review list
    """


steward.add_command(review)


@steward.command()
@click.argument("customer")
@click.argument("attribute", required=False)
@click.argument("value", required=False)
@click.option("--clear", is_flag=True, help="Pin the attribute to nothing.")
@click.option("--opt-out", "point", metavar="CONTACT_POINT", help="Pin the consent of a contact point to opted out.")
@click.option("--channel", help="Of the consent; sms for a phone, else email.")
@click.option("--purpose", default="marketing", show_default=True, help="Of the consent.")
@act
def pin(
    customer: str,
    attribute: str | None,
    value: str | None,
    clear: bool,
    point: str | None,
    channel: str | None,
    purpose: str,
    **given: Any,
) -> None:
    """Let VALUE be golden, whatever the records say; an address as a JSON object."""
    if point is not None and attribute is None:
        asked: dict[str, Any] = {"customer": customer, "value": "opt_out", **_consent(point, channel, purpose)}
    elif attribute is not None and point is None and clear != (value is not None):
        asked = {"customer": customer, "attribute": attribute, "value": None if clear else _value(value or "")}
    else:
        raise click.UsageError("give an ATTRIBUTE with a VALUE or --clear, or --opt-out alone")
    _do("pin", asked, **given)


@steward.command()
@click.argument("customer")
@click.argument("attribute", required=False)
@click.option("--opt-out", "point", metavar="CONTACT_POINT", help="The pinned opt-out of a contact point.")
@click.option("--channel", help="Of the consent; sms for a phone, else email.")
@click.option("--purpose", default="marketing", show_default=True, help="Of the consent.")
@act
def unpin(
    customer: str, attribute: str | None, point: str | None, channel: str | None, purpose: str, **given: Any
) -> None:
    """Take a pin back: the records decide again."""
    _do("unpin", {"customer": customer, **_one_of(attribute, point, channel, purpose)}, **given)


@steward.command()
@click.argument("customer")
@click.argument("with_", metavar="WITH")
@act
def merge(customer: str, with_: str, **given: Any) -> None:
    """Make one customer of CUSTOMER and WITH; the older id survives, the other leads to it for ever."""
    _do("merge", {"customer": customer, "with": with_}, **given)


@steward.command()
@click.argument("record")
@act
def unlink(record: str, **given: Any) -> None:
    """Take RECORD out of its customer, with its own claims, identifiers and consent."""
    _do("unlink", {"record": record}, **given)


@steward.command()
@click.argument("record")
@click.argument("attribute", required=False)
@click.option("--consent", "point", metavar="CONTACT_POINT", help="A refused consent instead of an attribute.")
@click.option("--channel", help="Of the consent; sms for a phone, else email.")
@click.option("--purpose", default="marketing", show_default=True, help="Of the consent.")
@act
def release(
    record: str, attribute: str | None, point: str | None, channel: str | None, purpose: str, **given: Any
) -> None:
    """Tell RECORD again what its platform refused, or what was quarantined."""
    _do("release", {"record": record, **_one_of(attribute, point, channel, purpose)}, **given)


@steward.command()
@click.argument("customer")
@click.option("--yes", is_flag=True, help="Do not ask.")
@act
def erase(customer: str, yes: bool, **given: Any) -> None:
    """Erase CUSTOMER here and at every platform. There is no way back."""
    if not yes:
        click.confirm("Erase this customer here and at every platform, for ever?", abort=True)
    _do("erase", {"customer": customer}, **given)


def _consent(point: str, channel: str | None, purpose: str) -> dict[str, str]:
    return {
        "contact_point": point,
        "channel": channel or ("sms" if point.startswith("+") else "email"),
        "purpose": purpose,
    }


def _one_of(attribute: str | None, point: str | None, channel: str | None, purpose: str) -> dict[str, str]:
    if (attribute is None) == (point is None):
        raise click.UsageError("give an ATTRIBUTE or a contact point")
    return {"attribute": attribute} if attribute is not None else _consent(point or "", channel, purpose)


def _value(text: str) -> Any:
    if not text.startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise click.UsageError("VALUE begins as a JSON object and is none") from None


def _do(action: str, asked: dict[str, Any], by: str, why: str, url: str, request_id: str | None, as_json: bool) -> None:
    named = {"request_id": request_id} if request_id is not None else {}
    told(posted(url, action, {**asked, **named, "by": by, "why": why}), as_json)
