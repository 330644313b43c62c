"""What a platform's own merge says: one record is gone, and the other is the same customer."""

from __future__ import annotations

from streams.model import Change, Identifiers, Invalid, Millis
from streams.model.change import Actor, Kind


def merged_into(
    platform: str,
    gone: str,
    kept: str,
    change_id: str,
    at: Millis | None,
    sequence: int | None = None,
    actor: Actor = "unknown",
    kind: Kind = "event",
) -> Change:
    """The deletion of `gone`, which names `kept`; raises Invalid("merged_with_itself").

    One change says both, so that no order of arrival tears them apart: `gone` does not count any more when its customer
    meets that of `kept`, and a platform with one record a customer does not stand in the way (I2, K2).
    """
    if gone == kept:
        raise Invalid("merged_with_itself", "the two records are one")
    return Change(
        change_id,
        platform,
        gone,
        kind=kind,
        op="delete",
        observed_at=at,
        sequence=sequence,
        actor=actor,
        identifiers=Identifiers(external=(f"{platform}:{kept}",)),
    )
