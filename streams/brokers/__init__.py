"""Brokers for the demo, development, tests and benchmarks: start one, use it, stop it.

The product never imports this package: it is told a bootstrap address and client settings, which is what
`Broker.bootstrap` and `Broker.profile` are.

    with Embedded() as broker:
        serve(broker.bootstrap, broker.profile)
"""

from streams.brokers.broker import Availability, Broker, BrokerFailed
from streams.brokers.embedded import Embedded
from streams.brokers.kafka.broker import ApacheKafka
from streams.brokers.profile import Profile

__all__ = ["ApacheKafka", "Availability", "Broker", "BrokerFailed", "Embedded", "Profile"]
