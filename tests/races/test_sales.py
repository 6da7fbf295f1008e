"""Sales under concurrency: one cashier has a cart, the last unit is sold once, nothing comes back twice."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.sales.cart import AddLine, EditLine, RemoveLine, ResumeSale, SuspendSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from tests.races.stand import (
    Tally,
    assert_books,
    at_once,
    do,
    found,
    in_processes,
    open_shop,
    outcome_of,
    rush,
    stock_up,
)
from tests.shop import rows

CASH = (PaymentRequest("cash", "100.00"),)


def store_of(shop: Holdfast) -> str:
    """The organisation's only store."""
    [store] = rows(shop.database, "SELECT id FROM store")
    return str(store["id"])


def sell(store_id: str, *skus: str, units: int = 1) -> Checkout:
    """A till sells some units of each product at once."""
    return Checkout(store_id, tuple(LineRequest(sku, units) for sku in skus), payments=CASH)


def assert_money(shop: Holdfast, actor: Actor, *, sales: int, refunds: int = 0) -> None:
    """As many sales are completed, paid and booked; numbers are given once; every entry balances; 1200 is the lots."""
    assert_books(shop, actor)
    kept = rows(shop.database, "SELECT id, number, status, paid FROM sale")
    completed = {sale["id"] for sale in kept if sale["status"] == "completed"}
    assert len(completed) == sales
    assert len({sale["number"] for sale in kept}) == len(kept)
    entries = rows(shop.database, "SELECT id, ref_type, ref_id FROM journal_entry")
    booked = Counter(entry["ref_id"] for entry in entries if entry["ref_type"] == "SALE")
    assert booked == Counter(completed)
    assert len(rows(shop.database, "SELECT id FROM sale_return")) == refunds
    sums: Counter[str] = Counter()
    inventory = 0
    for line in rows(shop.database, "SELECT entry_id, account, amount FROM posting"):
        sums[line["entry_id"]] += line["amount"]
        inventory += line["amount"] if line["account"] == "1200" else 0
    assert not any(sums.values())
    assert inventory == sum(lot["value"] for lot in rows(shop.database, "SELECT value FROM lot_stock"))


def test_a_suspended_sale_is_resumed_by_exactly_one_cashier(database_url):
    """Ten sales, twenty cashiers for each, over two executors; what is suspended again can be resumed again."""
    with open_shop(database_url, batch_max=7) as shop, open_shop(database_url, batch_max=7) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 50, price=990)
        store_id = store_of(shop)
        sales = [do(shop, actor, OpenSale(store_id, lines=(LineRequest("MUG-1", 2),))).id for _ in range(10)]
        for _ in range(2):
            assert Tally(rush(shop, actor, [SuspendSale(sale) for sale in sales])).accepted == 10

            outcomes = rush([shop, other], actor, [ResumeSale(sale) for sale in sales * 20])

            tally = Tally(outcomes)
            assert (tally.accepted, tally.refused, tally.failed) == (10, {"INVALID_STATE": 190}, [])
            assert {sale.id for sale in tally.answers} == set(sales)
        assert assert_books(shop, actor).reserved() == 20


def test_one_sale_is_completed_once(database_url):
    """Twenty tills want to be paid for the same sale: one is, and the goods leave once."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 5, price=990)
        sale = do(shop, actor, OpenSale(store_of(shop), lines=(LineRequest("MUG-1", 2),)))

        tally = Tally(rush([shop, other], actor, [CompleteSale(sale.id, CASH)] * 20))

        assert (tally.accepted, tally.refused, tally.failed) == (1, {"INVALID_STATE": 19}, [])
        assert_money(shop, actor, sales=1)


def test_the_last_units_are_checked_out_once_from_two_processes(database_url):
    """300 checkouts of two products with stock for 40: a loser has paid nothing and booked nothing."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 40, price=990)
        stock_up(shop, actor, "TEE-1", 60, price=2000)
        job = {"job": "checkouts", "store_id": store_of(shop), "count": 150}

        told = in_processes(
            database_url, actor, [{**job, "skus": ["MUG-1", "TEE-1"]}, {**job, "skus": ["TEE-1", "MUG-1"]}]
        )

        assert [one["failed"] for one in told] == [[], []]
        assert sum(len(one["accepted"]) for one in told) == 40
        assert sum(one["refused"]["INSUFFICIENT_STOCK"] for one in told) == 260
        assert_money(shop, actor, sales=40)
        assert len(rows(shop.database, "SELECT id FROM sale")) == 40, "a refused checkout leaves no sale"
        cash = rows(shop.database, "SELECT amount FROM posting WHERE account = '1000'")
        assert [line["amount"] for line in cash] == [2990] * 40


def test_carts_checkouts_and_reservations_compete_for_the_same_units(database_url):
    """Tills that sell at once beside carts that hold first."""
    with open_shop(database_url, batch_max=11) as shop, open_shop(database_url, batch_max=11) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 60, price=990)
        store_id = store_of(shop)
        cart = OpenSale(store_id, lines=(LineRequest("MUG-1", 1),))

        outcomes = rush([shop, other], actor, [cart, sell(store_id, "MUG-1")] * 60)

        assert Tally(outcomes).accepted == 60
        assert Tally(outcomes).failed == []
        carts = Tally(outcomes[::2])
        assert Tally(rush([shop, other], actor, [CompleteSale(one.id, CASH) for one in carts.answers])).refused == {}
        assert_money(shop, actor, sales=60)


