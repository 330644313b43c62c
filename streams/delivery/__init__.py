"""From commands to a platform's answers: rate limits, retries, circuits, fences, dead letters. Knows no Faust.

`Delivery` is one platform's; `dead_letters` and `limit` serve every process that meets bad messages.
"""

from streams.delivery.backoff import Backoff
from streams.delivery.circuit import Circuit
from streams.delivery.dead_letters import DeadLetter, Origin, dead_letter
from streams.delivery.delivery import Delivery
from streams.delivery.fence import Fence, Rows, fence_keys
from streams.delivery.limit import DlqLimit, DlqLimitExceeded
from streams.delivery.outcomes import Delivered, Failure
from streams.delivery.rate import RateLimit
from streams.delivery.settings import DeliverySettings, DlqSettings

__all__ = [
    "Backoff",
    "Circuit",
    "DeadLetter",
    "Delivered",
    "Delivery",
    "DeliverySettings",
    "DlqLimit",
    "DlqLimitExceeded",
    "DlqSettings",
    "Failure",
    "Fence",
    "Origin",
    "RateLimit",
    "Rows",
    "dead_letter",
    "fence_keys",
]
