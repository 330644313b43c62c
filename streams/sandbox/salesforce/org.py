"""The org: its contacts, and what becomes of every insert, update and delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from streams.sandbox.clock import Clock
from streams.sandbox.faults import FaultSwitch
from streams.sandbox.places import national
from streams.sandbox.salesforce.fields import READ_ONLY, Field, RowError, check, field_of, proper_name

ChangeType: TypeAlias = Literal["CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_UPDATE"]
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

LOCKED = RowError(
    "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 003000000000000AAA", []
)
NO_ROW = RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [])
DELETED_ROW = RowError("ENTITY_IS_DELETED", "entity is deleted", [])
BAD_ID = RowError("MALFORMED_ID", "Contact ID: id value of incorrect type", ["Id"])


def record_id(number: int) -> str:
    """The 18 characters of the org's n-th contact: 15, and the checksum of their case."""
    digits = ""
    for _ in range(7):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return with_checksum(f"003Sb000{digits}")


def with_checksum(short: str) -> str:
    """An id of 15 characters as one of 18 that survives a loss of case."""
    groups = (short[start : start + 5] for start in (0, 5, 10))
    bits = (sum(1 << place for place, letter in enumerate(group) if "A" <= letter <= "Z") for group in groups)
    return short + "".join(_SUFFIX[each] for each in bits)


def is_id(text: Any) -> bool:
    return isinstance(text, str) and len(text) in (15, 18) and text.isalnum() and text.startswith("003")


@dataclass(slots=True)
class Contact:
    """One contact; `fields` holds what is set, by the API's flat names."""

    id: str
    created_at: int
    modified_at: int
    fields: dict[str, Any] = field(default_factory=dict)
    deleted: bool = False
    master: str | None = None  # the contact into which it was merged

    @property
    def name(self) -> str:
        parts = (self.fields.get("FirstName"), self.fields.get("LastName"))
        return " ".join(part for part in parts if part)


class Committed(NamedTuple):
    """One row of a transaction that was committed: what change data capture tells of it."""

    contact: Contact
    change: ChangeType
    changed: tuple[str, ...]


class By(NamedTuple):
    """Who commits: a user, and the origin that the change's header shows (empty: somebody at a screen)."""

    user: str
    origin: str = ""


Capture: TypeAlias = Callable[[list[Committed], By], None]
Row: TypeAlias = tuple[Contact | None, RowError | None]


class Flows(NamedTuple):
    """What the org's own flows do before a contact is saved.

    `cut` are lengths to which fields are cut, so that nothing is refused for them; `phones_as_national` rewrites
    phones to the notation of the org's country.
    """

    cut: Mapping[str, int] = {}
    phones_as_national: bool = True