def test_the_same_goods_come_back_once(database_url):
    """Three were bought; forty returns of one or two units at the same moment bring back at most three."""
    with open_shop(database_url, batch_max=5) as shop, open_shop(database_url, batch_max=5) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 9, price=334)
        sold = do(shop, actor, sell(store_of(shop), "MUG-1", units=3))
        returns = [
            ReturnSale(sold.id, (ReturnedLine(sold.lines[0].id, 1 + number % 2),), "cash") for number in range(40)
        ]

        tally = Tally(rush([shop, other], actor, returns))

        back = sum(one.lines[0].quantity for one in tally.answers)
        assert back == 3
        assert tally.refused == {"RETURN_EXCEEDS_SALE": 40 - tally.accepted}
        assert sum(float(one.refund_total) for one in tally.answers) == 10.02
        assert tally.failed == []
        assert assert_books(shop, actor).on_hand() == 9
        assert_money(shop, actor, sales=1, refunds=tally.accepted)


def test_parts_are_shipped_once(database_url):
    """Ten units, thirty shipments of one: ten go out, and the last completes the sale."""
    with open_shop(database_url, batch_max=5) as shop, open_shop(database_url, batch_max=5) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 20, price=990)
        sale = do(shop, actor, OpenSale(store_of(shop), lines=(LineRequest("MUG-1", 10),)))
        part = Fulfill(sale.id, (ShipLine(sale.lines[0].id, 1),))

        tally = Tally(rush([shop, other], actor, [part] * 30))

        assert (tally.accepted, tally.failed) == (10, [])
        assert sorted(one.status for one in tally.answers).count("completed") == 1
        assert assert_books(shop, actor).on_hand() == 10
        revenue = rows(shop.database, "SELECT amount FROM posting WHERE account = '4000'")
        assert [line["amount"] for line in revenue] == [-990] * 10


def test_twenty_requests_with_one_key_are_one_sale(database_url):
    """Everybody hears the same receipt, over two executors."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 50, price=990)
        command = sell(store_of(shop), "MUG-1")
        bodies: list[tuple[bytes, bool]] = []

        def till(number: int) -> None:
            door = (shop, other)[number % 2]
            options: dict[str, Any] = {"render": msgspec.json.encode, "status": 201}
            one = outcome_of(door.submit(actor, command, key="k-1", fingerprint="f", **options))
            bodies.append((one.body, one.replayed))

        at_once([lambda number=number: till(number) for number in range(20)])

        assert len({body for body, _ in bodies}) == 1
        assert json.loads(bodies[0][0])["receipt"]["number"] == "S-000001"
        assert sorted(replayed for _, replayed in bodies) == [False] + [True] * 19
        assert_money(shop, actor, sales=1)


def test_a_cart_that_is_edited_while_it_is_completed(database_url):
    """Edits before the completion count, edits after it are refused; what was sold is what the receipt says."""
    with open_shop(database_url, batch_max=3) as shop, open_shop(database_url, batch_max=3) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 500, price=990)
        store_id = store_of(shop)
        for turn in range(4):
            sale = do(shop, actor, OpenSale(store_id, lines=(LineRequest("MUG-1", 1), LineRequest("MUG-1", 1))))
            first, second = (line.id for line in sale.lines)
            commands: list[Any] = [EditLine(sale.id, first, quantity=units) for units in range(1, 9)]
            commands += [AddLine(sale.id, LineRequest("MUG-1", 1)), RemoveLine(sale.id, second)]
            commands.insert(3 + turn, CompleteSale(sale.id, (PaymentRequest("cash", "500.00"),)))

            outcomes = rush([shop, other], actor, commands, threads=11)

            tally = Tally(outcomes)
            assert tally.failed == []
            assert set(tally.refused) <= {"INVALID_STATE"}
            [sold] = [one for one in tally.answers if one.status == "completed"]
            left = rows(
                shop.database, "SELECT qty_delta FROM ledger WHERE ref_type = 'SALE' AND ref_id = :id", id=sold.id
            )
            assert -sum(line["qty_delta"] for line in left) == sum(line.quantity for line in sold.lines)
        assert assert_books(shop, actor).reserved() == 0
        assert_money(shop, actor, sales=4)


def test_the_same_order_is_imported_once(database_url):
    """Forty deliveries of four orders over two executors: one sale each."""
    with open_shop(database_url, batch_max=5) as shop, open_shop(database_url, batch_max=5) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 2, price=990)
        orders = [
            OpenSale(source="shopify", order_number=str(number % 4), lines=(LineRequest("MUG-1", 1),), fact=True)
            for number in range(40)
        ]

        tally = Tally(rush([shop, other], actor, orders))

        assert (tally.accepted, tally.refused, tally.failed) == (4, {"ALREADY_EXISTS": 36}, [])
        assert sorted(sale.number for sale in tally.answers) == [f"S-00000{number}" for number in range(1, 5)]
        assert sorted(assert_books(shop, actor).orders().values()) == [1, 1, 1, 1]


def test_two_processes_give_out_the_first_numbers(database_url):
    """No sale was ever made: there is no counter to lock, and no number comes twice."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "SONG-1", 0, price=100, kind="digital")
        job = {"job": "checkouts", "store_id": store_of(shop), "count": 40, "skus": ["SONG-1"]}

        told = in_processes(database_url, actor, [job, job])

        assert [one["failed"] for one in told] == [[], []]
        assert sum(len(one["accepted"]) for one in told) == 80
        assert_money(shop, actor, sales=80)
        numbers = sorted(sale["number"] for sale in rows(shop.database, "SELECT number FROM sale"))
        assert numbers == [f"S-{number:06d}" for number in range(1, 81)]
