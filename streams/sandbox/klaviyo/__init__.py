"""A Klaviyo account."""

from streams.sandbox.klaviyo.simulator import Klaviyo

__all__ = ["Klaviyo"]
