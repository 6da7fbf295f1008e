"""Stock: the working set that decisions read, and `post`, the one way to change it.

A batch of commands is decided against one Stock: the levels it locked, their lots, the holds it asked for. Decisions
look first and then `post` ledger entries; `post` moves level and lot together and asserts what must always be true
(docs/reference/invariants.md). What a decision did can be undone as a whole (`undo`).

What a decision needs and the Stock does not have, it asks for by raising `Missing` with everything of that kind at
once. The loader of the Stock loads that too, and the command is decided again from the start. So the core never reads.
The Stock stands on four floors: what is loaded (`working_set` and the two below it), how it is undone (`undo`), how
records change (`record_changes`), and here how units move.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.ledger import Entry, RefType
from holdfast.core.records.number import QUANTITY_MAX, VALUE_MAX
from holdfast.core.records.rejection import Code, RefusedOutright
from holdfast.core.records.status import assert_follows
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.core.records.wants import ActiveAt, AdhocAt, WaitingAt
from holdfast.core.stock.foreseen_id import corner_id
from holdfast.core.stock.gate import pass_place
from holdfast.core.stock.record_changes import ChangedRecords

COMMAND_ENTRIES_MAX = 50_000
"""Most ledger entries that one command may write: it is one transaction, and others wait for it."""

COMING = ("RECEIPT", "TRANSFER")
"""What brings goods to a location that they were not at."""


TOO_MUCH = f"This would write more than {COMMAND_ENTRIES_MAX:,} ledger entries at once: do it in parts."


class Cause(msgspec.Struct, frozen=True, gc=False):
    """Why and by whom a ledger entry is written."""

    actor: str
    ref_id: str | None = None
    order_number: str | None = None
    source: str | None = None
    reason: str | None = None
    note: str | None = None


class Stock(ChangedRecords):
    """The working set of one batch, with `post` and its companions, which change it."""

    def __init__(self, org_id: str, catalog: Catalog, now: int, new_id: Callable[[], str]) -> None:
        super().__init__(org_id, catalog, now, new_id)
        # What this batch writes. `holds_to_place` are holds that have begun to wait and look elsewhere, `moved`
        # those whose location or target changed, `came_in` tells when goods came to a level.
        self.holds_to_place: dict[str, None] = {}
        self.moved: set[str] = set()
        self.came_in: dict[str, int] = {}
        self.entries_max = COMMAND_ENTRIES_MAX

    # Writing -------------------------------------------------------------------------------------------------------

    def open_level(self, product_id: str, location_id: str) -> Level:
        """The level; an empty one is begun when the product was never there.

        The id of a quarantine level is computed. So a read can show it before it is written.
        """
        level = self.level(product_id, location_id)
        if level is None:
            aside = self.catalog.locations[location_id].kind == "quarantine"
            level_id = corner_id(product_id, location_id) if aside else self.new_id()
            level = Level(
                id=level_id,
                product_id=product_id,
                location_id=location_id,
                on_hand=0,
                reserved=0,
                backordered=0,
                seq=0,
                listed=True,
                created_at=self.now,
                updated_at=self.now,
            )
            self._log.append((self.levels, (product_id, location_id), None))
            self._log.append((self.level_of_id, level.id, None))
            self.levels[product_id, location_id] = level
            self.level_of_id[level.id] = level
            self.lots_at[level.id] = {}
            self.fresh.add(level.id)
            self.loaded.update((WaitingAt(level.id), ActiveAt(level.id), AdhocAt(level.id)))
        return level

    def post(
        self,
        cause: Cause,
        level: Level,
        lot: LotStock | None,
        ref_type: RefType,
        *,
        qty: int = 0,
        reserved: int = 0,
        backordered: int = 0,
        value: int = 0,
        hold: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Write one ledger entry and move level and lot by it. Units in smallest units, value in minor units."""
        if self.caller.stores is not None and not self._ungated:
            pass_place(self, self.caller.stores, level.location_id)
        self._log.append(
            (level, level.on_hand, level.reserved, level.backordered, level.seq, level.listed, level.updated_at)
        )
        if len(self.entries) >= self.entries_max:
            raise RefusedOutright(Code.INVALID_STATE, TOO_MUCH)
        if qty > 0 or backordered > 0:
            _check_bounds(level, lot, qty, backordered, value)
            if qty > 0 and ref_type in COMING:
                self._log.append((self.came_in, level.id, self.came_in.get(level.id)))
                self.came_in[level.id] = max(self.now, level.updated_at)
        level.on_hand += qty
        level.reserved += reserved
        level.backordered += backordered
        level.seq += 1
        level.listed = True
        level.updated_at = now = max(self.now, level.updated_at)
        if lot is not None:
            self._log.append((lot, lot.on_hand, lot.reserved, lot.value, lot.is_open, lot.origins, lot.sellable_until))
            lot.on_hand += qty
            lot.reserved += reserved
            lot.value += value
            lot.is_open = lot.on_hand > 0
            assert 0 <= lot.reserved <= lot.on_hand and lot.value >= 0, (lot, ref_type, qty, reserved)
            assert lot.on_hand or not lot.value, lot
        else:
            assert not qty and not reserved and not value, (ref_type, qty, reserved)
        assert 0 <= level.reserved <= level.on_hand and level.backordered >= 0, (level, ref_type, qty, reserved)
        self.entries.append(
            Entry(  # in order, for keywords would take four times as long
                self.new_id(),  # id
                level.id,  # level_id
                level.seq,  # seq
                level.product_id,  # product_id
                level.location_id,  # location_id
                None if lot is None else lot.lot_id,  # lot_id
                ref_type,
                cause.ref_id,  # ref_id
                qty,  # qty_delta
                level.on_hand,  # balance_after
                reserved,  # reserved_delta
                level.reserved,  # reserved_after
                backordered,  # backordered_delta
                level.backordered,  # backordered_after
                value,  # value_delta
                cause.order_number,  # order_number
                cause.source,  # source
                hold,  # reservation_id
                cause.actor,  # actor
                reason or cause.reason,  # reason
                cause.note,  # note
                now,  # created_at
            )
        )

    def unlist(self, level: Level) -> None:
        """Take an empty level off the lists; its ledger stays and goes on when stock comes again."""
        self._log.append(
            (level, level.on_hand, level.reserved, level.backordered, level.seq, level.listed, level.updated_at)
        )
        level.listed = False

    def put_hold(self, reservation: Reservation) -> None:
        """Set a reservation as it now stands."""
        if reservation.id not in self.reservations:
            self.new_ids.add(reservation.id)
        before = self.reservations.get(reservation.id)
        assert_follows(reservation, before)
        if reservation.roams:
            self._note_roaming(reservation, before)
        self._log.append((self.reservations, reservation.id, before))
        self.reservations[reservation.id] = reservation
        self._index.add(reservation)

    def count_made_for(self, source: str, order_number: str) -> None:
        """One more hold of the order was made in this batch."""
        key = (source, order_number)
        before = self.made_for.get(key)
        self._log.append((self.made_for, key, before))
        self.made_for[key] = (before or 0) + 1

    def _note_roaming(self, hold: Reservation, before: Reservation | None) -> None:
        """Remember a hold that waits and may be served elsewhere.

        It looks elsewhere in these cases: it is new; more of it waits; its places or its sale line are others; or it is
        a direct hold, and fewer units are open.
        """
        self.remember_roaming(hold)
        if (
            before is None
            or hold.backordered > before.backordered
            or (hold.served_from, hold.sale_line_id) != (before.served_from, before.sale_line_id)
            or (hold.sale_line_id is None and hold.open < before.open)
        ):
            self.holds_to_place[hold.id] = None

    def put_lot(self, lot: Lot) -> None:
        """Set a lot's identity."""
        if lot.id not in self.lots:
            self.new_ids.add(lot.id)
            if lot.code is not None:
                self._new_lots_of_code.setdefault((lot.product_id, lot.code), {})[lot.id] = None
        before = self.lots.get(lot.id)
        assert_follows(lot, before)
        self._log.append((self.lots, lot.id, before))
        self.lots[lot.id] = lot

    def put_lot_stock(self, at: LotStock) -> None:
        """Begin a lot at a level."""
        here = self.lots_at[at.level_id]
        assert at.lot_id not in here, at
        self._log.append((here, at.lot_id, None))
        here[at.lot_id] = at
        self.fresh.add(at.level_id + at.lot_id)
        self._levels_of_lot.setdefault(at.lot_id, {})[at.level_id] = None

    def set_origins(self, at: LotStock, origins: tuple[tuple[str, int], ...]) -> None:
        """Remember from where the units of a quarantined lot came."""
        self._log.append((at, at.on_hand, at.reserved, at.value, at.is_open, at.origins, at.sellable_until))
        at.origins = origins

    def set_sellable_until(self, at: LotStock, until: int | None) -> None:
        """Set the instant at which the lot's expiry takes it off sale there."""
        self._log.append((at, at.on_hand, at.reserved, at.value, at.is_open, at.origins, at.sellable_until))
        at.sellable_until = until


def _check_bounds(level: Level, lot: LotStock | None, qty: int, backordered: int, value: int) -> None:
    if level.on_hand + qty > QUANTITY_MAX or level.backordered + backordered > QUANTITY_MAX:
        raise RefusedOutright(Code.INVALID_QUANTITY, "The balance would be larger than 10^12 of the smallest unit.")
    if lot is not None and lot.value + value > VALUE_MAX:
        raise value_exceeded()


def value_exceeded() -> RefusedOutright:
    """An amount of money would leave the bounds (`core.records.number`)."""
    return RefusedOutright(Code.INVALID_AMOUNT, "The value is larger than can be kept.")
