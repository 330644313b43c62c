"""Client settings that a kind of broker needs, in words that name no broker."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

Profile = Mapping[str, int | bool]
"""Setting name -> value; frozen. Both profiles have the same keys:

- `batch_records_max`: records in one produced batch; 0 = no limit but the client's own
- `idempotence`: whether producers may ask for a producer id
- `fetch_max_wait_ms`: how long a fetch with nothing new may be held
- `session_timeout_s`, `rebalance_timeout_s`, `heartbeat_interval_s`: group membership
"""

# ListOffsets of the embedded broker is wrong behind a batch of more than one record, it has no producer ids,
# it holds an empty fetch for the whole wait, and a first join takes half the session timeout.
EMBEDDED: Final[Profile] = MappingProxyType(
    {
        "batch_records_max": 1,
        "idempotence": False,
        "fetch_max_wait_ms": 50,
        "session_timeout_s": 6,
        "rebalance_timeout_s": 6,
        "heartbeat_interval_s": 1,
    }
)

APACHE_KAFKA: Final[Profile] = MappingProxyType(
    {
        "batch_records_max": 0,
        "idempotence": True,
        "fetch_max_wait_ms": 500,
        "session_timeout_s": 30,
        "rebalance_timeout_s": 60,
        "heartbeat_interval_s": 3,
    }
)
