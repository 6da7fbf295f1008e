"""Bounds on holds: how many one order, sale or appointment may have, so that whoever looks at all of them is soon done.

    the 2,001st hold of order W9 of the website     -> INVALID_STATE
    2,000 of the website, one of the phone          -> held: they are two orders

A fact is not counted: an order that a channel has taken has as many holds as it has lines.
"""

from __future__ import annotations

from holdfast.core.records.rejection import invalid_state
from holdfast.core.records.sale import LINES_MAX, Sale
from holdfast.core.records.wants import HOLDS_MAX, Crowded
from holdfast.core.stock.posting import Stock

HOLDS_OF_SALE_MAX = 5 * LINES_MAX
"""Most active holds of one sale to which its lines may add some: a line has one at each place where it is held."""


def refuse_crowded_order(stock: Stock, source: str, order_number: str) -> None:
    """Refuse one more hold of an order that has too many. One batch counts what it makes itself apart."""
    made = stock.made_for.get((source, order_number), 0)
    if made >= HOLDS_MAX or stock.require(Crowded(order_number, source)):
        raise invalid_state(f"Order {order_number} has {HOLDS_MAX:,} active holds.")


def refuse_crowded_target(stock: Stock, target_id: str) -> None:
    """Refuse one more hold that names a sale or an appointment which has too many."""
    if stock.count_of_target(target_id) >= HOLDS_MAX:
        raise invalid_state(f"It has {HOLDS_MAX:,} active holds.")


def refuse_crowded_sale(stock: Stock, sale: Sale) -> None:
    """Refuse more units on a line of a sale that has too many holds."""
    if stock.count_of_target(sale.id) >= HOLDS_OF_SALE_MAX:
        raise invalid_state(f"The sale has {HOLDS_OF_SALE_MAX:,} active holds.", sale_status=sale.status)
