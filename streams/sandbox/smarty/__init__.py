"""Smarty's US Street service."""

from streams.sandbox.smarty.simulator import Smarty

__all__ = ["Smarty"]
