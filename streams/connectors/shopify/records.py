"""The three kinds of record that this platform has, by the form of their ids.

- `9`: a customer's own row: the profile, with the default address. The only kind that can be written.
- `orders-9`: what the orders of customer 9 say. Apart from the row, because an order's address is not the row's: each
  later event about the row repeats its default address, and would look like a move back to it. It is bound to the
  row's customer by the external id `<platform>:9`.
- `order-77`: a guest's order, bound to nobody.
"""

from __future__ import annotations

import re
from typing import Final

_ROW = re.compile(r"[1-9][0-9]{0,18}")
_ORDERS: Final = "orders-"
_GUEST: Final = "order-"


def orders_of(customer: str) -> str:
    """The record of a customer's orders."""
    return f"{_ORDERS}{customer}"


def guest_order(order: str) -> str:
    """The record of an order that has no customer."""
    return f"{_GUEST}{order}"


def is_row(record_id: str) -> bool:
    """True for a customer's own row."""
    return _ROW.fullmatch(record_id) is not None


def customer_of(record_id: str) -> str | None:
    """The customer's id behind a row or its orders; None for a guest's order and for what is no record of ours."""
    digits = record_id.removeprefix(_ORDERS)
    return digits if is_row(digits) else None
