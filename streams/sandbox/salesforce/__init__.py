"""A Salesforce org."""

from streams.sandbox.salesforce.simulator import Salesforce

__all__ = ["Salesforce"]
