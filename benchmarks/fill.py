"""A database as full as a shop's after years, made by bulk inserts: what reads and the check are measured on.

    python -m benchmarks.fill sqlite:////tmp/full.db --products 10000 --ledger 1000000

Every product lies at three locations; one product is hot (a tenth of the ledger). The history is consistent: it obeys
the rules of the core (`holdfast check` is clean on it), with lots, holds of every status, dead holds, expired lots,
counts, transfers, audit lines and events. The same arguments make the same rows, whatever the clock says (`--now`).
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.core.records.ledger import Entry
from holdfast.core.records.number import value_of
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.core.records.time import day_at
from holdfast.core.stock.journal import COST_OF_GOODS, GOODS_RECEIVED, INVENTORY, SHRINKAGE, JournalEntry, Posting
from holdfast.db import schema
from holdfast.db.batch.rows import row_type
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate

ORG = "01900000-0000-7000-8000-000000000001"
PLACES = ("WEST", "EAST", "SHOP")
HISTORY_DAYS = 400
CHUNK = 20_000
DAY = 86_400 * 1_000_000
SOURCES = ("shopify", "shopify", "shopify", "pos", "pos", "amazon", "etsy", "manual")
ACTORS = ("ann", "bob", "till 1", "till 2", "shopify")
replace = msgspec.structs.replace


class Ids:
    """UUIDv7 texts that grow with time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._count = 0

    def at(self, micros: int) -> str:
        """The next id at an instant in microseconds."""
        self._count += 1
        text = f"{micros // 1000:012x}7{self._count >> 18 & 0xFFF:03x}{0x8000 | self._count >> 4 & 0x3FFF:04x}"
        text += f"{self._count & 0xF:01x}{self._random.getrandbits(44):011x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_RECEIVED_AT = (
    "UPDATE lot_stock SET received_at = (SELECT l.received_at FROM lot l WHERE l.org_id = lot_stock.org_id "
    "AND l.id = lot_stock.lot_id)"
)
"""Beside each lot at a level stands when it was received."""


