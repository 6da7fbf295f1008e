"""The order in which units are taken from a level's lots, and how far along it the lots are loaded.

    by_receipt    A received Monday, B received Tuesday          -> A, B
    by_expiry     A until May, B until March, C never expires    -> B, A, C

A level may have thousands of lots, and a command takes units from the first few. So of a level with many only the first
ones are loaded, and its `Window` tells how far: every lot with free units that is not loaded comes behind it. It holds
no lots; the working set does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from holdfast.core.records.stock import Lot, LotStock

ReceiptKey = tuple[int, str]
"""(received at, lot id)."""

ExpiryKey = tuple[int, int, str]
"""(sellable until, received at, lot id)."""

NEVER = 2**63
"""Stands for the expiry of what does not expire: behind every instant."""


def by_receipt(lots: Mapping[str, Lot]) -> Callable[[LotStock], ReceiptKey]:
    """A sort key: by when lots were received, then by id."""
    return lambda at: (lots[at.lot_id].received_at, at.lot_id)


def by_expiry(lots: Mapping[str, Lot]) -> Callable[[LotStock], ExpiryKey]:
    """A sort key: by when lots expire where they lie, then by when they were received, then by id."""
    return lambda at: (
        NEVER if at.sellable_until is None else at.sellable_until,
        lots[at.lot_id].received_at,
        at.lot_id,
    )


class Window(msgspec.Struct):
    """How far the lots of a level are loaded that have free units; others are loaded one by one (`LotAt`).

    `received` is the last of the lots by receipt, None when all are loaded; `dated` the last by expiry of those that
    expire, None when all of those are. `size` is how many the next question brings in.
    """

    received: ReceiptKey | None
    dated: ExpiryKey | None
    size: int

    @property
    def by_expiry(self) -> ExpiryKey | None:
        """The last of the lots by expiry; None when all are loaded."""
        if self.received is None:
            return None
        return self.dated or (NEVER, *self.received)
