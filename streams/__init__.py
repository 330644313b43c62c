"""Writeback: keeps one customer's address, contact details and consent the same in every platform."""

__version__ = "0.1.0"
