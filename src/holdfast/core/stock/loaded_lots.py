"""Loaded lots: the lots of one batch, at the levels where they lie, as far as they are loaded.

    stock.free_lots(level, expiring_first=True) -> lots with free units, in the order in which units are taken
    stock.lot_stock(level, lot_id)              -> that lot at the level

A level with many lots is loaded in windows: what lies beyond one is asked for when it is needed
(docs/decisions/0028-lots-are-loaded-as-far-as-they-are-taken.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.stock import Level, Lot, LotStock
from holdfast.core.records.wants import (
    LotAt,
    LotById,
    LotsAt,
    LotsOfCode,
    Missing,
    PlacesEverOfLot,
    PlacesOfLot,
)
from holdfast.core.stock.loaded_rows import LoadedRows
from holdfast.core.stock.lot_order import Window, by_expiry, by_receipt


class LoadedLots(LoadedRows):
    """What one batch has loaded and written of lots."""

    def __init__(self, org_id: str, catalog: Catalog, now: int, new_id: Callable[[], str]) -> None:
        super().__init__(org_id, catalog, now, new_id)
        self.lots: dict[str, Lot] = {}
        # The lots of each level as far as they are loaded. A level without a window has all its open lots here; one
        # with a window the first of them, those that expired, and each that a loaded hold or a question names.
        self.lots_at: dict[str, dict[str, LotStock]] = {}
        self.windows: dict[str, Window] = {}
        self.unbacked: set[LotAt] = set()
        self._levels_of_lot: dict[str, dict[str, None]] = {}
        self._new_lots_of_code: dict[tuple[str, str], dict[str, None]] = {}

    def lots_by_id(self, lot_ids: Iterable[str]) -> None:
        """Ask for the identity of all of these lots that are not known yet, at once."""
        self.require(*(LotById(name) for name in lot_ids if name not in self.lots))

    def lots_of_code(self, product_id: str, code: str) -> list[Lot]:
        """The lots of a product with that code, those of this batch too."""
        ids = dict.fromkeys(self.require(LotsOfCode(product_id, code)))
        ids.update(self._new_lots_of_code.get((product_id, code), {}))
        return [self.lots[name] for name in ids if name in self.lots]

    def levels_of_lot(self, lot: Lot) -> list[Level]:
        """The levels where the lot has units, or had some in this batch, locked."""
        places = self.require(PlacesOfLot(lot.id))
        self.lock_levels((lot.product_id, place) for place in places)
        found = {level.id: level for place in places if (level := self.levels.get((lot.product_id, place))) is not None}
        for name in self._levels_of_lot.get(lot.id, ()):
            if name in self.level_of_id:
                found[name] = self.level_of_id[name]
        return list(found.values())

    def places_ever_of_lot(self, lot_id: str) -> set[str]:
        """The ids of the locations where the lot has or had units, those of this batch too."""
        places = set(self.require(PlacesEverOfLot(lot_id)))
        for name in self._levels_of_lot.get(lot_id, ()):
            if lot_id in self.lots_at.get(name, ()):
                places.add(self.level_of_id[name].location_id)
        return places

    def lot_stock(self, level: Level, lot_id: str) -> LotStock | None:
        """A lot at a locked level. None when it was never loaded there; one without units may be answered or not."""
        at = self.lots_at[level.id].get(lot_id)
        if at is None and level.id in self.windows:
            self.require(LotAt(level.id, lot_id))
        return at

    def ask_for_lot_stocks(self, pairs: Iterable[tuple[Level, str]]) -> None:
        """Ask for all of these lots at locked levels that are not loaded yet, at once; a lot need not be there."""
        windows, here = self.windows, self.lots_at
        if windows:
            self.require(
                *(
                    LotAt(level.id, lot_id)
                    for level, lot_id in pairs
                    if level.id in windows and lot_id not in here[level.id]
                )
            )

    def free_lots(self, level: Level, *, expiring_first: bool) -> Iterable[LotStock]:
        """The level's lots with free units in the order in which units are taken: as they were received, or those that
        expire first before the others. Beyond those that are loaded it asks for more (`LotsAt`)."""
        here = [at for at in self.lots_at[level.id].values() if at.on_hand > at.reserved]
        if len(here) > 1:
            here.sort(key=by_expiry(self.lots) if expiring_first else by_receipt(self.lots))
        window = self.windows.get(level.id)
        if window is None or window.received is None:
            return here
        return self._within(level, window, here, expiring_first=expiring_first)

    def _within(
        self, level: Level, window: Window, lots: list[LotStock], *, expiring_first: bool
    ) -> Iterator[LotStock]:
        """Lots in their order up to the end of the window, and the others when no free units lie elsewhere."""
        end: Any = window.by_expiry if expiring_first else window.received
        key: Any = by_expiry(self.lots) if expiring_first else by_receipt(self.lots)
        more = LotsAt(level.id, expiring_first and window.dated is not None)
        for index, at in enumerate(lots):
            if key(at) > end:
                if self._has_unloaded(level):
                    raise Missing((more,))
                yield from lots[index:]
                return
            yield at
        if self._has_unloaded(level):
            raise Missing((more,))

    def _has_unloaded(self, level: Level) -> bool:
        """Has the level free units in lots that are not loaded? What is free of it is the sum over all its lots."""
        return level.available > sum(at.free for at in self.lots_at[level.id].values())

    def know_lot_stock(self, at: LotStock) -> None:
        """A lot at a locked level as it was loaded, empty or not; its identity is known."""
        self.lots_at[at.level_id].setdefault(at.lot_id, at)
        self._levels_of_lot.setdefault(at.lot_id, {})[at.level_id] = None
