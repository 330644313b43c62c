"""Every limit of the delivery, with its unit in its name."""

from __future__ import annotations

import msgspec


class DeliverySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How hard one platform is tried.

    A command that fails by itself is tried `tries_max` times within `retry_total_max_s`. A command that waits
    because nothing gets through to the platform uses up no tries, and is given up after `give_up_after_s`; so is one
    that was put off `suspicions_max` times like this while the platform answered others.
    """

    tries_max: int = 6
    retry_base_s: float = 0.5
    retry_cap_s: float = 30.0
    retry_total_max_s: float = 120.0
    suspicions_max: int = 20
    pause_base_s: float = 0.5
    pause_cap_s: float = 60.0
    give_up_after_s: float = 86_400.0
    in_flight_max: int = 4
    call_timeout_s: float = 60.0
    run_max_s: float = 2.0  # then a run returns what it has, so that receipts do not wait for the whole batch
    stop_grace_s: float = 5.0  # for calls in flight when we are told to stop
    tries_kept_max: int = 10_000


class DlqSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When so many messages go to the dead letters that we, not they, are the likely fault.

    More than `ratio_max` of the messages of the last `window_s`, once there are `messages_min`; or more than
    `count_max` dead letters in the window, whatever the ratio.
    """

    window_s: float = 60.0
    ratio_max: float = 0.5
    messages_min: int = 500
    count_max: int = 10_000
