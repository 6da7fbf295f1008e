"""Stock: the working set that decisions read, and `post`, the one way to change it.

A batch of commands is decided against one Stock: the levels it locked, their lots, the holds it asked for. Decisions
look first and then `post` ledger entries; `post` moves level and lot together and asserts what must always be true
(SPEC section 3). What a decision did can be undone as a whole, so a refusal leaves no trace.

What a decision needs and the Stock does not have, it asks for by raising `Missing`; whoever loaded the Stock loads
that too and the command is decided again from the start. So the core never reads, and loading never guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from holdfast.core.ledger import Entry, RefType
from holdfast.core.number import QUANTITY_MAX, VALUE_MAX
from holdfast.core.product import Location, Product, Settings, Store, TaxRate, folded, reorder_threshold

Want = tuple[str, ...]
"""Something to load: ("level", product id, location id), ("hold", reservation id), ("waiting", level id) ..."""

LevelKey = tuple[str, str]
"""(product id, location id)."""


T = TypeVar("T")
R = TypeVar("R")


class Missing(Exception):
    """The decision needs more than was loaded; decide again when `wants` are there."""

    def __init__(self, *wants: Want) -> None:
        super().__init__(wants)
        self.wants = wants


class Beyond(Exception):
    """A balance would leave the bounds of SPEC section 2; `of_value` says that it is money."""

    def __init__(self, *, of_value: bool) -> None:
        super().__init__(of_value)
        self.of_value = of_value


class Level(msgspec.Struct, gc=False):
    """A product at a location, in smallest units. `seq` is the number of its last ledger entry."""

    id: str
    product_id: str
    location_id: str
    on_hand: int
    reserved: int
    backordered: int
    seq: int
    listed: bool
    created_at: int
    updated_at: int

    @property
    def available(self) -> int:
        """What can still be promised: never stored, always computed."""
        return self.on_hand - self.reserved


class Lot(msgspec.Struct, frozen=True, gc=False):
    """What was received together: one identity and one cost (10**-6 major units) everywhere.

    `expires_on` is set when only a day was given, `expires_at` when an instant was.
    """

    id: str
    product_id: str
    code: str | None
    unit_cost: int
    expires_at: int | None
    expires_on: str | None
    received_at: int
    supplier: str | None
    gtin: str | None
    kind: str
    status: str


class LotStock(msgspec.Struct, gc=False):
    """A lot at a location: units, promised units, and remaining value in minor units.

    `sellable_until` is the instant at which its expiry takes it off sale there; None where nothing expires it. In
    quarantine, `origins` remembers from which locations the units came: (location id, units).
    """

    level_id: str
    lot_id: str
    location_id: str
    on_hand: int
    reserved: int
    value: int
    sellable_until: int | None
    is_open: bool
    origins: tuple[tuple[str, int], ...] = ()

    @property
    def free(self) -> int:
        """Units of the lot here that nobody was promised."""
        return self.on_hand - self.reserved


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """A promise of `quantity` units at one level to one target. `allocations` are (lot id, units still held)."""

    id: str
    level_id: str
    product_id: str
    location_id: str
    quantity: int
    consumed: int
    released: int
    backordered: int
    allocations: tuple[tuple[str, int], ...]
    status: str
    release_reason: str | None
    lot_id: str | None
    held_for: str
    sale_line_id: str | None
    reserved_for_type: str | None
    reserved_for_id: str | None
    order_number: str | None
    source: str
    priority: int
    expires_at: int | None
    actor: str
    created_at: int
    updated_at: int

    @property
    def open(self) -> int:
        """Units neither consumed nor released."""
        return self.quantity - self.consumed - self.released

    @property
    def allocated(self) -> int:
        """Open units that stock backs."""
        return self.quantity - self.consumed - self.released - self.backordered

    @property
    def active(self) -> bool:
        """True while something is open."""
        return self.status == "active"


class Cause(msgspec.Struct, frozen=True, gc=False):
    """Why and by whom a ledger entry is written."""

    actor: str
    ref_id: str | None = None
    order_number: str | None = None
    source: str | None = None
    reason: str | None = None
    note: str | None = None


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who asks: the name that the ledger keeps, the stores they may act in (None: all), what they may overrule.

    `online` callers sell by post: without a location they get those that ship online; others get their own store's.
    `session_id` is the register session that a till acts in.
    """

    actor: str
    stores: frozenset[str] | None = None
    may_override: bool = False
    online: bool = True
    may_price: bool = False
    may_discount: bool = False
    may_return_blind: bool = False
    may_see_cash: bool = False
    session_id: str | None = None


