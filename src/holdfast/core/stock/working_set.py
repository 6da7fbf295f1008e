"""The working set: what one batch has loaded, and how a decision finds its way in it.

    stock.hold(id)                   -> the hold, its level locked; `Missing` when nobody loaded it
    stock.holds_of_order("web", "102")   -> what the database has of the order, merged with what this batch made of it
    stock.lock_levels(pairs)         -> one question for all levels that are not locked yet

It stands on two floors: `loaded_rows` (questions, levels, documents, sales) and `loaded_lots`. This module adds the
holds. A finder owns its question, its index, and the merge with what the batch has written. Nothing here changes stock
(`posting.Stock` does), and nothing here reads: `holdfast.db.batch.loaders` answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.rejection import invalid_state
from holdfast.core.records.stock import FOR_NOBODY, Level, Reservation
from holdfast.core.records.wants import (
    HOLDS_READ_MAX,
    ActiveAt,
    ActiveOfNumber,
    ActiveOfOrder,
    AdhocAt,
    ExpiredHoldsAt,
    HoldById,
    HoldsOfOrder,
    HoldsOfTarget,
    LotAt,
    Missing,
    RoamingFor,
    WaitingAt,
)
from holdfast.core.stock.hold_index import HoldIndex
from holdfast.core.stock.loaded_lots import LoadedLots


class WorkingSet(LoadedLots):
    """What one batch has loaded and written so far: holds here, lots in `LoadedLots`, all else in `LoadedRows`."""

    def __init__(self, org_id: str, catalog: Catalog, now: int, new_id: Callable[[], str]) -> None:
        super().__init__(org_id, catalog, now, new_id)
        self.reservations: dict[str, Reservation] = {}
        # Expired holds by level that were loaded and not released yet; how many of a level were read in their order;
        # the levels that may have more of them.
        self.expired_holds: dict[str, list[str]] = {}
        self.expired_read: dict[str, int] = {}
        self.more_expired: set[str] = set()
        # Products of holds that wait and may be served at several locations, and those holds as far as known.
        self.roaming_products: set[str] = set()
        self._roaming: dict[str, dict[str, None]] = {}
        self._index = HoldIndex(self.reservations)
        # How many holds this batch has made for a (source, order number).
        self.made_for: dict[tuple[str, str], int] = {}

    # Reading -------------------------------------------------------------------------------------------------------

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
        return sorted(waiting, key=lambda hold: hold.turn)

    def roaming(self, product_id: str) -> list[Reservation]:
        """The holds that wait for a product and may be served at several locations, in no order, their levels locked.

        What is missing for one product is asked for all `roaming_products`: the questions do not grow with products.
        """
        wanted = [
            RoamingFor(product_id),
            *(RoamingFor(name) for name in sorted(self.roaming_products - {product_id})),
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
        self.roaming_products.add(hold.product_id)
        self._roaming.setdefault(hold.product_id, {})[hold.id] = None

    def adhoc_at(self, level: Level) -> list[Reservation]:
        """The active holds of a level that are for nobody in particular, oldest first."""
        self.require(AdhocAt(level.id))
        holds = self._index.of("level_id", level.id)
        return oldest_first(hold for hold in holds if hold.active and hold.held_for == FOR_NOBODY)

    def has_more_adhoc(self, level: Level) -> bool:
        """Are there newer ones than `adhoc_at` answers, because there are too many of them?"""
        return len(self.require(AdhocAt(level.id))) > HOLDS_READ_MAX

    def holds_of_order(self, source: str, *numbers: str) -> list[Reservation]:
        """Every hold of an order that has these numbers at its source, ended ones too, oldest first, with their levels
        locked; refused where they are too many."""
        wanted = [HoldsOfOrder(number, source) for number in numbers]
        self.require(*wanted)
        self._refuse_too_many(wanted)
        holds = [hold for number in numbers for hold in self._index.of("order_number", number)]
        return oldest_first(self._with_levels([hold for hold in holds if hold.source == source]))

    def active_of_order(self, order_number: str, source: str | None, level: Level) -> list[Reservation]:
        """The active holds at a level that have an order number and (None: any) source, oldest first; refused where
        there are too many at all levels."""
        any_source = ActiveOfNumber(order_number)
        wanted = any_source if source is None else ActiveOfOrder(order_number, source)
        self.require(wanted)
        self._refuse_too_many([wanted])
        holds = self._index.of("order_number", order_number)
        here = (hold for hold in holds if hold.active and hold.level_id == level.id)
        return oldest_first(hold for hold in here if source in (None, hold.source))

    def _refuse_too_many(self, wanted: Sequence[HoldsOfOrder | ActiveOfOrder | ActiveOfNumber]) -> None:
        """Refuse a command for which more holds of an order would have to be looked at than is borne."""
        for want in wanted:
            if len(self.answers.get(want, ())) > HOLDS_READ_MAX:
                kept = "holds, ended ones too" if isinstance(want, HoldsOfOrder) else "active holds"
                words = f"Order {want.order_number} has more than {HOLDS_READ_MAX:,} {kept}: name them by their ids."
                raise invalid_state(words)

    def known_of_order(self, order_number: str) -> list[Reservation]:
        """The holds of an order number that are loaded, oldest first."""
        return oldest_first(self._index.of("order_number", order_number))

    def holds_of_target(self, target_id: str) -> list[Reservation]:
        """The active holds that name a sale or an appointment, oldest first, with their levels locked."""
        self.require(HoldsOfTarget(target_id))
        holds = [hold for hold in self._index.of("reserved_for_id", target_id) if hold.active]
        return oldest_first(self._with_levels(holds))

    def count_of_target(self, target_id: str) -> int:
        """How many active holds name a sale or an appointment; their levels are not locked for it."""
        self.require(HoldsOfTarget(target_id))
        return sum(1 for hold in self._index.of("reserved_for_id", target_id) if hold.active)

    def holds_of_line(self, sale_line_id: str) -> list[Reservation]:
        """The active holds of a sale line, oldest first; the sale with its holds has been asked for before."""
        return oldest_first(hold for hold in self._index.of("sale_line_id", sale_line_id) if hold.active)

    def _with_levels(self, holds: list[Reservation]) -> list[Reservation]:
        self.catalog.know_products(hold.product_id for hold in holds)
        self.lock_levels((hold.product_id, hold.location_id) for hold in holds)
        return holds

    # Knowing: what a loader brings stands only where nothing is known yet --------------------------------------------

    def know_hold(self, hold: Reservation) -> Reservation:
        """A hold as it was loaded; the one that is known already stands as it is. Answers the one that stands."""
        known = self.reservations.setdefault(hold.id, hold)
        if known is hold:
            self._index.add(hold)
            if hold.roams:
                self.remember_roaming(hold)
            if hold.expires_at is not None and hold.expires_at <= self.now and hold.active:
                self.expired_holds.setdefault(hold.level_id, []).append(hold.id)
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
        return any(level_id in self.level_of_id for level_id in self.expired_holds)

    def require_expired_holds(self, levels: Iterable[Level | None]) -> None:
        """Before a lack of units is told: ask for expired holds of these levels that are not released yet."""
        more = {ExpiredHoldsAt(level.id) for level in levels if level is not None and level.id in self.more_expired}
        if more:
            raise Missing(more)


def oldest_first(holds: Iterable[Reservation]) -> list[Reservation]:
    """Holds in the order in which they were made."""
    return sorted(holds, key=lambda hold: (hold.created_at, hold.id))
