"""The history as JSON and as a page: paged, at a time, under a merged customer's id, of an erased one."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from streams.model import StewardRequest
from streams.runtime.chapters import Bounds
from streams.runtime.historian import moved_emit
from tests.unit.history.desk import Desk
from tests.unit.history.telling import NOON, RECORD_BYTES_MAX, Shelf, answer, change, named
from tests.unit.history.telling import Told as Folded
from tests.unit.web.conftest import Visit
from tests.unit.web.site import HOME, Rows, Told

BY_HAND = StewardRequest("pin", "r1", "C1", attribute="first_name", value="Anne", by="sam", why="a phone call")


def rows_of(shelf: Shelf, states: Rows | None = None) -> Rows:
    """The rows that the views read: a shelf's for the history."""
    rows = states or Rows()
    rows.stored["history"] = dict(shelf.store.scan(None, 10_000))
    return rows


@pytest.fixture
def told() -> Folded:
    """Ann in two platforms, renamed, told to the CRM, pinned by a steward."""
    told = Folded()
    told.take(change("enters", "crm:1", 0, attributes={"billing_address": {"value": HOME}}), 0)
    command = told.take(named("c1", "storefront:9", 10, "Ann"), 10).commands[0]
    told.take(answer(command, "applied"), 20)
    told.take(named("c2", "storefront:9", 30, "Anna"), 30)
    told.take(BY_HAND, 40)
    return told


@pytest.fixture
def shelf(tmp_path_factory: pytest.TempPathFactory, told: Folded) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("shelf") / "rows")
    shelf.write(b"C1", told.entries)
    return shelf


async def test_entries_say_what_changed_from_which_record_and_what_came_back(visit: Visit, shelf: Shelf) -> None:
    async with visit(rows_of(shelf)) as visitor:
        status, view, _ = await visitor.get("/customers/C1/history")

    assert status == 200
    assert (view["customer_id"], view["complete"], view["known_from"], view["next"]) == ("C1", True, None, None)
    kinds = [(one["kind"], one["cause"], one["record"]) for one in view["entries"]]
    assert kinds[0] == ("steward", "r1", None)
    assert ("change", "c1", "storefront:9") in kinds
    renamed = next(one for one in view["entries"] if one["cause"] == "c2")
    assert renamed["attributes"]["first_name"]["value"] == "Anna"
    assert renamed["attributes"]["first_name"]["before"] == "Ann"
    commanded = next(one for one in view["entries"] if one["cause"] == "c1")["commands"]
    assert [(one["platform"], one["attributes"], one["outcome"]) for one in commanded] == [
        ("crm", ["first_name"], "applied")
    ]
    assert commanded[0]["answered_at"] == "2026-01-10T12:00:20Z"
    assert [one["outcome"] for one in renamed["commands"]] == [None]
    pinned = view["entries"][0]["steward"]
    assert (pinned["action"], pinned["by"], pinned["why"], pinned["value"]) == ("pin", "sam", "a phone call", "Anne")


async def test_at_a_time_it_tells_what_was_golden_then(visit: Visit, shelf: Shelf) -> None:
    names = {}
    async with visit(rows_of(shelf)) as visitor:
        for second in (0, 10, 29, 30, 59):
            view = (await visitor.get(f"/customers/C1/history?at=2026-01-10T12:00:{second:02}Z"))[1]
            names[second] = view["attributes"].get("first_name", {}).get("value")
        before = (await visitor.get("/customers/C1/history?at=2026-01-10"))[1]

    assert names == {0: None, 10: "Ann", 29: "Ann", 30: "Anna", 59: "Anne"}
    assert (before["known"], before["attributes"], before["consents"]) == (True, {}, [])


async def test_before_what_is_kept_it_says_so(visit: Visit, tmp_path: Path) -> None:
    told = Folded()
    told.names(*(f"Name {number}" for number in range(50)))
    shelf = Shelf(tmp_path / "shelf")
    shelf.write(b"C1", told.entries, Bounds(20, 0, RECORD_BYTES_MAX))
    async with visit(rows_of(shelf)) as visitor:
        early = (await visitor.get("/customers/C1/history?at=2026-01-10T12:00:01Z"))[1]
        page = await visitor.page("/customers/C1/history?at=2026-01-10T12:00:01Z")
        view = (await visitor.get("/customers/C1/history"))[1]

    assert (early["known"], early["attributes"]) == (False, {})
    assert early["note"].startswith("the history is kept from 2026-01-10T12:00:")
    assert "cannot be told" in page
    assert (view["complete"], view["known_from"]) == (False, early["known_from"])