SYSTEM = Caller("system")
"""Holdfast itself: what time makes due."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """Something that happened, as it is told outside (SPEC section 12)."""

    type: str
    product_id: str | None
    data: dict[str, Any]


class Catalog:
    """The organisation's settings, stores, locations and the products in use: what decisions look up by name."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stores: dict[str, Store] = {}
        self.locations: dict[str, Location] = {}
        self.location_of_code: dict[str, Location] = {}
        self.products: dict[str, Product] = {}
        self.unknown: set[str] = set()
        self.tax_rates: dict[str, TaxRate] = {}

    def copy(self) -> Catalog:
        """A catalog that can be changed without this one."""
        other = Catalog(self.settings)
        other.stores, other.locations = dict(self.stores), dict(self.locations)
        other.location_of_code, other.products = dict(self.location_of_code), dict(self.products)
        other.unknown = set(self.unknown)
        other.tax_rates = dict(self.tax_rates)
        return other

    def put_product(self, product: Product) -> None:
        """Know a product by its id and its SKU."""
        old = self.products.get(product.id)
        if old is not None and old.sku != product.sku:
            self.products.pop(old.sku, None)
            self.unknown.add(old.sku)
        self.products[product.id] = self.products[product.sku] = product
        self.unknown.discard(product.id)
        self.unknown.discard(product.sku)

    def put_location(self, location: Location) -> None:
        """Know a location by its id and, while it is active, by its code."""
        self.locations[location.id] = location
        if location.active:
            self.location_of_code[location.code] = location
        elif self.location_of_code.get(location.code, location).id == location.id:
            self.location_of_code.pop(location.code, None)

    def put_store(self, store: Store) -> None:
        """Know a store by its id."""
        self.stores[store.id] = store

    def store(self, reference: str) -> Store | None:
        """The active store with that id or code (any case)."""
        found = self.stores.get(reference)
        if found is None:
            code = folded(reference)
            found = next((store for store in self.stores.values() if store.active and store.code == code), None)
        return found if found is not None and found.active else None

    def put_tax_rate(self, rate: TaxRate) -> None:
        """Know a tax rate by its id."""
        self.tax_rates[rate.id] = rate

    def tax_rate(self, tax_class: str, store_id: str | None) -> int:
        """The rate (10**-6) of a class: the store's own, else the organisation's, else 0."""
        of_organisation = 0
        for rate in self.tax_rates.values():
            if rate.active and rate.tax_class == tax_class:
                if rate.store_id is not None and rate.store_id == store_id:
                    return rate.rate
                if rate.store_id is None:
                    of_organisation = rate.rate
        return of_organisation

    def knows(self, reference: str) -> bool:
        """Was the id or SKU looked up already, found or not?"""
        return reference in self.products or reference in self.unknown

    def product(self, reference: str) -> Product | None:
        """The product with that id or SKU; asks for it when nobody looked yet."""
        product = self.products.get(reference)
        if product is None and reference not in self.unknown:
            raise Missing(("product", reference))
        return product

    def location(self, reference: str) -> Location | None:
        """The active location with that code (any case) or id."""
        found = self.location_of_code.get(reference) or self.location_of_code.get(folded(reference))
        if found is None:
            found = self.locations.get(reference)
        return found if found is not None and found.active else None

    def timezone_of(self, location: Location) -> str:
        """The IANA time zone in which a lot's day ends at the location."""
        return self.stores[location.store_id].timezone

    def selling_order(self, store_ids: frozenset[str] | None, *, online: bool) -> list[Location]:
        """Sellable locations by priority, then code: of those stores, or, `online`, those that ship online."""
        return sorted(
            (
                place
                for place in self.locations.values()
                if place.active
                and place.sellable
                and (store_ids is None or place.store_id in store_ids)
                and (place.ships_online or not online)
            ),
            key=lambda place: (place.priority, place.code),
        )


