"""The check of the stock: levels, lots, holds and ledger, replayed and added up against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from holdfast.check.chain import ChainCheck
from holdfast.check.run import Key, Merged, Run, Tally
from holdfast.core.records.ledger import Balance, Entry, follow, stated
from holdfast.core.records.status import ACTIVE, CONSUMED, RELEASED
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.core.reservations.reserve import Target
from holdfast.db.audit_rows import Snapshot
from holdfast.db.audit_shapes import Head, HoldSum, InTransit, Stored


class _Sums:
    """What the lots of one level have according to one source, in smallest units and minor units of value."""

    def __init__(self) -> None:
        self.on_hand: dict[str, int] = {}
        self.reserved: dict[str, int] = {}
        self.value: dict[str, int] = {}

    def add(self, lot_id: str, on_hand: int, reserved: int, value: int) -> None:
        """Add to a lot."""
        self.on_hand[lot_id] = self.on_hand.get(lot_id, 0) + on_hand
        self.reserved[lot_id] = self.reserved.get(lot_id, 0) + reserved
        self.value[lot_id] = self.value.get(lot_id, 0) + value


class _Place:
    """The level at hand: how its mismatches are named."""

    def __init__(self, row: Stored, level: Level) -> None:
        self.org_id, self.level = row.org_id, level
        self.sku, self.location, self.active = row.beside


class StockCheck(Run):
    """Levels, lots, holds and ledger against each other, and the ledger against heads that were exported before."""

    def __init__(self, rows: Snapshot, org_id: str | None, tally: Tally, heads: Iterable[Head] = ()) -> None:
        super().__init__(rows, org_id, tally)
        self._heads = heads

    def _at(self, place: _Place, invariant: str, row: str, expected: object, found: object, **where: Any) -> None:
        """A mismatch at a level, unless the two are equal."""
        if expected != found:
            where = {"org_id": place.org_id, "sku": place.sku, "location": place.location, **where}
            self._tell(invariant, row, expected, found, **where)

    # Levels with their lots, active holds and ledgers ----------------------------------------------------------------

    def levels(self) -> None:
        """Walk all levels, and beside them everything that belongs to one."""
        rows, org = self._rows, self._org
        lots = Merged(rows.lot_stocks(org), lambda row: (row.org_id, str(row.raw[1])))
        holds = Merged(rows.active_holds(org), lambda row: (row.org_id, str(row.raw[2])))
        entries = Merged(rows.entries(org), lambda row: (row.org_id, str(row.raw[2])))
        chains = ChainCheck(rows, org, self._tally, self._heads)
        for row in rows.levels(org):
            key = (row.org_id, str(row.raw[1]))
            self._orphans(lots, holds, entries, key)
            chains.before(key)
            level: Level | None = self._stored(row, f"level {key[1]}", sku=row.beside[0], location=row.beside[1])
            if level is None:
                continue
            place = _Place(row, level)
            self._level(place)
            stored = self._lots_of(place, lots.of(key))
            promised = self._holds_of(place, holds.of(key), stored)
            told = self._ledger_of(place, chains.of(row, level, entries.of(key)))
            self._compare(place, stored, promised, told)
        self._orphans(lots, holds, entries, None)
        chains.before(None)

    def _orphans(self, lots: Merged[Stored], holds: Merged[Stored], entries: Merged[Stored], key: Key | None) -> None:
        """Rows whose level is not there."""
        for row in lots.before(key):
            name = f"lot_stock {row.raw[1]} {row.raw[2]}"
            self._stored(row, name, lot_id=str(row.raw[2]))
            self._tell("lot_stock.level", name, row.raw[1], None, org_id=row.org_id, lot_id=str(row.raw[2]))
        for row in holds.before(key):
            where = {"org_id": row.org_id, "reservation_id": str(row.raw[1])}
            self._tell("reservation.level", f"reservation {row.raw[1]}", row.raw[2], None, **where)
        for row in entries.before(key):
            name = f"ledger {row.raw[1]}"
            self._stored(row, name)
            self._tell("ledger.level", name, row.raw[2], None, org_id=row.org_id)

    def _level(self, place: _Place) -> None:
        level, name = place.level, f"level {place.level.id}"
        if place.sku is None:
            self._at(place, "level.product", name, level.product_id, None)
        if place.location is None:
            self._at(place, "level.location", name, level.location_id, None)
        elif not place.active and (level.on_hand or level.backordered):
            left = (
                f"{level.on_hand} on hand and {level.backordered} waiting at the removed location {level.location_id}"
            )
            self._at(place, "level.location is active", name, "nothing at a removed location", left)
        self._at(place, "level.reserved", name, True, 0 <= level.reserved <= level.on_hand)
        self._at(place, "level.backordered", name, True, level.backordered >= 0)
        if not level.listed:
            self._at(place, "level.listed", name, (0, 0, 0), (level.on_hand, level.reserved, level.backordered))

    def _lots_of(self, place: _Place, rows: Iterator[Stored]) -> _Sums:
        """The level's lots as they are stored."""
        sums, values = _Sums(), self._tally.values
        for row in rows:
            lot_id = str(row.raw[2])
            name = f"lot_stock {place.level.id} {lot_id}"
            at: LotStock | None = self._stored(row, name, sku=place.sku, location=place.location, lot_id=lot_id)
            if at is None:
                continue
            sums.add(lot_id, at.on_hand, at.reserved, at.value)
            values[place.org_id] = values.get(place.org_id, 0) + at.value
            self._at(place, "lot_stock.lot", name, place.level.product_id, row.beside[0], lot_id=lot_id)
            if row.beside[0] is not None:
                self._at(place, "lot_stock.received_at", name, row.beside[2], row.beside[1], lot_id=lot_id)
            self._at(place, "lot_stock.location", name, place.level.location_id, at.location_id, lot_id=lot_id)
            self._at(place, "lot_stock.is_open", name, at.on_hand > 0, at.is_open, lot_id=lot_id)
            self._at(place, "lot_stock.reserved", name, True, 0 <= at.reserved <= at.on_hand, lot_id=lot_id)
            worthy = at.value >= 0 and (at.on_hand > 0 or at.value == 0)
            self._at(place, "lot_stock.value", name, True, worthy, lot_id=lot_id)
        return sums

    def _holds_of(self, place: _Place, rows: Iterator[Stored], stored: _Sums) -> _Sums:
        """What the level's active holds take from each lot."""
        sums, waiting = _Sums(), 0
        for row in rows:
            hold: Reservation | None = self._stored(row, "", counted=False)
            if hold is None:
                continue
            waiting += hold.backordered
            for lot_id, units in hold.allocations:
                sums.add(lot_id, 0, units, 0)
                if lot_id not in stored.on_hand:
                    row_name = f"reservation {hold.id}"
                    self._at(place, "reservation.lot", row_name, lot_id, None, lot_id=lot_id, reservation_id=hold.id)
        name = f"level {place.level.id}"
        self._at(place, "level.backordered is its reservations'", name, waiting, place.level.backordered)
        return sums

    def _ledger_of(self, place: _Place, rows: Iterator[Stored]) -> _Sums:
        """Replay the level's ledger; what it says of each lot."""
        sums, before = _Sums(), Balance()
        level = place.level
        for row in rows:
            name = f"ledger {row.raw[1]}"
            entry: Entry | None = self._stored(row, name, sku=place.sku, location=place.location)
            if entry is None:
                continue
            where = {"lot_id": entry.lot_id, "reservation_id": entry.reservation_id}
            must, does = follow(before, entry), stated(entry)
            # The numbers belong to the level: where one is missing, there is no row to name.
            self._at(place, "ledger.seq", f"level {level.id}", must.seq, does.seq, **where)
            expected = (must.on_hand, must.reserved, must.backordered)
            self._at(place, "ledger.balance", name, expected, (does.on_hand, does.reserved, does.backordered), **where)
            if entry.created_at < before.created_at:
                self._at(place, "ledger.created_at", name, f">= {before.created_at}", entry.created_at, **where)
            whose = (entry.product_id, entry.location_id)
            self._at(place, "ledger.level", name, (level.product_id, level.location_id), whose, **where)
            if entry.lot_id is not None:
                sums.add(entry.lot_id, entry.qty_delta, entry.reserved_delta, entry.value_delta)
            elif entry.qty_delta or entry.reserved_delta or entry.value_delta:
                moved = (entry.qty_delta, entry.reserved_delta, entry.value_delta)
                self._at(place, "ledger.lot", name, (0, 0, 0), moved, **where)
            before = does
        name = f"level {level.id}"
        last = (before.seq, before.on_hand, before.reserved, before.backordered)
        self._at(
            place, "level is its last entry", name, last, (level.seq, level.on_hand, level.reserved, level.backordered)
        )
        return sums

    def _compare(self, place: _Place, stored: _Sums, promised: _Sums, told: _Sums) -> None:
        """Level, lots, holds and ledger against each other."""
        level, name = place.level, f"level {place.level.id}"
        lots = (sum(stored.on_hand.values()), sum(stored.reserved.values()))
        self._at(place, "level is the sum of its lots", name, lots, (level.on_hand, level.reserved))
        for lot_id in sorted({*stored.on_hand, *told.on_hand, *promised.reserved}):
            row = f"lot_stock {level.id} {lot_id}"
            held = promised.reserved.get(lot_id, 0)
            self._at(
                place, "lot_stock.reserved is its allocations", row, held, stored.reserved.get(lot_id), lot_id=lot_id
            )
            in_ledger = tuple(told_of.get(lot_id, 0) for told_of in (told.on_hand, told.reserved, told.value))
            in_row = tuple(row_of.get(lot_id) for row_of in (stored.on_hand, stored.reserved, stored.value))
            self._at(place, "lot_stock is its entries", row, in_ledger, in_row, lot_id=lot_id)

    # Documents -------------------------------------------------------------------------------------------------------

    def documents(self) -> None:
        """Open counts and transfers whose location was removed: neither can be finished."""
        for one in self._rows.left_open(self._org):
            found = f"{one.kind} at the removed location {one.location_id}"
            where = {"org_id": one.org_id, "location": one.location}
            self._tell(f"{one.kind}.location is active", f"{one.kind} {one.id}", "nothing open there", found, **where)

    def roads(self) -> None:
        """What lies at transit against what the open transfers have on the road, lot by lot."""
        shipped = Merged(self._rows.on_the_road(self._org), _lot_key)
        for here in self._rows.in_transit(self._org):
            for gone in shipped.before(_lot_key(here)):
                self._road(gone, gone.units, 0)
            self._road(here, sum(one.units for one in shipped.of(_lot_key(here))), here.units)
        for gone in shipped.before(None):
            self._road(gone, gone.units, 0)

    def _road(self, lot: InTransit, expected: int, found: int) -> None:
        where = {"org_id": lot.org_id, "lot_id": lot.lot_id}
        self._same("transit is its transfers'", f"lot {lot.lot_id}", expected, found, **where)

    # Reservations and lots -------------------------------------------------------------------------------------------

    def reservations(self) -> None:
        """Walk all reservations, and beside them what the ledger says of each."""
        sums = Merged(self._rows.hold_sums(self._org), lambda row: (row.org_id, row.reservation_id))
        for row in self._rows.reservations(self._org):
            key = (row.org_id, str(row.raw[1]))
            self._unheld(sums.before(key))
            sku, location = row.beside[2:]
            where = {"org_id": row.org_id, "sku": sku, "location": location, "reservation_id": key[1]}
            name = f"reservation {key[1]}"
            hold: Reservation | None = self._stored(row, name, **{k: v for k, v in where.items() if k != "org_id"})
            if hold is None:
                continue
            for invariant, expected, found in [
                *_of_itself(hold),
                ("reservation.level", tuple(row.beside[:2]), (hold.product_id, hold.location_id)),
                *_of_ledger(hold, list(sums.of(key))),
            ]:
                if expected != found:
                    self._tell(invariant, name, expected, found, **where)
        self._unheld(sums.before(None))

    def _unheld(self, sums: Iterator[HoldSum]) -> None:
        """Entries whose reservation is not there."""
        for one in sums:
            self._tell(
                "ledger.reservation",
                f"reservation {one.reservation_id}",
                one.reservation_id,
                None,
                org_id=one.org_id,
                reservation_id=one.reservation_id,
            )

    def waiting(self) -> None:
        """Holds that wait while units which may serve them lie free elsewhere."""
        for one in self._rows.beside_free(self._org):
            found = f"{one.waits} wait, {one.free} free at {one.elsewhere}"
            where = {"sku": one.sku, "location": one.location, "reservation_id": one.reservation_id}
            name = f"reservation {one.reservation_id}"
            self._tell("reservation.waits beside free units", name, "served", found, org_id=one.org_id, **where)

    def doubled(self) -> None:
        """Two holds of one order line: the sale's own, and one that was made for the order's number."""
        for one in self._rows.doubled(self._org):
            found = f"a hold beside those of sale {one.sale}, which is {one.status}"
            where = {"sku": one.sku, "location": one.location, "reservation_id": one.reservation_id}
            name = f"reservation {one.reservation_id}"
            self._tell("reservation.one hold of an order line", name, "one", found, org_id=one.org_id, **where)

    def lots(self) -> None:
        """Walk all lots."""
        for row in self._rows.lots(self._org):
            name = f"lot {row.raw[1]}"
            lot: Lot | None = self._stored(row, name, sku=row.beside[0], lot_id=str(row.raw[1]))
            if lot is not None and row.beside[0] is None:
                self._tell("lot.product", name, lot.product_id, None, org_id=row.org_id, lot_id=lot.id)