class Bulk:
    """Inserts many rows fast: COPY on PostgreSQL, executemany on SQLite."""

    def __init__(self, database: Database) -> None:
        self._sqlite = database.connect_sqlite() if database.is_sqlite else None
        self._postgres = None if database.is_sqlite else database.connect_postgresql()
        if self._sqlite is not None:
            for pragma in ("synchronous=OFF", "cache_size=-400000", "foreign_keys=OFF"):
                self._sqlite.execute(f"PRAGMA {pragma}")

    def insert(self, table: sa.Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert the rows, whose columns are `names`."""
        if self._sqlite is not None:
            marks = ", ".join("?" * len(names))
            self._sqlite.execute("BEGIN")
            self._sqlite.executemany(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})", rows)
            self._sqlite.execute("COMMIT")
        else:
            assert self._postgres is not None
            copy_sql = f"COPY {table.name} ({', '.join(names)}) FROM STDIN"
            with self._postgres.cursor() as cursor, cursor.copy(copy_sql) as copy:
                for row in rows:
                    copy.write_row(row)

    def structs(self, struct: type[Any], structs: Iterable[Any]) -> None:
        """Insert rows of a stock table, with their checksums."""
        rows = row_type(struct)
        self.insert(rows.table, ("org_id", *rows.columns, "checksum"), rows.tuples(ORG, list(structs)))

    def dicts(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """Insert rows given by column name; lists and dicts become JSON."""
        if rows:
            names = list(rows[0])
            self.insert(table, names, [[_plain(row[name]) for name in names] for row in rows])

    def finish(self) -> None:
        """Tell the planner what there is, and close."""
        connection: Any = self._sqlite or self._postgres
        connection.execute(_RECEIVED_AT)
        connection.execute("VACUUM ANALYZE" if self._postgres is not None else "PRAGMA wal_checkpoint(TRUNCATE)")
        if self._sqlite is not None:
            connection.execute("PRAGMA optimize")
        connection.close()


def _plain(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, (list, dict)) else value


class Shop:
    """The state of the shop while its history is made up, and the rows not yet written."""

    def __init__(self, bulk: Bulk, products: int, ledger: int, now: int, seed: int) -> None:
        self.bulk, self.count, self.ledger, self.now = bulk, products, ledger, now
        self.random = random.Random(seed)
        self.ids = Ids(seed)
        self.start = now - HISTORY_DAYS * DAY
        self.places: list[str] = []
        self.products: list[dict[str, Any]] = []
        self.levels: list[Level] = []
        self.lots: list[Lot] = []
        self.lots_at: dict[str, list[LotStock]] = {}
        self.closed_lots: list[LotStock] = []
        self.active: dict[str, list[Reservation]] = {}
        self.entries: list[Entry] = []
        self.closed: list[Reservation] = []
        self.receipts: list[dict[str, Any]] = []
        self.journal: list[JournalEntry] = []
        self.postings: list[Posting] = []
        self.at = self.start
        self.dead = 0

    # The catalog

    def catalog(self) -> None:
        """The organisation with its stores, locations, products and levels."""
        ids, start = self.ids, self.start
        times = {"created_at": start, "updated_at": start}
        base = {"name": "Full shop", "currency": "USD", "minor_digits": 2, "mode": "advanced", "allow_override": True}
        base |= {"cart_hold_minutes": 30, "default_reorder_point": 2, "tax_mode": "exclusive", "cash_rounding": "0.00"}
        self.bulk.dicts(
            schema.organisation,
            [{"org_id": ORG, **base, "timezone": "UTC", "api_rate_limit": None, "catalog_version": 1, **times}],
        )
        for number in range(self.count):
            self.products.append(self._product(number))
        for number, code in enumerate(PLACES):
            store_id = ids.at(start)
            store = {"org_id": ORG, "id": store_id, "code": f"S{number}", "name": f"Store {code.title()}"}
            self.bulk.dicts(schema.store, [{**store, "timezone": "UTC", "active": True, **times}])
            points = {self.products[i]["id"]: 5 for i in range(number, self.count, 20)}
            kinds = [(code, "store", points), (f"{code}-QUARANTINE", "quarantine", {})]
            for name, kind, own in kinds + ([("TRANSIT", "transit", {})] if number == 0 else []):
                place_id = ids.at(start)
                place = {
                    "org_id": ORG,
                    "id": place_id,
                    "store_id": store_id,
                    "code": name,
                    "kind": kind,
                    "priority": 100,
                }
                place |= {"ships_online": kind == "store", "reorder_points": own, "active": True, **times}
                self.bulk.dicts(schema.location, [place])
                if kind == "store":
                    self.places.append(place_id)
        self.bulk.dicts(schema.product, self.products)
        for product in self.products:
            for place_id in self.places:
                level = Level(ids.at(start), product["id"], place_id, 0, 0, 0, 0, True, start, start)
                self.levels.append(level)
                self.lots_at[level.id] = []
                self.active[level.id] = []

    def _product(self, number: int) -> dict[str, Any]:
        kinds = ("Mug", "Tee", "Lamp", "Candle", "Poster", "Scarf", "Bowl", "Vase")
        product: dict[str, Any] = {"org_id": ORG, "id": self.ids.at(self.start), "sku": f"SKU-{number:06d}"}
        product |= {"title": f"{kinds[number % 8]} no. {number}", "kind": "physical", "price": 1999, "tax_class": None}
        product |= {"gtin": f"{4000000000000 + number * 10:014d}", "precision": 2 if number % 50 == 7 else 0}
        product |= {
            "reorder_point": 3 if number % 3 == 0 else None,
            "oversell": "backorder" if number % 4 == 0 else "deny",
        }
        product |= {"preorder_limit": None, "available_from": None, "track_expiry": number % 10 == 0, "dropship": False}
        return product | {"supplier": None, "active": True, "created_at": self.start, "updated_at": self.start}

    # History

    def live(self) -> None:
        """Make up the history, entry by entry, in order of time."""
        step = HISTORY_DAYS * DAY // (self.ledger + len(self.levels))
        for level in self.levels:
            self._receive(level, self.random.randint(20, 60))
            self.at += step
        written = 0
        while written + len(self.entries) < self.ledger:
            hot = self.random.random() < 0.1
            level = self.levels[0] if hot else self.levels[self.random.randrange(len(self.levels))]
            before = len(self.entries)
            self._happen(level, self.random.random())
            self.at += step * (len(self.entries) - before)
            if len(self.entries) >= CHUNK:
                written += len(self.entries)
                self._flush()
        self._flush()

    def _happen(self, level: Level, dice: float) -> None:
        """One thing that happens at a level: a hold, its end, goods, a sale without a hold, a count."""
        active = self.active[level.id]
        if dice < 0.34:
            self._reserve(level)
        elif dice < 0.66 and active:
            hold = active.pop(0)
            if dice < 0.5 and not hold.backordered:
                self._consume(level, hold)
            else:
                self._release(level, hold)
        elif dice < 0.78 or level.on_hand - level.reserved < 3:
            self._receive(level, self.random.randint(5, 30))
        else:
            self._leave(level, "SALE" if dice < 0.95 else "COUNT")

    def _post(
        self, level: Level, at: LotStock | None, kind: str, qty: int, reserved: int, waiting: int, **why: Any
    ) -> None:
        value = 0
        level.on_hand += qty
        level.reserved += reserved
        level.backordered += waiting
        level.seq += 1
        level.updated_at = self.at
        if at is not None:
            value = (
                why.pop("value", 0)
                if qty >= 0
                else -(at.value if at.on_hand == -qty else at.value * -qty // at.on_hand)
            )
            at.on_hand += qty
            at.reserved += reserved
            at.value += value
            at.is_open = at.on_hand > 0
            if not at.is_open:
                self.lots_at[level.id].remove(at)
                self.closed_lots.append(at)
        hold: Reservation | None = why.get("hold")
        self.entries.append(
            Entry(
                self.ids.at(self.at), level.id, level.seq, level.product_id, level.location_id,
                None if at is None else at.lot_id, kind, why.get("ref_id"), qty, level.on_hand,  # type: ignore[arg-type] # a RefType
                reserved, level.reserved, waiting, level.backordered, value,
                None if hold is None else hold.order_number, "manual" if hold is None else hold.source,
                None if hold is None else hold.id, self.random.choice(ACTORS), why.get("reason"), None, self.at,
            )
        )  # fmt: skip

        if value:
            self._book(self.entries[-1])

    def _book(self, entry: Entry) -> None:
        """What moved value is in the journal."""
        contra = {"RECEIPT": GOODS_RECEIVED, "SALE": COST_OF_GOODS}.get(entry.ref_type, SHRINKAGE)
        name, day = self.ids.at(self.at), day_at(self.at, "UTC")
        own = (entry.ref_type, entry.ref_id, (entry.id,), entry.actor)
        self.journal.append(JournalEntry(name, self.at, day, "Goods moved", *own))
        for position, (account, amount) in enumerate(((INVENTORY, entry.value_delta), (contra, -entry.value_delta))):
            self.postings.append(Posting(name, position, account, amount, day, self.at))

    def _receive(self, level: Level, units: int) -> None:
        lot_id, receipt_id = self.ids.at(self.at), self.ids.at(self.at)
        number = len(self.lots)
        expires = self.at + 90 * DAY if number % 40 == 0 and self.random.random() < self._freshness() else None
        lot = Lot(
            lot_id, level.product_id, f"L{number}" if number % 2 else None, 5_000_000, expires, None, self.at,
            "Acme", None, "purchase", "active",
        )  # fmt: skip
        at = LotStock(level.id, lot_id, level.location_id, 0, 0, 0, expires, True)
        self.lots.append(lot)
        self.lots_at[level.id].append(at)
        self._post(level, at, "RECEIPT", units, 0, 0, value=value_of(units, 0, 5_000_000, 2), ref_id=receipt_id)
        line = {"lot_id": lot_id, "lot_code": lot.code, "product_id": level.product_id, "quantity": units}
        receipt: dict[str, Any] = {
            "org_id": ORG,
            "id": receipt_id,
            "location_id": level.location_id,
            "kind": "purchase",
        }
        receipt |= {"reference": None, "supplier": "Acme", "actor": "ann", "lines": [line | {"value": "5.00"}]}
        self.receipts.append(receipt | {"created_at": self.at})
        for index, hold in enumerate(self.active[level.id]):
            if (
                hold.backordered
                and level.on_hand - level.reserved >= hold.backordered
                and at.on_hand - at.reserved >= hold.backordered
            ):
                units = hold.backordered
                self._post(level, at, "RESERVE", 0, units, -units, hold=hold, reason="backorder")
                held = dict(hold.allocations)
                held[at.lot_id] = held.get(at.lot_id, 0) + units
                self.active[level.id][index] = replace(
                    hold, backordered=0, allocations=tuple(held.items()), updated_at=self.at
                )

    def _freshness(self) -> float:
        """How likely a lot with an expiry is still to be found: a sweeper would have set most expired ones aside."""
        return 1.0 if self.at + 90 * DAY > self.now else 0.02

    def _reserve(self, level: Level) -> None:
        units = self.random.randint(1, 3)
        at = next((at for at in self.lots_at[level.id] if at.on_hand - at.reserved >= units), None)
        waiting = 0 if at is not None else units
        if waiting and (level.on_hand > level.reserved or level.backordered > 20):
            return
        source = self.random.choice(SOURCES)
        number = len(self.entries) + self.at // 1000
        adhoc = self.random.random() < 0.2
        expires = self.at + DAY if source == "pos" else None
        hold = Reservation(
            self.ids.at(self.at), level.id, level.product_id, level.location_id, units, 0, 0, waiting,
            () if at is None else ((at.lot_id, units),), "active", None, None,
            "adhoc" if adhoc else "order", None, None,
            None, None if adhoc else f"#{number}", source, 100, expires, self.random.choice(ACTORS), self.at, self.at,
        )  # fmt: skip
        self._post(level, at, "RESERVE", 0, units - waiting, waiting, hold=hold)
        self.active[level.id].append(hold)

    def _lot(self, level: Level, lot_id: str) -> LotStock:
        return next(at for at in self.lots_at[level.id] if at.lot_id == lot_id)

    def _consume(self, level: Level, hold: Reservation) -> None:
        for lot_id, units in hold.allocations:
            self._post(level, self._lot(level, lot_id), "SALE", -units, -units, 0, hold=hold)
        self.closed.append(replace(hold, consumed=hold.quantity, allocations=(), status="consumed", updated_at=self.at))

    def _release(self, level: Level, hold: Reservation) -> None:
        if hold.backordered:
            self._post(level, None, "RELEASE", 0, 0, -hold.backordered, hold=hold, reason="cancelled")
        for lot_id, units in hold.allocations:
            self._post(level, self._lot(level, lot_id), "RELEASE", 0, -units, 0, hold=hold, reason="cancelled")
        gone = {"status": "released", "release_reason": "cancelled", "updated_at": self.at}
        self.closed.append(replace(hold, released=hold.quantity, backordered=0, allocations=(), **gone))

    def _leave(self, level: Level, kind: str) -> None:
        at = next((at for at in self.lots_at[level.id] if at.on_hand > at.reserved), None)
        if at is not None:
            self._post(level, at, kind, -min(at.on_hand - at.reserved, 2), 0, 0)

    # Writing

    def _flush(self) -> None:
        self.bulk.structs(Entry, self.entries)
        self.bulk.structs(Reservation, self.closed)
        self.bulk.structs(JournalEntry, self.journal)
        self.bulk.structs(Posting, self.postings)
        self.journal, self.postings = [], []
        self.bulk.dicts(schema.receipt, self.receipts)
        self.entries, self.closed, self.receipts = [], [], []

    def finish(self) -> None:
        """Write what stands at the end, and the documents beside it."""
        self.bulk.structs(Level, self.levels)
        self.bulk.structs(Lot, self.lots)
        self.bulk.structs(LotStock, [at for lots in self.lots_at.values() for at in lots] + self.closed_lots)
        self.bulk.structs(Reservation, [self._mostly_alive(hold) for holds in self.active.values() for hold in holds])
        costs = [{"org_id": ORG, "product_id": product["id"], "unit_cost": 5_000_000} for product in self.products]
        self.bulk.dicts(schema.product_cost, costs)
        self._documents()
        self.bulk.finish()

    def _mostly_alive(self, hold: Reservation) -> Reservation:
        """A sweeper would have released most dead holds; every twentieth is still there."""
        if hold.expires_at is None or hold.expires_at > self.now:
            return hold
        self.dead += 1
        return hold if self.dead % 20 == 1 else replace(hold, expires_at=None)

    def _documents(self) -> None:
        spread = [self.start + (self.now - self.start) * number // 20_000 for number in range(20_000)]
        first = self.levels[0]
        audit, events, counts, transfers, meetings = [], [], [], [], []
        for number, at in enumerate(spread):
            own = {"org_id": ORG, "id": self.ids.at(at)}
            audit.append(
                {**own, "actor": "ann", "action": "change", "kind": "product", "record_id": first.product_id,
                 "changes": {"price": number}, "created_at": at}
            )  # fmt: skip
            told = {
                "id": f"{own['id']}-0",
                "type": "StockAdjusted",
                "product_id": first.product_id,
                "data": {"quantity": 1},
            }
            events.append({**own, "position": number + 1, "at": at, "size": 1, "payload": [told | {"timestamp": "x"}]})
            if number % 20 == 0:
                times = {"actor": "ann", "created_at": at, "updated_at": at}
                line = {"product_id": first.product_id, "lot_id": None, "before": 3, "counted": 2, "difference": -1}
                counts.append(
                    {
                        **own,
                        "location_id": first.location_id,
                        "status": "posted",
                        "lines": [line | {"shorted": []}],
                        **times,
                    }
                )
                lot = {"product_id": first.product_id, "lot_id": self.lots[0].id, "units": 1, "received": 1}
                transfers.append(
                    {**own, "from_location_id": self.places[0], "to_location_id": self.places[1], "status": "received",
                     "reference": None, "lots": [lot], **times}
                )  # fmt: skip
                meetings.append(
                    {**own, "starts_at": at, "customer": "Ada", "status": "booked", "created_at": at, "updated_at": at}
                )
        for table, rows in (
            (schema.audit, audit), (schema.event_batch, events), (schema.count_sheet, counts),
            (schema.transfer, transfers), (schema.appointment, meetings),
        ):  # fmt: skip
            self.bulk.dicts(table, rows)


def fill(url: str, *, products: int, ledger: int, now: int | None = None, seed: int = 1) -> None:
    """Make the database behind `url` (empty before) a full one."""
    database = Database(url)
    migrate(database)
    shop = Shop(Bulk(database), products, ledger, time.time_ns() // 1000 if now is None else now, seed)
    shop.catalog()
    shop.live()
    shop.finish()
    database.dispose()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--ledger", type=int, default=1_000_000)
    parser.add_argument("--now", type=int, default=None, help="microseconds since 1970")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    started = time.monotonic()
    fill(given.url, products=given.products, ledger=given.ledger, now=given.now, seed=given.seed)
    print(f"filled in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
