"""What a batch changed, each thing once by its id, as it stands at the end: what has to be saved.

stock.touched().levels      -> {level id: the level}
"""

from __future__ import annotations

from typing import Any

from holdfast.core.records.stock import Level, Lot, LotStock, Reservation


class Touched:
    """What a batch changed and has to be saved, by id."""

    def __init__(self) -> None:
        self.levels: dict[str, Level] = {}
        self.lot_stocks: dict[str, LotStock] = {}
        self.reservations: dict[str, Reservation] = {}
        self.lots: dict[str, Lot] = {}
        self.records: dict[tuple[str, str], Any] = {}
        self.rows: dict[type[Any], dict[str, Any]] = {}
        self.costs: dict[str, int] = {}

    @property
    def anything(self) -> bool:
        """Is there something to save?"""
        parts = (self.levels, self.lot_stocks, self.reservations, self.lots, self.records, self.costs, self.rows)
        return any(parts)