class Org:
    """All contacts by id.

    `custom` are the org's own fields, `external_ids` those of them that are unique. `flows` rewrite what is written.
    """

    def __init__(self, clock: Clock, switch: FaultSwitch, capture: Capture) -> None:
        self.clock = clock
        self.switch = switch
        self.contacts: dict[str, Contact] = {}
        self.custom: dict[str, Field] = {}
        self.external_ids: set[str] = set()
        self.flows = Flows()
        self._capture = capture
        self._last = 0

    def declare_external_id(self, name: str) -> None:
        """Add a custom field that is an external id."""
        self.custom[name] = Field(name.removesuffix("__c").replace("_", " "), "string", 255)
        self.external_ids.add(name)

    def next_id(self) -> str:
        self._last += 1
        return record_id(self._last)

    def find(self, name: str, value: Any) -> list[Contact]:
        """The contacts whose field holds this value, texts compared without case."""
        wanted = str(value).casefold()
        known = self.contacts.values()
        return [one for one in known if not one.deleted and str(one.fields.get(name, "")).casefold() == wanted]

    def contact(self, given: Any) -> tuple[Contact | None, RowError | None]:
        """The contact of an id of 15 or 18 characters."""
        if not is_id(given):
            return None, BAD_ID
        contact = self.contacts.get(with_checksum(given) if len(given) == 15 else given)
        if contact is None:
            return None, NO_ROW
        return (None, DELETED_ROW) if contact.deleted else (contact, None)

    def insert(self, given: Mapping[str, Any]) -> tuple[Row, Committed | None]:
        """A new contact. Nothing is captured yet: see `commit`."""
        now = self.clock()
        draft = Contact(self.next_id(), now, now)
        changed, error = self._write(draft, given)
        if error is None and not draft.fields.get("LastName"):
            error = check("LastName", Field("Last Name", "string", 80), None)
        if error is not None:
            return (None, error), None
        self.contacts[draft.id] = draft
        return (draft, None), Committed(draft, "CREATE", changed)

    def update(self, given_id: Any, given: Mapping[str, Any]) -> tuple[Row, Committed | None]:
        """New values for one contact; a value that is there already is not in the changed fields."""
        contact, error = self.contact(given_id)
        if contact is None:
            return (None, error), None
        draft = Contact(contact.id, contact.created_at, contact.modified_at, dict(contact.fields))
        changed, error = self._write(draft, given)
        if error is not None:
            return (None, error), None
        contact.fields, contact.modified_at = draft.fields, self.clock()
        return (contact, None), Committed(contact, "UPDATE", changed)

    def delete(self, given_id: Any) -> tuple[Row, Committed | None]:
        contact, error = self.contact(given_id)
        if contact is None:
            return (None, error), None
        contact.deleted, contact.modified_at = True, self.clock()
        return (contact, None), Committed(contact, "DELETE", ())

    def undelete(self, given_id: str) -> tuple[Row, Committed | None]:
        """Take a contact out of the recycle bin; it is nobody's loser any more."""
        contact = self.contacts.get(with_checksum(given_id) if len(given_id) == 15 else given_id)
        if contact is None or not contact.deleted:
            return (None, NO_ROW), None
        contact.deleted, contact.master, contact.modified_at = False, None, self.clock()
        return (contact, None), Committed(contact, "UNDELETE", ())

    def merge(self, master: Contact, losers: Sequence[Contact]) -> list[Committed]:
        """The losers are deleted; the master takes over what it does not have itself."""
        taken: dict[str, Any] = {}
        for loser in losers:
            taken = {**{name: value for name, value in loser.fields.items() if value not in (None, "")}, **taken}
            loser.deleted, loser.master, loser.modified_at = True, master.id, self.clock()
        new = {name: value for name, value in taken.items() if master.fields.get(name) in (None, "")}
        master.fields |= new
        master.modified_at = self.clock()
        gone = [Committed(loser, "DELETE", ()) for loser in losers]
        return [*gone, Committed(master, "UPDATE", tuple(new))]

    def commit(self, rows: list[Committed | None], by: By) -> None:
        """Tell change data capture of the rows that one transaction committed."""
        if done := [row for row in rows if row is not None]:
            self._capture(done, by)

    def _write(self, draft: Contact, given: Mapping[str, Any]) -> tuple[tuple[str, ...], RowError | None]:
        if self.switch.take("lock_next") or self.switch.strikes("lock_rate"):
            return (), LOCKED
        changed = []
        for asked, value in given.items():
            name = proper_name(asked, self.custom)
            field_ = field_of(name, self.custom)
            if field_ is None:
                return (), _not_writable(name)
            kept = self._as_kept(name, field_, value)
            if error := check(name, field_, kept):
                return (), error
            if draft.fields.get(name, _empty(field_)) != kept:
                changed.append(name)
            draft.fields[name] = kept
        return tuple(changed), None

    def _as_kept(self, name: str, field_: Field, value: Any) -> Any:
        """The value after the org's own flows; an empty text is null."""
        if value is None or field_.type == "boolean":
            return _empty(field_) if value is None else value
        text = str(value).strip() if field_.type != "textarea" else str(value)
        if field_.type == "phone" and self.flows.phones_as_national:
            text = national(text)
        if field_.type == "email":
            text = text.lower()
        return text[: self.flows.cut.get(name, len(text))].rstrip() or None


def _empty(field_: Field) -> bool | None:
    return False if field_.type == "boolean" else None


def _not_writable(name: str) -> RowError:
    assert name in READ_ONLY  # noqa: S101 proper_name knows no others
    message = (
        f"Unable to create/update fields: {name}. Please check the security settings of this field and verify that "
        "it is read/write for your profile or permission set."
    )
    return RowError("INVALID_FIELD_FOR_INSERT_UPDATE", message, [name])
