"""Who may name an order: the one rule for every command that makes holds or sales for a (source, order number).

    EAST's staff hold for 5002 of shopify     -> FORBIDDEN: the order is of the whole organisation
    the owner holds for 5002 of shopify       -> held
    the owner holds for 5002 of Shopify       -> INVALID_REQUEST: one source has one spelling
    anybody holds for S-000006, not yet a sale -> TARGET_NOT_FOUND: the sale that gets the number would take the hold

Every source but our own (`pos`, `manual`) is outside of all stores, whatever its name: whoever takes a number of it
takes it from all of them. Source names are compared without regard to case.
"""

from __future__ import annotations

from holdfast.core.records.rejection import Code, Rejected, malformed, not_found
from holdfast.core.records.sale import CHANNELS, OWN_SOURCES, is_own_number
from holdfast.core.reservations.adoption import sale_of_order
from holdfast.core.stock.posting import Stock


def source_refusal(stock: Stock, source: str) -> Rejected | None:
    """Refuse a second spelling of a source that we know, and an order of other sources to callers of some stores."""
    known = source.casefold()
    if known != source and known in (*OWN_SOURCES, *CHANNELS):
        return malformed("source", f"is written {known}.")
    if known not in OWN_SOURCES and stock.caller.stores is not None:
        # Its number would be taken for the whole organisation, and the source's own order would find it gone.
        return Rejected(Code.FORBIDDEN, f"An order of {source} belongs to all stores; you are assigned to some.")
    return None


def held_order_refusal(stock: Stock, source: str, order_number: str) -> Rejected | None:
    """Refuse to hold for an order that the caller may not name, or for a number of ours that no sale has."""
    refused = source_refusal(stock, source)
    if refused is not None:
        return refused
    ours = source in OWN_SOURCES and is_own_number(order_number)
    if ours and sale_of_order(stock, source, order_number) is None:
        return not_found(Code.TARGET_NOT_FOUND, "Sale", order_number)
    return None
