"""`writeback steward review`: the queue of what the rules do not decide alone."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.table import Column, Table

from streams.cli.asking import engine_url
from streams.cli.console import console
from streams.cli.errors import Sentence
from streams.cli.posting import Answer, act, got, posted, told

STATES = ("open", "approved", "dismissed", "settled", "all")


@click.group()
def review() -> None:
    """See and decide what the rules do not decide alone."""


@review.command("list")
@click.option("--state", type=click.Choice(STATES), default="open", show_default=True, help="Cases in this state.")
@click.option("--customer", metavar="ID", help="Cases of one customer.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
@engine_url
@click.option("--json", "as_json", is_flag=True, help="The engine's answer as it is.")
def list_(state: str, customer: str | None, limit: int, url: str, as_json: bool) -> None:
    """List cases with their evidence, the longest waiting first."""
    named = {"customer": customer} if customer is not None else {}
    body = _seen(got(url, "reviews", state=state, limit=str(limit), **named))
    if as_json:
        click.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    if not body["reviews"]:
        click.echo("the queue is empty")
        return
    console().print(_table(body["reviews"]))
    if body["more"]:
        click.echo("there are more")


@review.command()
@click.argument("review_id")
@engine_url
def show(review_id: str, url: str) -> None:
    """Show one case as JSON: its evidence, what approving it does, and who decided it."""
    click.echo(json.dumps(_seen(got(url, "reviews", review_id)), ensure_ascii=False, indent=2))


def _seen(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        raise Sentence(str(answer.body.get("error", f"HTTP {answer.status}")))
    return answer.body


def _table(cases: list[dict[str, Any]]) -> Table:
    table = Table("case", "seen", Column("evidence", overflow="fold"), Column("approving it", overflow="fold"), "state")
    for one in cases:
        seen = f"{one['count']} x, last {one['last_at']}"
        decided = (
            one["state"] + (f" by {one['by']}" if "by" in one else "") + (f": {one['why']}" if "why" in one else "")
        )
        table.add_row(one["review_id"], seen, _evidence(one), one["approval"], decided)
    return table


def _evidence(one: dict[str, Any]) -> str:
    """What is known of a case, in one line."""
    words = [one["detail"] if "detail" in one else one["kind"]]
    words += [f"{name} {one[key]}" for name, key in _NAMED if key in one]
    if "change_ids" in one:
        words.append(f"changes {', '.join(one['change_ids'])}")
    return "; ".join(words)


_NAMED = (
    ("customer", "customer_id"),
    ("other", "other_id"),
    ("record", "record"),
    ("attribute", "attribute"),
    ("identifier", "identifier"),
    ("rule", "rule"),
)


def _deciding(value: str, words: str) -> click.Command:
    @click.command(value, help=words)
    @click.argument("review_id")
    @act
    def decide(review_id: str, by: str, why: str, url: str, request_id: str | None, as_json: bool) -> None:
        named = {"request_id": request_id} if request_id is not None else {}
        asked = {"review": review_id, "value": value, "by": by, "why": why, **named}
        told(posted(url, "review", asked), as_json)

    return decide


review.add_command(_deciding("approve", "Approve REVIEW_ID: what it asks for is done."))
review.add_command(_deciding("dismiss", "Dismiss REVIEW_ID: the same evidence does not bring it up again."))
