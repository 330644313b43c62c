"""What the gateway counts; no label holds anything that a sender wrote."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class GatewayMetrics:
    """The metrics of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.webhooks = Counter(
            "writeback_webhooks",
            "Webhook deliveries by outcome: accepted, or the reason why not",
            ["platform", "outcome"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "writeback_webhook_seconds",
            "From the first byte to the broker's acknowledgement",
            ["platform"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "writeback_webhooks_in_flight",
            "Deliveries handed to the producer and not yet acknowledged",
            registry=self.registry,
        )
