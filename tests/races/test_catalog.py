"""Products, places and levels that appear and change while others sell."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from holdfast.check import check
from holdfast.core.organisation.places import (
    AddLocation,
    AddStore,
    ChangeLocation,
    ChangeStore,
    RemoveLocation,
    RemoveStore,
)
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.organisation.users import AddUser, RemoveUser
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.time import end_of_day
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, TransferLine
from holdfast.db.batch import session
from tests.races.stand import (
    ANSWER_SECONDS,
    Tally,
    assert_books,
    at_once,
    buy,
    do,
    found,
    in_processes,
    open_shop,
    outcome_of,
    rush,
    stock_up,
)


def test_catalog_changes_while_selling_lose_no_sale(database_url):
    """Policies change, places come, SKUs are added from a second executor while the first one sells out."""
    with open_shop(database_url, batch_max=20) as shop, open_shop(database_url) as office:
        actor = found(shop)
        product = stock_up(shop, actor, "MUG-1", 300)
        store_id = do(office, actor, AddStore(code="EXTRA", name="Extra")).id
        outcomes = []

        def sell() -> None:
            commands = [buy("MUG-1", f"o-{n}", location=None if n % 2 else "MAIN") for n in range(900)]
            outcomes.extend(rush(shop, actor, commands, threads=8))

        def change() -> None:
            for n in range(40):
                fields = {"title": f"Mug {n}", "reorder_point": n, "preorder_limit": n}
                do(office, actor, ChangeProduct(product.id, **fields))
                do(office, actor, AddLocation(code=f"BIN-{n}", store_id=store_id, kind="bin"))
                do(office, actor, AddProduct(sku=f"NEW-{n}", title="New"))

        at_once([sell, change])

        tally = Tally(outcomes)
        assert (tally.accepted, tally.failed) == (300, [])
        assert assert_books(shop, actor).reserved() == 300


def test_a_policy_that_changes_in_mid_rush_holds_from_then_on(database_url):
    """`backorder` turned to `deny`: no hold that began after the change was answered is backordered."""
    with open_shop(database_url, batch_max=10) as shop, open_shop(database_url) as office:
        actor = found(shop)
        product = stock_up(shop, actor, "MUG-1", 50, oversell="backorder")
        changed = threading.Event()
        late = []

        def sell(first: int) -> None:
            for n in range(first, 4000, 8):
                after = changed.is_set()
                one = outcome_of(shop.submit(actor, buy("MUG-1", f"o-{n}")))
                if after:
                    late.append(one)
                if len(late) > 100:
                    return

        def change() -> None:
            while assert_books(office, actor).reserved() < 50:
                pass
            do(office, actor, ChangeProduct(product.id, oversell="deny"))
            changed.set()

        at_once([*(lambda first=first: sell(first) for first in range(8)), change])

        tally = Tally(late)
        assert not tally.failed
        assert tally.accepted == 0, "a hold was backordered after the policy forbade it"
        assert len(late) > 100
        assert_books(shop, actor)


def test_a_level_that_two_processes_begin_at_once_is_one_level(database_url):
    """Both receive the same products at a place where they never were."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        for n in range(5):
            stock_up(shop, actor, f"MUG-{n}", 0)
            job = {"job": "receive", "sku": f"MUG-{n}", "location": "EAST", "times": 60, "units": 2}
            if n == 0:
                told = in_processes(database_url, actor, [job, job])
                assert [(len(one["accepted"]), one["failed"]) for one in told] == [(60, []), (60, [])]
        with open_shop(database_url) as other:
            for n in range(1, 5):
                commands = [Receive("EAST", (ReceiptLine(f"MUG-{n}", 2, "1.00"),))] * 120
                tally = Tally(rush([shop, other], actor, commands))
                assert (tally.accepted, tally.failed) == (120, [])

        books = assert_books(shop, actor)
        assert Counter(level["on_hand"] for level in books.levels) == {240: 5}


def test_a_level_that_another_begins_between_lock_and_load(postgres_url, monkeypatch):
    """The lock finds no level; before its lots are read somebody else made it: nobody fails, nothing is lost."""
    with open_shop(postgres_url) as slow, open_shop(postgres_url) as quick:
        actor = found(slow)
        stock_up(slow, actor, "MUG-1", 0)
        do(slow, actor, SetStock("MUG-1", "MAIN", 0))  # the product is known here, so only the batch itself waits
        # The statement's snapshot is taken before it waits, so it cannot see what is committed meanwhile.
        pause = "(SELECT pg_sleep(0.6)::text) IS NOT NULL AND "
        monkeypatch.setattr(session, "_PG_LOCK", session._PG_LOCK.replace("WHERE ", f"WHERE {pause}", 1))
        waiting = slow.submit(actor, Receive("EAST", (ReceiptLine("MUG-1", 3, "1.00"),)))
        while not _runs(quick, "pg_sleep"):
            pass
        monkeypatch.undo()
        do(quick, actor, Receive("EAST", (ReceiptLine("MUG-1", 5, "1.00"),)))

        one = outcome_of(waiting)

        assert Tally([one]).accepted == 1, one
        assert assert_books(slow, actor).on_hand() == 8