class Stock:
    """What one batch works on. `now` is the database's clock, `new_id` hands out UUIDv7 texts."""

    def __init__(self, org_id: str, catalog: Catalog, now: int, new_id: Callable[[], str]) -> None:
        self.org_id = org_id
        self.catalog = catalog
        self.now = now
        self.new_id = new_id
        self.caller = SYSTEM
        self.closed_before = catalog.settings.books_closed_through
        self.locked: set[LevelKey] = set()
        self.levels: dict[LevelKey, Level] = {}
        self.level_of_id: dict[str, Level] = {}
        self.lots: dict[str, Lot] = {}
        self.lots_at: dict[str, dict[str, LotStock]] = {}
        self.reservations: dict[str, Reservation] = {}
        self.dead: dict[str, list[str]] = {}
        self.more_dead: set[str] = set()
        self.records: dict[tuple[str, str], Any] = {}
        self.rows: dict[type[Any], dict[str, Any]] = {}
        self._of_sale: dict[tuple[type[Any], str], dict[str, None]] = {}
        self._aimed: dict[str, dict[str, None]] = {}
        self.costs: dict[str, int] = {}
        self.loaded: set[Want] = set()
        self.answers: dict[Want, list[str]] = {}
        # What this batch writes. `fresh` and `new_ids` name what the database does not have yet.
        self.entries: list[Entry] = []
        self.events: list[Event] = []
        self.fresh: set[str] = set()
        self.new_ids: set[str] = set()
        self.born: set[str] = set()
        self._log: list[tuple[Any, ...]] = []
        self._money: dict[tuple[str, str], tuple[str, tuple[tuple[str, int], ...]]] = {}

    @property
    def settings(self) -> Settings:
        """The organisation's rules."""
        return self.catalog.settings

    # Reading -------------------------------------------------------------------------------------------------------

    def require(self, *want: str) -> list[str]:
        """What the loader found for `want` (ids, in its documented order); asks for it when it was not loaded."""
        if want not in self.loaded:
            raise Missing(want)
        return self.answers.get(want, [])

    def level(self, product_id: str, location_id: str) -> Level | None:
        """The level, locked; None when the product was never at the location."""
        key = (product_id, location_id)
        if key not in self.locked and not (self.born and (product_id in self.born or location_id in self.born)):
            raise Missing(("level", product_id, location_id))
        return self.levels.get(key)

    def open_level(self, product_id: str, location_id: str) -> Level:
        """The level, begun empty when the product was never there."""
        level = self.level(product_id, location_id)
        if level is None:
            level = Level(self.new_id(), product_id, location_id, 0, 0, 0, 0, True, self.now, self.now)
            self._log.append((self.levels, (product_id, location_id), None))
            self._log.append((self.level_of_id, level.id, None))
            self.levels[product_id, location_id] = level
            self.level_of_id[level.id] = level
            self.lots_at[level.id] = {}
            self.fresh.add(level.id)
            self.loaded.update({("waiting", level.id), ("holds", level.id), ("adhoc", level.id)})
        return level

    def hold(self, reservation_id: str) -> Reservation | None:
        """A reservation with its level locked; None when there is none with that id."""
        if reservation_id not in self.reservations:
            self.require("hold", reservation_id)
            return None
        found = self.reservations[reservation_id]
        self.level(found.product_id, found.location_id)
        return found

    def lots_of(self, level: Level) -> list[LotStock]:
        """The level's open lots, oldest first: by when they were received, then by id."""
        lots = self.lots
        return sorted(
            (at for at in self.lots_at[level.id].values() if at.on_hand),
            key=lambda at: (lots[at.lot_id].received_at, at.lot_id),
        )

    def product_of(self, level: Level) -> Product:
        """The product of a level that was loaded."""
        product = self.catalog.product(level.product_id)
        assert product is not None, level
        return product

    def record(self, kind: str, key: str) -> Any:
        """A document by its id or its natural key, locked; None when there is none."""
        if (kind, key) not in self.records:
            self.require("record", kind, key)
            return None
        return self.records[kind, key]

    def row(self, kind: type[T], key: str) -> T | None:
        """A row of sales or books by its id, if it is loaded."""
        return self.rows.get(kind, {}).get(key)

    def rows_of(self, kind: type[T]) -> list[T]:
        """Every row of a kind that is loaded."""
        return list(self.rows.get(kind, {}).values())

    def rows_of_sale(self, kind: type[T], sale_id: str) -> list[T]:
        """The rows of a kind that belong to a sale and are loaded."""
        rows = self.rows.get(kind, {})
        return [rows[name] for name in self._of_sale.get((kind, sale_id), ()) if name in rows]

    def aimed_at(self, target_id: str) -> list[str]:
        """Ids of the holds that this batch made or changed for a sale or appointment."""
        return [name for name in self._aimed.get(target_id, ()) if name in self.reservations]

    def know_row(self, row: Any) -> None:
        """A row of sales or books as it was loaded; one that is known already stands as it is."""
        self.rows.setdefault(type(row), {}).setdefault(row.id, row)
        self._remember_sale(row)

    def _remember_sale(self, row: Any) -> None:
        sale_id = getattr(row, "sale_id", None)
        if sale_id is not None:
            self._of_sale.setdefault((type(row), sale_id), {})[row.id] = None

    # Writing -------------------------------------------------------------------------------------------------------

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
        self._log.append(
            (level, level.on_hand, level.reserved, level.backordered, level.seq, level.listed, level.updated_at)
        )
        if qty > 0 or backordered > 0:
            _check_bounds(level, lot, qty, backordered, value)
        level.on_hand += qty
        level.reserved += reserved
        level.backordered += backordered
        level.seq += 1
        level.listed = True
        level.updated_at = at = max(self.now, level.updated_at)
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
            Entry(
                self.new_id(),
                level.id,
                level.seq,
                level.product_id,
                level.location_id,
                None if lot is None else lot.lot_id,
                ref_type,
                cause.ref_id,
                qty,
                level.on_hand,
                reserved,
                level.reserved,
                backordered,
                level.backordered,
                value,
                cause.order_number,
                cause.source,
                hold,
                cause.actor,
                reason or cause.reason,
                cause.note,
                at,
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
        if reservation.reserved_for_id is not None:
            self._aimed.setdefault(reservation.reserved_for_id, {})[reservation.id] = None
        self._log.append((self.reservations, reservation.id, self.reservations.get(reservation.id)))
        self.reservations[reservation.id] = reservation

    def put_lot(self, lot: Lot) -> None:
        """Set a lot's identity."""
        if lot.id not in self.lots:
            self.new_ids.add(lot.id)
        self._log.append((self.lots, lot.id, self.lots.get(lot.id)))
        self.lots[lot.id] = lot

    def put_lot_stock(self, at: LotStock) -> None:
        """Begin a lot at a level."""
        here = self.lots_at[at.level_id]
        assert at.lot_id not in here, at
        self._log.append((here, at.lot_id, None))
        here[at.lot_id] = at
        self.fresh.add(at.level_id + at.lot_id)

    def set_origins(self, at: LotStock, origins: tuple[tuple[str, int], ...]) -> None:
        """Remember from where the units of a quarantined lot came."""
        self._log.append((at, at.on_hand, at.reserved, at.value, at.is_open, at.origins, at.sellable_until))
        at.origins = origins

    def set_sellable_until(self, at: LotStock, until: int | None) -> None:
        """Set the instant at which the lot's expiry takes it off sale there."""
        self._log.append((at, at.on_hand, at.reserved, at.value, at.is_open, at.origins, at.sellable_until))
        at.sellable_until = until

    def put_record(self, kind: str, key: str, record: Any) -> None:
        """Set a document as it now stands; `key` is its id."""
        self._log.append((self.records, (kind, key), self.records.get((kind, key))))
        self.records[kind, key] = record

    def put_row(self, row: Any) -> None:
        """Set a row of sales or books as it now stands."""
        rows = self.rows.setdefault(type(row), {})
        if row.id not in rows:
            self.new_ids.add(row.id)
            self._remember_sale(row)
        self._log.append((rows, row.id, rows.get(row.id)))
        rows[row.id] = row

    def put_money(self, ref_type: str, ref_id: str, description: str, lines: tuple[tuple[str, int], ...]) -> None:
        """Money that the command under way moves, by what it refers to; moved twice, it adds up."""
        known = self._money.get((ref_type, ref_id))
        self._log.append((self._money, (ref_type, ref_id), known))
        self._money[ref_type, ref_id] = (description, lines if known is None else known[1] + lines)

    def take_money(self) -> dict[tuple[str, str], tuple[str, tuple[tuple[str, int], ...]]]:
        """The money of the command under way, taken to be booked."""
        taken = dict(self._money)
        self._money.clear()
        return taken

    def put_in_catalog(self, record: Settings | Product | Store | Location | TaxRate) -> None:
        """Let the rest of the batch see a record as it now stands (the batch has a catalog of its own for that)."""
        catalog = self.catalog
        known: dict[str, Any]
        for known in (
            catalog.products,
            catalog.locations,
            catalog.location_of_code,
            catalog.stores,
            catalog.tax_rates,
        ):
            for key in (record.id, getattr(record, "sku", None), getattr(record, "code", None)):
                if key is not None:
                    self._log.append((known, key, known.get(key)))
        self._log.append((catalog.__dict__, "settings", catalog.settings))
        if isinstance(record, Product):
            catalog.put_product(record)
        elif isinstance(record, Location):
            catalog.put_location(record)
        elif isinstance(record, Store):
            catalog.put_store(record)
        elif isinstance(record, TaxRate):
            catalog.put_tax_rate(record)
        else:
            catalog.settings = record

    def put_cost(self, product_id: str, unit_cost: int) -> None:
        """Remember the product's last receipt cost, in 10**-6 major units."""
        self._log.append((self.costs, product_id, self.costs.get(product_id)))
        self.costs[product_id] = unit_cost

    def tell(self, event_type: str, product_id: str | None, data: dict[str, Any]) -> None:
        """Append an event to this batch's."""
        self.events.append(Event(event_type, product_id, data))

    # Undoing -------------------------------------------------------------------------------------------------------

    def each(self, items: Iterable[T], step: Callable[[int, T], R]) -> list[R]:
        """`step(index, item)` for every item; when some ask for more, all that they ask for is asked at once.

        Without it, a group of n would be decided n times over, each time one want further.
        """
        wants: list[Want] = []
        results: list[R] = []
        for index, item in enumerate(items):
            mark = self.mark()
            try:
                results.append(step(index, item))
            except Missing as missing:
                self.undo(mark)
                wants.extend(missing.wants)
        if wants:
            raise Missing(*dict.fromkeys(wants))
        return results

    def mark(self) -> tuple[int, int, int]:
        """A point to which `undo` can return."""
        return len(self._log), len(self.entries), len(self.events)

    def undo(self, mark: tuple[int, int, int]) -> None:
        """Take back everything since `mark`, newest first."""
        log_length, entries, events = mark
        log = self._log
        while len(log) > log_length:
            item = log.pop()
            touched = item[0]
            if type(touched) is Level:
                (
                    _,
                    touched.on_hand,
                    touched.reserved,
                    touched.backordered,
                    touched.seq,
                    touched.listed,
                    touched.updated_at,
                ) = item
            elif type(touched) is LotStock:
                (
                    _,
                    touched.on_hand,
                    touched.reserved,
                    touched.value,
                    touched.is_open,
                    touched.origins,
                    touched.sellable_until,
                ) = item
            elif item[2] is None:
                touched.pop(item[1], None)
            else:
                touched[item[1]] = item[2]
        del self.entries[entries:]
        del self.events[events:]

    def new_holds(self, since: tuple[int, int, int]) -> dict[str, Reservation]:
        """Holds made since a mark, as they stand now."""
        holds = self.reservations
        return {
            item[1]: holds[item[1]] for item in self._log[since[0] :] if item[0] is holds and item[1] in self.new_ids
        }

    def new_rows(self, since: tuple[int, int, int]) -> dict[type[Any], dict[str, Any]]:
        """Rows of sales and books made since a mark, as they stand now, by kind and id."""
        made: dict[type[Any], dict[str, Any]] = {}
        for item in self._log[since[0] :]:
            first = item[0]
            if type(first) is dict and item[1] in self.new_ids:
                row = first.get(item[1])
                if row is not None and first is self.rows.get(type(row)):
                    made.setdefault(type(row), {})[item[1]] = row
        return made

    def touched(self) -> Touched:
        """What this batch changed, each thing once, as it stands now."""
        result = Touched()
        for item in self._log:
            first = item[0]
            if type(first) is Level:
                result.levels[first.id] = first
            elif first is self.levels:
                result.levels[first[item[1]].id] = first[item[1]]
            elif type(first) is LotStock:
                result.lot_stocks[first.level_id + first.lot_id] = first
            elif first is self.reservations:
                result.reservations[item[1]] = first[item[1]]
            elif first is self.lots:
                result.lots[item[1]] = first[item[1]]
            elif first is self.records:
                result.records[item[1]] = first[item[1]]
            elif first is self.costs:
                result.costs[item[1]] = first[item[1]]
            elif type(first) is dict and (row := first.get(item[1])) is not None and type(row) in self.rows:
                result.rows.setdefault(type(row), {})[item[1]] = row
        return result


def _check_bounds(level: Level, lot: LotStock | None, qty: int, backordered: int, value: int) -> None:
    if level.on_hand + qty > QUANTITY_MAX or level.backordered + backordered > QUANTITY_MAX:
        raise Beyond(of_value=False)
    if lot is not None and lot.value + value > VALUE_MAX:
        raise Beyond(of_value=True)


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


def tell_low_stock(stock: Stock, level: Level, before: int) -> None:
    """Tell `LowStock` when the level's units on hand fell from above its line to or below it."""
    product = stock.product_of(level)
    location = stock.catalog.locations[level.location_id]
    line = reorder_threshold(product, location, stock.settings)
    if line is not None and location.sellable and level.on_hand <= line < before:
        stock.tell(
            "LowStock",
            product.id,
            {
                "product_id": product.id,
                "sku": product.sku,
                "location": location.code,
                "quantity": product.number(level.on_hand),
                "threshold": product.number(line),
            },
        )
