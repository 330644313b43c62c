"""A Shopify shop."""

from streams.sandbox.shopify.simulator import Shopify

__all__ = ["Shopify"]
