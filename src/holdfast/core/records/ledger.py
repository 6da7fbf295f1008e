"""The ledger: one immutable line per change, with the balances after it (docs/reference/ledger.md).

    RECEIPT  lot A  qty +10               -> on hand 10, reserved 0
    RESERVE  lot A         reserved +2    -> on hand 10, reserved 2
    SALE     lot A  qty -2 reserved -2    -> on hand  8, reserved 0

Every line belongs to one level (a product at a location) and is numbered 1, 2, 3 ... within it. `follow`
computes the balance after an entry. `holdfast check` compares it with the balance that `post` wrote into the entry.
Nothing here is ever changed or deleted; a correction is a new line.
"""

from __future__ import annotations

from typing import Literal

import msgspec

RefType = Literal["RECEIPT", "SALE", "RETURN", "ADJUSTMENT", "TRANSFER", "COUNT", "EXPIRY", "RESERVE", "RELEASE"]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line of the ledger. Quantities are smallest units, value minor units, times microseconds since 1970."""

    id: str
    level_id: str
    seq: int
    product_id: str
    location_id: str
    lot_id: str | None
    ref_type: RefType
    ref_id: str | None
    qty_delta: int
    balance_after: int
    reserved_delta: int
    reserved_after: int
    backordered_delta: int
    backordered_after: int
    value_delta: int
    order_number: str | None
    source: str | None
    reservation_id: str | None
    actor: str
    reason: str | None
    note: str | None
    created_at: int


class Balance(msgspec.Struct, frozen=True, gc=False):
    """A level as its ledger tells it, in smallest units, after entry number `seq`."""

    seq: int = 0
    on_hand: int = 0
    reserved: int = 0
    backordered: int = 0
    created_at: int = 0


def follow(before: Balance, entry: Entry) -> Balance:
    """The balance that must stand after `entry`, given the one before it (the entry's own balances are not read)."""
    return Balance(
        seq=before.seq + 1,
        on_hand=before.on_hand + entry.qty_delta,
        reserved=before.reserved + entry.reserved_delta,
        backordered=before.backordered + entry.backordered_delta,
        created_at=entry.created_at,
    )


def stated(entry: Entry) -> Balance:
    """The balance that the entry itself states."""
    return Balance(
        seq=entry.seq,
        on_hand=entry.balance_after,
        reserved=entry.reserved_after,
        backordered=entry.backordered_after,
        created_at=entry.created_at,
    )