def _runs(shop, text):
    with shop.database.reading() as connection:
        found_rows = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s "
            "AND pid <> pg_backend_pid()",
            (f"%{text}%",),
        )
        return found_rows.scalar()


def test_precision_and_the_first_receipt_from_two_processes(database_url):
    """Precision is fixed by the first entry: whoever comes second is refused, so no quantity changes its meaning."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        products = [stock_up(shop, actor, f"SILK-{n}", 0) for n in range(80)]
        jobs = [
            {"job": "change_precision", "products": [product.id for product in products], "precision": 2},
            {"job": "receive_first", "skus": [product.sku for product in products], "location": "MAIN"},
        ]

        changed, received = in_processes(database_url, actor, jobs)

        assert changed["failed"] == received["failed"] == []
        assert len(received["accepted"]) == 80
        books = assert_books(shop, actor)
        on_hand = {level["product_id"]: level["on_hand"] for level in books.levels}
        for product in products:
            expected = 100 if product.id in changed["accepted"] else 1
            assert on_hand[product.id] == expected, f"{product.sku}: one unit became {on_hand[product.id]}"


@pytest.mark.parametrize("rival", ["precision", "removal"])
def test_a_catalog_change_that_looked_before_the_first_entry_was_committed(postgres_url, monkeypatch, rival):
    """The change has seen no stock and waits before its commit; the receipt comes; exactly one of them stands."""
    with open_shop(postgres_url) as office, open_shop(postgres_url) as dock:
        actor = found(office)
        product = stock_up(office, actor, "SILK-1", 0)
        store_id = do(office, actor, AddStore(code="EXTRA", name="Extra")).id
        place = do(office, actor, AddLocation(code="ATTIC", store_id=store_id))
        if rival == "removal":  # a level that is there already, and empty
            do(dock, actor, Receive("ATTIC", (ReceiptLine("SILK-1", 1, "1.00"),)))
            do(dock, actor, SetStock("SILK-1", "ATTIC", 0))
            command = RemoveLocation(place.id)
        else:
            command = ChangeProduct(product.id, precision=2)
        looked, go_on = threading.Event(), threading.Event()
        real = session.PostgresBatchSession.finish

        def finish(self, writes, **how):
            if any("catalog_version + 1" in write.sql for write in writes):
                looked.set()
                go_on.wait(2)
            return real(self, writes, **how)

        monkeypatch.setattr(session.PostgresBatchSession, "finish", finish)
        change = office.submit(actor, command)
        assert looked.wait(ANSWER_SECONDS)
        receipt = dock.submit(actor, Receive("ATTIC", (ReceiptLine("SILK-1", 1, "1.00"),)))
        threading.Timer(0.5, go_on.set).start()  # either order is right, waiting for each other as well

        changed, received = outcome_of(change).answer, outcome_of(receipt).answer

        units = sum(level["on_hand"] for level in assert_books(office, actor).levels)
        if rival == "removal":
            assert isinstance(changed, Rejected) != isinstance(received, Rejected), "stock lies at a removed location"
        elif isinstance(changed, Rejected):
            assert units == 1
        else:
            assert units == 100, f"a receipt of 1 became {units} smallest units of a product with two places"


RIVALS = {
    "empty sheet": lambda: Count("ATTIC", (), draft=True),
    "sheet": lambda: Count("ATTIC", (CountLine("MUG-1", 3),), draft=True),
    "transfer": lambda: Dispatch("MAIN", "ATTIC", (TransferLine("MUG-1", 1),)),
    "receipt": lambda: Receive("ATTIC", (ReceiptLine("MUG-1", 1, "1.00"),)),
    "backorder": lambda: buy("MUG-1", "o-1", location="ATTIC"),
}


@pytest.mark.parametrize("removed", ["location", "store"])
@pytest.mark.parametrize("first", ["removal", "rival"])
@pytest.mark.parametrize("rival", RIVALS)
def test_a_place_is_removed_or_relied_on_never_both(postgres_url, monkeypatch, rival, first, removed):
    """One of the two has looked and waits before its commit while the other comes; exactly one of them stands."""
    with open_shop(postgres_url) as office, open_shop(postgres_url) as dock:
        actor = found(office)
        stock_up(office, actor, "MUG-1", 1, oversell="backorder")
        store = do(office, actor, AddStore(code="EXTRA", name="Extra"))
        place = do(office, actor, AddLocation(code="ATTIC", store_id=store.id))
        do(dock, actor, SetStock("MUG-1", "MAIN", 1))  # the dock knows the catalog as it is
        removal = RemoveLocation(place.id) if removed == "location" else RemoveStore(store.id)
        looked, go_on = threading.Event(), threading.Event()
        real = session.PostgresBatchSession.finish

        def finish(self, writes, **how):
            if any("catalog_version + 1" in write.sql for write in writes) == (first == "removal"):
                looked.set()
                go_on.wait(2)
            return real(self, writes, **how)

        monkeypatch.setattr(session.PostgresBatchSession, "finish", finish)
        one, other = (removal, RIVALS[rival]()) if first == "removal" else (RIVALS[rival](), removal)
        begun = (office if first == "removal" else dock).submit(actor, one)
        assert looked.wait(ANSWER_SECONDS)
        came = (dock if first == "removal" else office).submit(actor, other)
        threading.Timer(0.5, go_on.set).start()

        tally = Tally([outcome_of(begun), outcome_of(came)])

        assert (tally.accepted, tally.failed) == (1, []), tally.refused
        assert set(tally.refused) <= {"INVALID_STATE", "LOCATION_NOT_FOUND"}
        assert check(office.database).mismatches == []


def test_a_place_is_removed_or_filled_never_both(database_url):
    """Two executors: one removes empty places, the other sends the first goods there."""
    with open_shop(database_url) as office, open_shop(database_url) as dock:
        actor = found(office)
        stock_up(office, actor, "MUG-1", 0)
        store_id = do(office, actor, AddStore(code="EXTRA", name="Extra")).id
        places = [do(office, actor, AddLocation(code=f"BIN-{n}", store_id=store_id)) for n in range(40)]
        removed, filled = [], []

        def remove() -> None:
            for place in places:
                removed.append(outcome_of(office.submit(actor, RemoveLocation(place.id))))

        def fill() -> None:
            for place in places:
                command = Receive(place.code, (ReceiptLine("MUG-1", 1, "1.00"),))
                filled.append(outcome_of(dock.submit(actor, command)))

        at_once([remove, fill])

        for place, gone, came in zip(places, removed, filled, strict=True):
            assert Tally([gone, came]).accepted == 1, f"{place.code}: {gone} {came}"
        assert assert_books(office, actor).on_hand() == Tally(filled).accepted


def test_one_name_is_given_once(database_url):
    """The same SKU and the same location code from many threads and two executors."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        store_id = do(shop, actor, AddStore(code="EXTRA", name="Extra")).id
        commands = [AddProduct(sku=f"SKU-{n % 10}", title=str(n)) for n in range(100)]
        commands += [AddLocation(code=f"BIN-{n % 10}", store_id=store_id) for n in range(100)]

        tally = Tally(rush([shop, other], actor, commands))

        assert (tally.accepted, tally.refused, tally.failed) == (20, {"ALREADY_EXISTS": 180}, [])


