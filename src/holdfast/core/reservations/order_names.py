"""Who may name an order: the one rule for every command that makes holds or sales for a (source, order number).

    EAST's staff hold for 5002 of shopify     -> FORBIDDEN: the order is of the whole organisation
    the owner holds for 5002 of shopify       -> held
    the owner holds for 5002 of Shopify       -> INVALID_REQUEST: one source has one spelling
    anybody holds for S-000006 of manual, not yet a sale -> TARGET_NOT_FOUND: the sale with the number would take it

An order of a channel is outside of all stores: whoever takes a number of it takes it from all of them. Sources that
a shop makes up (`website`, `phone`) may be a store's. Source names that we know have one spelling, in lower case.
"""

from __future__ import annotations

from holdfast.core.records.rejection import Code, Refused, malformed, not_found
from holdfast.core.records.sale import CHANNELS, NUMBERED_SOURCES, is_own_number
from holdfast.core.reservations.adoption import sale_of_order
from holdfast.core.stock.posting import Stock


def refuse_source(stock: Stock, source: str) -> None:
    """Refuse a second spelling of a source that we know, and an order of a channel to callers of some stores."""
    bare = source.strip()
    if source != bare:
        raise malformed("source", "has white space around it.")
    known = bare.casefold()
    if known != source and known in (*NUMBERED_SOURCES, *CHANNELS):
        raise malformed("source", f"is written {known}.")
    if known in CHANNELS and stock.caller.stores is not None:
        # Its number would be taken for the whole organisation, and the source's own order would find it gone.
        raise Refused(Code.FORBIDDEN, f"An order of {source} belongs to all stores; you are assigned to some.")


def refuse_held_order(stock: Stock, source: str, order_number: str) -> None:
    """Refuse to hold for an order that the caller may not name, or for a number of ours that no sale has."""
    refuse_source(stock, source)
    ours = source in NUMBERED_SOURCES and is_own_number(order_number)
    if ours and sale_of_order(stock, source, order_number) is None:
        raise not_found(Code.TARGET_NOT_FOUND, "Sale", order_number)