def _lot_key(lot: InTransit) -> Key:
    return (lot.org_id, lot.product_id, lot.lot_id)


def _of_itself(hold: Reservation) -> Iterator[tuple[str, object, object]]:
    """What must be true of a reservation alone: (invariant, expected, found)."""
    numbers = (hold.consumed, hold.released, hold.backordered, hold.open, hold.allocated)
    yield "reservation.quantity", True, hold.quantity > 0 and min(numbers) >= 0
    yield "reservation.open is its allocations and backorder", hold.allocated, sum(u for _, u in hold.allocations)
    fit = all(units > 0 for _, units in hold.allocations) and len(dict(hold.allocations)) == len(hold.allocations)
    yield "reservation.allocations", True, fit
    status = ACTIVE if hold.open else CONSUMED if hold.consumed else RELEASED
    yield "reservation.status", status, hold.status
    yield "reservation.release_reason", hold.status == RELEASED, hold.release_reason is not None
    target = Target(hold.order_number, hold.source, hold.reserved_for_type, hold.reserved_for_id, hold.sale_line_id)
    yield "reservation.held_for", target.kind, hold.held_for


def _of_ledger(hold: Reservation, sums: list[HoldSum]) -> Iterator[tuple[str, object, object]]:
    """What must be true of a reservation and its entries: (invariant, expected, found)."""
    for one in sums:  # a hold that moved has left nothing promised behind
        if one.level_id != hold.level_id:
            yield "ledger.reservation is of its level", (0, 0), (one.reserved, one.backordered)
    told = (
        sum(one.reserved for one in sums),
        sum(one.backordered for one in sums),
        sum(one.sold for one in sums),
    )
    yield "reservation is its entries", told, (hold.allocated, hold.backordered, hold.consumed)
