"""The working set: what one batch has loaded, and how a decision finds its way in it.

    stock.hold(id)                   -> the hold, its level locked; `Missing` when nobody loaded it
    stock.holds_of_order("102")      -> what the database has of the order, merged with what this batch made of it
    stock.lock_levels(pairs)         -> one question for all levels that are not locked yet

A finder owns its question, its index, and the merge with what the batch has written. Nothing here changes stock
(`posting.Stock` does), and nothing here reads: `holdfast.db.batch.loaders` answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Settings
from holdfast.core.records.product import Product
from holdfast.core.records.stock import Level, LevelKey, Lot, LotStock, Reservation
from holdfast.core.records.wants import (
    ActiveAt,
    AdhocAt,
    DeadAt,
    HoldById,
    HoldsOfOrder,
    HoldsOfTarget,
    LevelAt,
    LotAt,
    LotById,
    LotsAt,
    LotsOfCode,
    Missing,
    PlacesEverOfLot,
    PlacesOfLot,
    RecordById,
    RoamingFor,
    WaitingAt,
    Want,
)
from holdfast.core.stock.hold_index import HoldIndex
from holdfast.core.stock.lot_order import Window, by_expiry, by_receipt

T = TypeVar("T")


class WorkingSet:
    """What one batch has loaded and written so far. `now` is the database's clock, `new_id` hands out UUIDv7 texts."""

    def __init__(self, org_id: str, catalog: Catalog, now: int, new_id: Callable[[], str]) -> None:
        self.org_id = org_id
        self.catalog = catalog
        self.now = now
        self.new_id = new_id
        self.closed_before = catalog.settings.books_closed_through
        self.locked: set[LevelKey] = set()
        self.levels: dict[LevelKey, Level] = {}
        self.level_of_id: dict[str, Level] = {}
        self.lots: dict[str, Lot] = {}
        # The lots of each level as far as they are loaded. A level without a window has all its open lots here; one
        # with a window the first of them, those that expired, and each that a loaded hold or a question names.
        self.lots_at: dict[str, dict[str, LotStock]] = {}
        self.windows: dict[str, Window] = {}
        self.unbacked: set[LotAt] = set()
        self.reservations: dict[str, Reservation] = {}
        # Expired holds by level that were loaded and not released yet; how many of a level were read in their order;
        # the levels that may have more of them.
        self.dead: dict[str, list[str]] = {}
        self.dead_read: dict[str, int] = {}
        self.more_dead: set[str] = set()
        # Products of holds that wait and may be served at several locations, and those holds as far as known.
        self.products_waited_for: set[str] = set()
        self._roaming: dict[str, dict[str, None]] = {}
        self.records: dict[tuple[str, str], Any] = {}
        self.rows: dict[type[Any], dict[str, Any]] = {}
        self._index = HoldIndex(self.reservations)
        self._of_sale: dict[tuple[type[Any], str], dict[str, None]] = {}
        self._of_kind: dict[str, dict[str, None]] = {}
        self._of_order: dict[tuple[str, str], dict[str, None]] = {}
        self._levels_of_lot: dict[str, dict[str, None]] = {}
        self._new_lots_of_code: dict[tuple[str, str], dict[str, None]] = {}
        self.costs: dict[str, int] = {}
        self.loaded: set[Want] = set()
        self.answers: dict[Want, list[str]] = {}
        # `fresh` and `new_ids` name what the database does not have yet, `born` products and locations among it.
        self.fresh: set[str] = set()
        self.new_ids: set[str] = set()
        self.born: set[str] = set()

    @property
    def settings(self) -> Settings:
        """The organisation's rules."""
        return self.catalog.settings

    # Reading -------------------------------------------------------------------------------------------------------

    def require(self, *wants: Want) -> list[str]:
        """The loader's answer to the first want: ids, or texts as the Want says; asks for all that are not loaded."""
        unknown = [want for want in wants if want not in self.loaded]
        if unknown:
            raise Missing(unknown)
        return self.answers.get(wants[0], []) if wants else []

    def level(self, product_id: str, location_id: str) -> Level | None:
        """The level, locked; None when the product was never at the location."""
        key = (product_id, location_id)
        if key not in self.locked and not self._is_born(product_id, location_id):
            raise Missing((LevelAt(product_id, location_id),))
        return self.levels.get(key)

    def lock_levels(self, pairs: Iterable[LevelKey]) -> None:
        """Ask for all of these levels that are not locked yet, at once; a level need not exist."""
        locked = self.locked
        unknown = {LevelAt(*key) for key in pairs if key not in locked and not self._is_born(*key)}
        if unknown:
            raise Missing(unknown)

    def _is_born(self, product_id: str, location_id: str) -> bool:
        """Did this batch make the product or the location? Then nothing of them lies in the database."""
        return bool(self.born) and (product_id in self.born or location_id in self.born)

    def hold(self, reservation_id: str) -> Reservation | None:
        """A reservation with its level locked; None when there is none with that id."""
        found = self.reservations.get(reservation_id)
        if found is None:
            self.require(HoldById(reservation_id))
            return None
        self.level(found.product_id, found.location_id)
        return found

    def holds(self, reservation_ids: Iterable[str]) -> list[Reservation]:
        """Reservations with their levels locked, all asked for at once; ids without one are left out."""
        ids = list(reservation_ids)
        self.require(*(HoldById(name) for name in ids if name not in self.reservations))
        found = [self.reservations[name] for name in ids if name in self.reservations]
        self.lock_levels((hold.product_id, hold.location_id) for hold in found)
        return found

    def holds_at(self, level: Level) -> list[Reservation]:
        """The active holds of a level, in no order."""
        self.require(ActiveAt(level.id))
        return [hold for hold in self._index.of("level_id", level.id) if hold.active]

    def waiting_at(self, level: Level) -> list[Reservation]:
        """The active holds of a level that wait for stock: best priority first, then oldest."""
        self.require(WaitingAt(level.id))
        waiting = [hold for hold in self._index.of("level_id", level.id) if hold.active and hold.backordered]
        return sorted(waiting, key=lambda hold: (hold.priority, hold.created_at, hold.id))

    def roaming(self, product_id: str) -> list[Reservation]:
        """The holds that wait for a product and may be served at several locations, in no order, their levels locked.

        What is missing for one product is asked for all that are sought: the questions do not grow with products.
        """
        wanted = [
            RoamingFor(product_id),
            *(RoamingFor(name) for name in sorted(self.products_waited_for - {product_id})),
        ]
        self.require(*wanted)
        found = self._roaming_of(product_id)
        if any((hold.product_id, hold.location_id) not in self.locked for hold in found):
            everybody = [hold for want in wanted for hold in self._roaming_of(want.product_id)]
            self.lock_levels((hold.product_id, hold.location_id) for hold in everybody)
        return found

    def _roaming_of(self, product_id: str) -> list[Reservation]:
        found = (self.reservations.get(name) for name in self._roaming.get(product_id, ()))
        return [hold for hold in found if hold is not None and hold.active and hold.roams]

    def remember_roaming(self, hold: Reservation) -> None:
        """Keep a hold that waits and may be served at several locations."""
        self.products_waited_for.add(hold.product_id)
        self._roaming.setdefault(hold.product_id, {})[hold.id] = None

    def adhoc_at(self, level: Level) -> list[Reservation]:
        """The active holds of a level that are for nobody in particular, oldest first."""
        self.require(AdhocAt(level.id))
        holds = self._index.of("level_id", level.id)
        return oldest_first(hold for hold in holds if hold.active and hold.held_for == "adhoc")

    def holds_of_order(self, order_number: str, *, at: Level | None = None) -> list[Reservation]:
        """Every hold of an order number (those `at` one level), ended ones and those of all sources, oldest first.

        Their levels are locked.
        """
        self.require(HoldsOfOrder(order_number))
        holds = self._index.of("order_number", order_number)
        if at is not None:
            return oldest_first(hold for hold in holds if hold.level_id == at.id)
        return oldest_first(self._with_levels(holds))

    def known_of_order(self, order_number: str) -> list[Reservation]:
        """The holds of an order number that are loaded, oldest first."""
        return oldest_first(self._index.of("order_number", order_number))

    def holds_of_target(self, target_id: str) -> list[Reservation]:
        """The active holds that name a sale or an appointment, oldest first, with their levels locked."""
        self.require(HoldsOfTarget(target_id))
        holds = [hold for hold in self._index.of("reserved_for_id", target_id) if hold.active]
        return oldest_first(self._with_levels(holds))

    def holds_of_line(self, sale_line_id: str) -> list[Reservation]:
        """The active holds of a sale line, oldest first; the sale with its holds has been asked for before."""
        return oldest_first(hold for hold in self._index.of("sale_line_id", sale_line_id) if hold.active)

    def _with_levels(self, holds: list[Reservation]) -> list[Reservation]:
        self.catalog.know_products(hold.product_id for hold in holds)
        self.lock_levels((hold.product_id, hold.location_id) for hold in holds)
        return holds

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
        """A lot at a locked level; None when it has no units there (an empty one may be answered as well)."""
        at = self.lots_at[level.id].get(lot_id)
        if at is None and level.id in self.windows:
            self.require(LotAt(level.id, lot_id))
        return at

    def lot_stocks(self, pairs: Iterable[tuple[Level, str]]) -> None:
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

    def product_of(self, level: Level) -> Product:
        """The product of a level that was loaded."""
        product = self.catalog.product(level.product_id)
        assert product is not None, level
        return product

    def record(self, kind: str, key: str) -> Any:
        """A document by its id or its natural key, locked; None when there is none."""
        if (kind, key) not in self.records:
            self.require(RecordById(kind, key))
            return None
        return self.records[kind, key]

    def records_of(self, kind: str) -> list[Any]:
        """The documents of a kind that this batch has read or written, as they stand now."""
        found = (self.records.get((kind, key)) for key in self._of_kind.get(kind, ()))
        return [record for record in found if record is not None]

    def unread(self, ids: Iterable[str], *kinds: str) -> set[str]:
        """Those of the ids that are of no document of these kinds that this batch has read or written."""
        return {name for name in ids if not any((kind, name) in self.records for kind in kinds)}

    def row(self, kind: type[T], key: str) -> T | None:
        """A row of sales or books by its id, if it is loaded."""
        return self.rows.get(kind, {}).get(key)

    def row_named(self, key: str | None) -> Any:
        """The row of sales or books with that id, of whichever kind, if it is loaded."""
        if key is None:
            return None
        return next((rows[key] for rows in self.rows.values() if key in rows), None)

    def rows_of(self, kind: type[T]) -> list[T]:
        """Every row of a kind that is loaded."""
        return list(self.rows.get(kind, {}).values())

    def rows_of_sale(self, kind: type[T], sale_id: str) -> list[T]:
        """The rows of a kind that belong to a sale and are loaded."""
        rows = self.rows.get(kind, {})
        return [rows[name] for name in self._of_sale.get((kind, sale_id), ()) if name in rows]

    def sales_of_order(self, source: str, order_number: str) -> list[Any]:
        """The sales of an identity outside that this batch has loaded or made."""
        ids = self._of_order.get((source, order_number))
        if ids is None:
            return []
        return [row for rows in self.rows.values() for name in ids if (row := rows.get(name)) is not None]

    # Knowing: what a loader brings stands only where nothing is known yet --------------------------------------------

    def know_hold(self, hold: Reservation) -> Reservation:
        """A hold as it was loaded; the one that is known already stands as it is. Answers the one that stands."""
        known = self.reservations.setdefault(hold.id, hold)
        if known is hold:
            self._index.add(hold)
            if hold.roams:
                self.remember_roaming(hold)
            if hold.expires_at is not None and hold.expires_at <= self.now and hold.active:
                self.dead.setdefault(hold.level_id, []).append(hold.id)
            if hold.level_id in self.windows:
                self._need_backing(hold)
        return known

    def _need_backing(self, hold: Reservation) -> None:
        """A hold is loaded with the lots that back it and the one that it is pinned to: `unbacked` are yet to load."""
        here = self.lots_at[hold.level_id]
        named = {lot_id for lot_id, _ in hold.allocations}
        if hold.lot_id is not None and hold.active:
            named.add(hold.lot_id)
        self.unbacked.update(LotAt(hold.level_id, lot_id) for lot_id in named if lot_id not in here)

    @property
    def unsettled(self) -> bool:
        """Is there an expired hold, loaded with its level, that is not released yet?"""
        return any(level_id in self.level_of_id for level_id in self.dead)

    def require_expired_holds(self, levels: Iterable[Level | None]) -> None:
        """Before a lack of units is told: ask for expired holds of these levels that are not released yet."""
        more = {DeadAt(level.id) for level in levels if level is not None and level.id in self.more_dead}
        if more:
            raise Missing(more)

    def know_lot_stock(self, at: LotStock) -> None:
        """A lot at a locked level as it was loaded, empty or not; its identity is known."""
        self.lots_at[at.level_id].setdefault(at.lot_id, at)
        self._levels_of_lot.setdefault(at.lot_id, {})[at.level_id] = None

    def know_record(self, kind: str, key: str, record: Any) -> None:
        """A document as it was loaded."""
        self.records.setdefault((kind, key), record)
        self._of_kind.setdefault(kind, {})[key] = None

    def know_row(self, row: Any) -> None:
        """A row of sales or books as it was loaded."""
        self.rows.setdefault(type(row), {}).setdefault(row.id, row)
        self._remember_row(row)

    def _remember_row(self, row: Any) -> None:
        sale_id = getattr(row, "sale_id", None)
        if sale_id is not None:
            self._of_sale.setdefault((type(row), sale_id), {})[row.id] = None
        order_number = getattr(row, "order_number", None)
        if order_number is not None:
            self._of_order.setdefault((row.source, order_number), {})[row.id] = None
        external_id = getattr(row, "external_id", None)
        if external_id is not None:
            self._of_order.setdefault((row.source, external_id), {})[row.id] = None


def oldest_first(holds: Iterable[Reservation]) -> list[Reservation]:
    """Holds in the order in which they were made."""
    return sorted(holds, key=lambda hold: (hold.created_at, hold.id))
