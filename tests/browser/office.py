"""An engine in miniature for the console: what stewards ask is carried out by the pipeline, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from streams.codec.internal import decode_steward
from streams.codec.state import encode_customer
from streams.core.erasure import buried
from streams.core.reviewing import decided, follows, opened, settle
from streams.lane import Emit
from streams.model import Invalid, Note, StewardRequest, format_time
from streams.runtime.asked import Outcome, request_key
from streams.runtime.contacts import VERSION, _encoder
from streams.runtime.reviews import decode_review, encode_review
from tests.unit.history.telling import NOON, Shelf, named
from tests.unit.history.telling import Told as Folded
from tests.unit.web.site import ANN, HOME, OLD_HOME, PHONE, Rows, Told

VIEW_TOKEN, STEWARD_TOKEN = "only looking", "also acting"
STEWARD = "Sam Okoye"
# Ann, whose record every test reads; Bo, who meets Ann's sister Cy in an e-mail; Di, who was erased as Diana too.
CUSTOMER, BO, CY, DI, DIANA = "C/1 ä", "c-bo", "c-cy", "c-di", "c-diana"
CY_MAIL = "cy@example.com"
LONG_ID = "gid://shopify/Customer/7064055069303700841234567890"
ARGUED, SISTERS, JOINED = "r-argued", "r-sisters", "r-joined"


class Office(Rows):
    """Rows of a story; a request changes the story, and the rows with it. `refuses`: the reason for every request."""

    def __init__(self, story: Told, directory: Path) -> None:
        super().__init__()
        self._story = story
        self._asked = 0
        self.refuses: str | None = None
        self.stored["history"] = _history(directory)
        self._write()
        for review_id, note in _cases().items():
            review = opened(note, f"{note.platform}:{note.record_id}", NOON + 30_000)
            review.review_id = review_id
            if review_id == JOINED:
                settle(review, CUSTOMER, NOON + 40_000)
            self.stored["reviews"][review_id.encode()] = encode_review(review)

    async def send(self, emit: Emit) -> None:
        """Carry out a request and answer it."""
        self.sent.append(emit)
        request = decode_steward(emit.value)
        reason, following = self.refuses, None
        if reason is None:
            try:
                following = self._do(request)
            except Invalid as invalid:
                reason = invalid.reason
        then = following.request_id if following is not None else None
        self._answer(Outcome(request.request_id or "", NOON, "refused" if reason else "accepted", None, reason, then))

    def _do(self, request: StewardRequest) -> StewardRequest | None:
        if request.action != "review":
            self._feed(request)
            return None
        key = (request.review or "").encode()
        review = decode_review(self.stored["reviews"][key])
        decided(review, request, NOON)
        self.stored["reviews"][key] = encode_review(review)
        following = follows(review)
        if following is not None:
            self._feed(following)
            self._answer(Outcome(following.request_id or "", NOON, "accepted", following.customer_id))
        return following

    def _feed(self, request: StewardRequest) -> None:
        self._asked += 1
        at = NOON + 60_000 + self._asked
        said: dict[str, Any] = msgspec.to_builtins(request)
        self._story.pipeline.feed("steward", said | {"at": format_time(at)}, at)
        self._write()

    def _answer(self, outcome: Outcome) -> None:
        self.stored["reviews"][request_key(outcome.request_id)] = VERSION + _encoder.encode(outcome)

    def _write(self) -> None:
        gone = erased().rows().stored["customers"] | {DIANA.encode(): encode_customer(buried(DIANA, NOON, DI))}
        for table, rows in self._story.rows().stored.items():
            if table not in ("reviews", "history"):
                self.stored[table] = rows | (gone if table == "customers" else {})


def told() -> Told:
    """A customer of three records: what differs, waits, is in flight and was refused, and a consent of each kind."""
    story = Told(acknowledge=False)

    def values(record: str, second: int, **said: object) -> Any:
        return story.values(record, second, CUSTOMER, **said)

    values(f"storefront:{LONG_ID}", 0, first_name="Ann", last_name="Lee-Featherstonehaugh", email=ANN, phone=PHONE)
    values(f"storefront:{LONG_ID}", 1, shipping_address=(HOME, 0.97))
    values("crm:0031a00000AbCdE", 2, first_name="Anna", last_name="Lee-Featherstonehaugh", email=ANN)
    values("crm:0031a00000AbCdE", 3, shipping_address=(OLD_HOME, 0.5), billing_address=OLD_HOME)
    refused = values("esp:01HX", 4, phone="+14155550101", first_name="Ann")
    _consents(story)
    for number, command in enumerate(refused.commands):
        if command.op == "update":
            story.answer(refused, "refused" if command.platform == "crm" else "applied", 11 + number, number)
    story.values("crm:0032b", 20, BO, first_name="Bo", email=CY_MAIL)
    story.values("esp:77", 21, CY, first_name="Cy", email=CY_MAIL)
    return story


def erased() -> Told:
    """A customer that was erased, on its own; one platform has answered."""
    story = Told(acknowledge=False)
    story.values("crm:0039z", 22, DI, first_name="Di", email="di@example.com")
    story.values("esp:99", 23, DI, first_name="Di")
    output = story.ask(25, "erase", customer_id=DI)
    story.answer(output, "applied", 26)
    return story


def _consents(story: Told) -> None:
    shop = f"storefront:{LONG_ID}"
    form = {"form": "checkout"}
    story.consent(shop, 5, "opt_in", customer=CUSTOMER, explicit=True, method="checkbox", evidence=form)
    story.consent(shop, 8, "opt_out", customer=CUSTOMER, explicit=True, method="unsubscribe_link")
    story.consent("crm:0031a00000AbCdE", 9, "opt_in", customer=CUSTOMER, method="batch")
    start = {"text": "START"}
    story.consent("esp:01HX", 10, "opt_in", PHONE, customer=CUSTOMER, explicit=True, method="keyword", evidence=start)


def _history(directory: Path) -> dict[bytes, bytes]:
    folded = Folded(CUSTOMER)
    folded.take(named("c1", "storefront:9", 0, "Ann"), 0)
    folded.take(named("c2", "crm:0031", 5, "Anna"), 5)
    pin = StewardRequest("pin", "p1", CUSTOMER, attribute="first_name", value="Anne", by=STEWARD, why="a phone call")
    folded.take(pin, 9)
    shelf = Shelf(directory / "history")
    shelf.write(CUSTOMER.encode(), folded.entries)
    return dict(shelf.store.scan(None, 10_000))


def _cases() -> dict[str, Note]:
    """Two people who share an e-mail, a platform that keeps contradicting, and two customers that are one by now."""
    met = ("review", "evt-13", "esp", "77", None, BO, "they met", CY, "email", "not_automatic", ("evt-13",))
    argued = Note("ping_pong", "evt-6", "crm", "0031a00000AbCdE", "first_name", CUSTOMER)
    joined = Note("review", "evt-4", "crm", "0031a00000AbCdE", None, CUSTOMER, "they met", "c-ann", "email", "given_up")
    return {SISTERS: Note(*met), ARGUED: argued, JOINED: joined}
