"""The ESP: a Klaviyo account with its API, its asynchronous jobs, its webhooks and what its recipients do."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from aiohttp import web

from streams.model import Address
from streams.sandbox.clock import millis
from streams.sandbox.klaviyo import jobs, shapes
from streams.sandbox.klaviyo.api import Api, refused, throttled
from streams.sandbox.klaviyo.notices import Notices
from streams.sandbox.klaviyo.profiles import Account, Problem, Profile, Subscription, write
from streams.sandbox.people import Person
from streams.sandbox.simulator import BadEdit, Edit, Holding, Options, Simulator, Surroundings, UnknownRecord, parts_of

REVISION = "2026-07-15"
_WORDS = {"first_name": "first_name", "last_name": "last_name", "email": "email", "phone": "phone_number"}


class AccountOptions(Options):
    """`job_delay_s` is how long a bulk job takes after its 202.

    A written profile comes back as a document of its own, or, with `profiles_as_events`, as an event
    `event:klaviyo.updated_profile` among the others.
    """

    job_delay_s: float = 0.2
    profiles_as_events: bool = False


class Klaviyo(Simulator):
    """One account."""

    options: AccountOptions

    vendor: ClassVar[str] = "klaviyo"
    platform: ClassVar[str] = "esp"
    secret_names: ClassVar[tuple[str, ...]] = ("API_KEY", "WEBHOOK_SECRET")

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.options = AccountOptions()
        self.account = Account(self.clock)
        self.api = Api(self.account, self, lambda: self.secrets["API_KEY"])
        self.notices = Notices(self, lambda: self.secrets["WEBHOOK_SECRET"])

    def application(self) -> web.Application:
        return self.api.application()

    def settings(self, base_url: str) -> dict[str, str]:
        return {"BASE_URL": base_url, "REVISION": REVISION}

    def refusal(self, status: int, retry_after_s: float) -> web.Response:
        if status == 429:
            return throttled(retry_after_s)
        title = "Service unavailable." if status == 503 else "A server error occurred."
        response = refused(Problem(status, "unavailable" if status == 503 else "error", title, title))
        if status == 503:
            response.headers["Retry-After"] = f"{retry_after_s:g}"
        return response

    def reset(self) -> None:
        self.account.profiles.clear()
        self.notices.forget()
        self.options = AccountOptions()

    def record_ids(self) -> list[str]:
        return list(self.account.profiles)

    def seed(self, person: Person, record_id: str | None = None, announce: bool = False) -> str:
        profile = self.account.new()
        profile.id = record_id or profile.id
        at = millis(person.consent_at) if person.consent_at else None
        profile.created_at = profile.updated_at = at or profile.created_at
        attributes: dict[str, Any] = {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "phone_number": person.phone,
            "external_id": person.external.get("storefront"),
        }
        if person.shipping_address is not None:
            attributes["location"] = _location(person.shipping_address)
        write(profile, attributes)
        for channel, stated in (("email", person.email_consent), ("sms", person.sms_consent)):
            profile.subscriptions[channel] = _seeded(stated, at)
        if person.email_consent == "unsubscribed":
            profile.suppressions["UNSUBSCRIBE"] = at or profile.created_at
        self.account.profiles[profile.id] = profile
        if announce:
            self._announce(profile)
        return profile.id

    def holds(self, record_id: str) -> Holding:
        profile = self._profile(record_id)
        return Holding(
            record_id=profile.id,
            attributes={
                "first_name": profile.texts.get("first_name"),
                "last_name": profile.texts.get("last_name"),
                "email": profile.email,
                "phone": profile.phone_number,
                "shipping_address": _in_our_words(profile.location),
            },
            consents={channel: one.consent.lower() for channel, one in profile.subscriptions.items()},
            native=shapes.profile_object(profile, with_subscriptions=True),
        )

    def sign(self, body: bytes, topic: str = "") -> dict[str, str]:
        return self.notices.sign(body, str(shapes.api_time(self.clock())))

    @property
    def edits(self) -> Mapping[str, Edit]:
        return {
            "profile_edits": self.profile_edits,
            "subscribe": self.subscribe,
            "unsubscribe": self.unsubscribe,
            "spam_complaint": self.spam_complaint,
            "suppress": self.suppress,
            "hard_bounce": self.hard_bounce,
            "delete": self.delete,
            "merge": self.merge,
        }

    def profile_edits(self, record_id: str, **values: Any) -> dict[str, Any]:
        """The customer changes the profile on the preference page: names, e-mail, phone, `shipping_address`."""
        profile = self._profile(record_id)
        address = parts_of(values.pop("shipping_address", None))
        if unknown := set(values) - set(_WORDS):
            raise BadEdit(f"the preference page has no {', '.join(sorted(unknown))}")
        attributes: dict[str, Any] = {_WORDS[word]: value for word, value in values.items()}
        if address is not None:
            attributes["location"] = _location(address)
        draft = copy.deepcopy(profile)
        try:
            write(draft, attributes)
            self.account.refuse_duplicates(draft)
        except Problem as problem:
            raise BadEdit(problem.detail) from None
        draft.updated_at = self.clock()
        self.account.profiles[profile.id] = draft
        self.updated(draft)
        return {"record_id": profile.id}

    def subscribe(self, record_id: str, channel: str = "email", method: str = "PREFERENCE_PAGE") -> dict[str, Any]:
        """The customer subscribes, on the preference page or with a form."""
        return self._decide(record_id, channel, "SUBSCRIBED", method)

    def unsubscribe(self, record_id: str, channel: str = "email", method: str = "PREFERENCE_PAGE") -> dict[str, Any]:
        """The customer follows the unsubscribe link, or answers STOP."""
        return self._decide(record_id, channel, "UNSUBSCRIBED", method)

    def spam_complaint(self, record_id: str) -> dict[str, Any]:
        """The customer marks a mail as spam."""
        return self._suppress(record_id, "SPAM_COMPLAINT", "marked_email_as_spam")

    def suppress(self, record_id: str) -> dict[str, Any]:
        """A marketer suppresses the profile by hand."""
        return self._suppress(record_id, "USER_SUPPRESSED", "manually_suppressed_from_email_marketing")

    def hard_bounce(self, record_id: str) -> dict[str, Any]:
        """A mail came back for good."""
        return self._suppress(record_id, "HARD_BOUNCE", "bounced_email")

    def delete(self, record_id: str) -> dict[str, Any]:
        """A marketer deletes the profile; no webhook tells of it."""
        del self.account.profiles[self._profile(record_id).id]
        return {"record_id": record_id}

    def merge(self, record_id: str, other: str) -> dict[str, Any]:
        """A marketer merges another profile into this one, which takes over what it lacks; the other is gone."""
        kept, gone = self._profile(record_id), self._profile(other)
        if kept is gone:
            raise BadEdit("a profile cannot be merged with itself")
        self.merged(kept, gone)
        return {"record_id": kept.id}

    def merged(self, kept: Profile, gone: Profile) -> None:
        """A merge is done, by whomever."""
        del self.account.profiles[gone.id]
        kept.email, kept.phone_number = kept.email or gone.email, kept.phone_number or gone.phone_number
        kept.texts, kept.location = {**gone.texts, **kept.texts}, kept.location or gone.location
        kept.updated_at = self.clock()
        self.notices.tell("merged_profile", shapes.merged_event(kept, gone.id, self.clock()))

    def updated(self, profile: Profile) -> None:
        """An attribute was written, by whomever: the profile comes back as a webhook."""
        document = {"data": shapes.profile_object(profile)}
        if self.options.profiles_as_events:
            self.notices.tell("updated_profile", document)
        else:
            self.notices.tell_of_profile(document)

    def decided(self, decisions: list[jobs.Decided]) -> None:
        """A job was taken on; it runs after `job_delay_s`."""
        self.later(self.options.job_delay_s, lambda: self._run(decisions))

    def erase(self, profile: Profile) -> None:
        """A privacy deletion was taken on."""
        self.later(self.options.job_delay_s, lambda: self.account.profiles.pop(profile.id, None))

    def _run(self, decisions: list[jobs.Decided]) -> None:
        for decided in decisions:
            profile = jobs.profile_of(self.account, decided)
            if profile is not None and jobs.apply(profile, decided, self.clock()):
                self._tell_decision(profile, decided.channel)

    def _decide(self, record_id: str, channel: str, consent: str, method: str) -> dict[str, Any]:
        if channel not in jobs.CHANNELS:
            raise BadEdit(f"no such channel: {channel}")
        profile, now = self._profile(record_id), self.clock()
        decided = jobs.Decided(profile.id, {}, "email" if channel == "email" else "sms", consent, now, None)
        if jobs.apply(profile, decided, now):
            profile.subscriptions[channel].method = method
            self._tell_decision(profile, channel)
        return {"record_id": profile.id}

    def _tell_decision(self, profile: Profile, channel: str) -> None:
        subscription = profile.subscriptions[channel]
        verb = "subscribed_to" if subscription.consent == "SUBSCRIBED" else "unsubscribed_from"
        method = {
            "method": subscription.method,
            "method_detail": subscription.method_detail,
            "custom_method_detail": subscription.custom_method_detail,
        }
        at = subscription.updated_at or self.clock()
        self.notices.tell(f"{verb}_{channel}_marketing", shapes.event(profile, channel, at, method))

    def _suppress(self, record_id: str, reason: str, topic: str) -> dict[str, Any]:
        profile, now = self._profile(record_id), self.clock()
        profile.suppressions[reason] = now
        self.notices.tell(topic, shapes.event(profile, "email", now, {}))
        return {"record_id": profile.id}

    def _announce(self, profile: Profile) -> None:
        self.updated(profile)
        for channel, subscription in profile.subscriptions.items():
            if subscription.updated_at is not None:
                self._tell_decision(profile, channel)

    def _profile(self, record_id: str) -> Profile:
        profile = self.account.profiles.get(record_id)
        if profile is None:
            raise UnknownRecord(f"{self.platform}:{record_id}")
        return profile


def _seeded(stated: str | None, at: int | None) -> Subscription:
    if stated is None:
        return Subscription()
    return Subscription(stated.upper(), at, at, "PREFERENCE_PAGE")


def _location(address: Address) -> dict[str, str | None]:
    return {
        "address1": address.line1 or None,
        "address2": address.line2 or None,
        "city": address.city or None,
        "region": address.region or None,
        "zip": address.postal_code or None,
        "country": address.country or None,
    }


def _in_our_words(location: Mapping[str, Any]) -> dict[str, str] | None:
    if not location:
        return None
    return {
        "line1": location.get("address1") or "",
        "line2": location.get("address2") or "",
        "city": location.get("city") or "",
        "region": location.get("region") or "",
        "postal_code": location.get("zip") or "",
        "country": location.get("country") or "",
    }