def test_first_receipts_while_other_processes_import_products(database_url):
    """The catalog changes all the time; goods that begin new levels need it to stand still for one moment each."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        skus = [f"MUG-{n}" for n in range(60)]
        for sku in skus:
            stock_up(shop, actor, sku, 0)
        imports = [{"job": "add_products", "prefix": name, "count": 200} for name in ("west", "east")]
        goods = {"job": "receive_first", "skus": skus, "location": "MAIN"}

        *imported, received = in_processes(database_url, actor, [*imports, goods])

        assert [len(one["accepted"]) for one in imported] == [200, 200]
        assert (len(received["accepted"]), received["failed"]) == (60, [])
        assert assert_books(shop, actor).on_hand() == 60


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_what_there_is_only_one_of_stays_one_when_two_write_at_once(database_url, monkeypatch, pause):
    """One product to a GTIN, one transit location, always an owner: no index says so, the organisation's lock does."""
    for kind in (session.PostgresBatchSession, session.SqliteBatchSession):
        finish = kind.finish

        def slow(self, writes, finish=finish, **how):
            time.sleep(pause)
            return finish(self, writes, **how)

        monkeypatch.setattr(kind, "finish", slow)
    with open_shop(database_url) as shop, open_shop(database_url) as office:
        actor = found(shop)
        store_id = do(shop, actor, AddStore(code="EXTRA", name="Extra")).id
        transit = shop.reports.location(actor.org_id, "TRANSIT")["id"]
        owner = {"password_hash": "$argon2id$x", "role": "owner"}
        owners = [do(shop, actor, AddUser(**owner, email=f"{n}@shop.example")).id for n in range(2)]
        answers = []

        def write(side: int) -> None:
            mine = (shop, office)[side]
            commands = [
                AddProduct(sku=f"P-{side}-{n}", title="P", gtin=number.zfill(8 + 5 * side))
                for n, number in enumerate(("20000004", "20000011", "20000028"))
            ]
            commands += [
                AddLocation(code=f"ROAD-{side}", store_id=store_id, kind="transit"),
                ChangeLocation(transit, priority=side),
                RemoveUser(owners[side]),
            ]
            waiting = [mine.submit(actor, command) for command in commands]
            answers.extend(one.result(ANSWER_SECONDS).answer for one in waiting)

        at_once([lambda: write(0), lambda: write(1)])

        refused = Counter(str(one.code) for one in answers if isinstance(one, Rejected))
        assert refused == {"ALREADY_EXISTS": 5, "INVALID_STATE": 1}