async def test_pages_follow_each_other(visit: Visit, shelf: Shelf) -> None:
    async with visit(rows_of(shelf)) as visitor:
        whole = (await visitor.get("/customers/C1/history"))[1]["entries"]
        first = (await visitor.get("/customers/C1/history?limit=2"))[1]
        second = (await visitor.get(f"/customers/C1/history?limit=2&before={first['next']}"))[1]
        earlier = (await visitor.get("/customers/C1/history?before=2026-01-10T12:00:20Z"))[1]

    assert [*first["entries"], *second["entries"]] == whole[:4]
    assert [one["at"] for one in earlier["entries"]] == [
        one["at"] for one in whole if one["at"] < "2026-01-10T12:00:20Z"
    ]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("limit=0", "limit is a number from 1 to 500"),
        ("limit=501", "limit is a number from 1 to 500"),
        ("limit=many", "limit is a number from 1 to 500"),
        ("limit=%C2%B2", "limit is a number from 1 to 500"),
        ("at=yesterday", "at is an RFC 3339 time, such as 2026-01-10T12:00:00Z"),
        ("at=", "at is an RFC 3339 time, such as 2026-01-10T12:00:00Z"),
        ("before=nothing", "before is the `next` of another page, or an RFC 3339 time"),
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(visit: Visit, shelf: Shelf, query: str, why: str) -> None:
    async with visit(rows_of(shelf)) as visitor:
        status, body, _ = await visitor.get(f"/customers/C1/history?{query}")

    assert (status, body) == (400, {"error": why})


async def test_nobodys_history_is_not_found_and_a_customer_without_one_has_none(visit: Visit) -> None:
    states = Told()
    states.values("crm:r1", 0, "a/b", first_name="Ann")
    async with visit(states.rows()) as visitor:
        nobody = await visitor.get("/customers/C9/history")
        empty = await visitor.get(f"/customers/{quote('a/b', safe='')}/history")
        then = await visitor.get(f"/customers/{quote('a/b', safe='')}/history?at=2026-01-10T12:00:00Z")

    assert nobody[:2] == (404, {"error": "no customer has this id"})
    assert (empty[0], empty[1]["customer_id"], empty[1]["entries"]) == (200, "a/b", [])
    assert (then[1]["known"], then[1]["note"]) == (False, "no history is kept of this customer")


async def test_the_page_shows_the_same(visit: Visit, shelf: Shelf) -> None:
    states = Told()
    states.values("storefront:9", 0, first_name="Ann")
    async with visit(rows_of(shelf, states.rows())) as visitor:
        page = await visitor.page("/customers/C1/history")
        then = await visitor.page("/customers/C1/history?at=2026-01-10T12:00:20Z")

    for shown in ("Anna", "It was Ann", "Pin by sam", "A phone call", "storefront:9", 'aria-current="page">History'):
        assert shown in page
    assert "Ann" in then and "Anna" not in then


async def test_a_value_is_never_markup(visit: Visit, tmp_path: Path) -> None:
    told = Folded()
    told.names("<script>alert(1)</script>", "Ann")
    shelf = Shelf(tmp_path / "shelf")
    shelf.write(b"C1", told.entries)
    async with visit(rows_of(shelf)) as visitor:
        page = await visitor.page("/customers/C1/history")

    assert "<script>" not in page
    assert "&lt;script&gt;" in page


async def test_of_an_erased_customer_there_is_no_history(visit: Visit, shelf: Shelf) -> None:
    states = Told()
    states.values("storefront:9", 0, first_name="Ann")
    states.ask(5, "erase")
    async with visit(rows_of(shelf, states.rows())) as visitor:
        view = (await visitor.get("/customers/C1/history"))[1]
        page = await visitor.page("/customers/C1/history")

    assert (view["customer_id"], view["erased"]) == ("C1", True)
    assert "entries" not in view
    assert "Anna" not in page


async def test_a_merged_customers_id_leads_to_the_survivors_history_with_both(visit: Visit, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    for key, name in ((b"C1", "Ann"), (b"C2", "Bo")):
        told = Folded()
        told.names(name)
        await desk.take((key, told.entries[0]))
    moved = moved_emit(b"C2", "C1", NOON)
    await desk.settle(await desk.take((moved.key, moved.value)))
    async with visit(rows_of(desk.shelf)) as visitor:
        view = (await visitor.get("/customers/C2/history"))[1]

    assert view["customer_id"] == "C1"
    assert {one["customer_id"] for one in view["entries"]} == {"C1", "C2"}


async def test_what_is_older_than_the_policy_allows_is_not_shown(visit: Visit, tmp_path: Path) -> None:
    aged = Folded()
    aged.take(named("old", "storefront:9", -3 * 365 * 86_400, "Old"), -3 * 365 * 86_400)
    aged.take(named("new", "storefront:9", 0, "New"), 0)
    shelf = Shelf(tmp_path / "shelf")
    shelf.write(b"C1", aged.entries, Bounds(200, -(10**15), RECORD_BYTES_MAX))
    async with visit(rows_of(shelf)) as visitor:
        view = (await visitor.get("/customers/C1/history"))[1]

    assert [one["cause"] for one in view["entries"]] == ["new"]
    assert view["entries"][0]["attributes"]["first_name"]["before"] == "Old"
    assert not view["complete"]