def test_a_store_moves_its_clock_while_lots_with_a_day_come_in(database_url):
    """Receipts at old levels and new ones against changes of the time zone: every lot ends by the last clock."""
    zones = ("Asia/Tokyo", "America/New_York", "Pacific/Auckland", "Europe/Lisbon") * 6
    day, skus = "2999-01-15", [f"MILK-{n}" for n in range(8)]
    with open_shop(database_url, batch_max=5) as dock, open_shop(database_url) as office:
        actor = found(dock)
        for sku in skus:
            stock_up(dock, actor, sku, 1)
        store_id = dock.reports.stores(actor.org_id).items[0]["id"]
        outcomes = []

        def receive() -> None:
            lines = [
                tuple(ReceiptLine(sku, 1, "1.00", expires_on=day) for sku in (skus[n % 8], skus[-1 - n % 8 // 2]))
                for n in range(240)
            ]
            commands = [Receive("EAST" if n % 3 else "MAIN", both) for n, both in enumerate(lines)]
            outcomes.extend(rush(dock, actor, commands, threads=8))

        def move() -> None:
            for zone in zones:
                do(office, actor, ChangeStore(store_id, timezone=zone))

        at_once([receive, move])

        tally = Tally(outcomes)
        assert (tally.accepted, tally.failed) == (240, [])
        assert_books(dock, actor)
        with dock.database.reading() as connection:
            ends = connection.exec_driver_sql(
                "SELECT s.sellable_until, count(*) FROM lot_stock s JOIN lot l ON l.id = s.lot_id "
                f"WHERE l.expires_on = '{day}' GROUP BY 1"
            ).all()
        assert [tuple(row) for row in ends] == [(end_of_day(day, zones[-1]), 480)]


@pytest.mark.parametrize("place", ["MAIN", "EAST"])
def test_a_clock_that_moves_before_dated_goods_are_committed(postgres_url, monkeypatch, place):
    """The change has looked for lots and waits before its commit; goods come to an old level, or begin a new one."""
    day = "2999-01-15"
    with open_shop(postgres_url) as office, open_shop(postgres_url) as dock:
        actor = found(office)
        stock_up(office, actor, "MILK", 1)
        do(dock, actor, SetStock("MILK", "MAIN", 1))  # the dock knows the catalog as it was
        store_id = office.reports.stores(actor.org_id).items[0]["id"]
        looked, go_on = threading.Event(), threading.Event()
        real = session.PostgresBatchSession.finish

        def finish(self, writes, **how):
            if any("catalog_version + 1" in write.sql for write in writes):
                looked.set()
                go_on.wait(2)
            return real(self, writes, **how)

        monkeypatch.setattr(session.PostgresBatchSession, "finish", finish)
        change = office.submit(actor, ChangeStore(store_id, timezone="Asia/Tokyo"))
        assert looked.wait(ANSWER_SECONDS)
        receipt = dock.submit(actor, Receive(place, (ReceiptLine("MILK", 1, "1.00", expires_on=day),)))
        threading.Timer(0.5, go_on.set).start()

        assert Tally([outcome_of(change), outcome_of(receipt)]).accepted == 2
        with dock.database.reading() as connection:
            query = "SELECT sellable_until FROM lot_stock WHERE sellable_until IS NOT NULL"
            ends = connection.exec_driver_sql(query).scalars().all()
        assert ends == [end_of_day(day, "Asia/Tokyo")]
