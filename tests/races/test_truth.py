"""Facts against promises: counts, transfers and recalls that race with those who sell the same units."""

from __future__ import annotations

from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Consume, Release
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, TransferLine
from tests.races.stand import (
    Tally,
    assert_books,
    at_once,
    buy,
    do,
    found,
    open_shop,
    outcome_of,
    rush,
    stock_up,
)


def test_counts_below_the_reserved_race_with_consumes(database_url):
    """100 units, all held. Holds are consumed while counts find fewer; nobody sells what a count took away."""
    with open_shop(database_url, batch_max=8) as shop, open_shop(database_url, batch_max=8) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 100)
        holds = Tally(rush(shop, actor, [buy("MUG-1", f"o-{n}") for n in range(100)])).answers
        sold, counts = [], []

        def consume(first: int) -> None:
            for hold in holds[first::4]:
                sold.append(outcome_of(shop.submit(actor, Consume(hold.id))))

        def count() -> None:
            for _ in range(12):
                counts.append(outcome_of(other.submit(actor, AdjustStock("MUG-1", "MAIN", -3))))
            counts.append(outcome_of(other.submit(actor, Count("MAIN", (CountLine("MUG-1", 5),)))))

        at_once([*(lambda first=first: consume(first) for first in range(4)), count])

        tally = Tally(sold)
        assert not tally.failed
        assert set(tally.refused) <= {"INSUFFICIENT_RESERVED"}
        assert not Tally(counts).failed
        assert set(Tally(counts).refused) <= {"INSUFFICIENT_STOCK"}, "only what is not there at all cannot be taken"
        books = assert_books(shop, actor)
        [level] = books.levels
        consumed = sum(hold["consumed"] for hold in books.holds)
        assert consumed == tally.accepted
        assert level["backordered"] + level["reserved"] == 100 - consumed
        do(other, actor, Receive("MAIN", (ReceiptLine("MUG-1", 100, "1.00"),)))
        [level] = assert_books(shop, actor).levels
        assert (level["backordered"], level["reserved"]) == (0, 100 - consumed), "who waits is served first"


def test_sets_with_an_expected_quantity_never_lose_a_change(database_url):
    """Compare-and-set from many threads: every accepted step adds exactly one."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 10)
        steps = []

        def clerk(number: int) -> None:
            door = (shop, other)[number % 2]
            seen = 10
            for _ in range(25):
                one = outcome_of(door.submit(actor, SetStock("MUG-1", "MAIN", seen + 1, expected=seen)))
                steps.append(one)
                seen = one.answer.numbers["quantity"] if isinstance(one.answer, Rejected) else seen + 1

        at_once([lambda number=number: clerk(number) for number in range(8)])

        tally = Tally(steps)
        assert not tally.failed
        assert set(tally.refused) <= {"QUANTITY_CHANGED"}
        assert assert_books(shop, actor).on_hand() == 10 + tally.accepted


def test_transfers_race_with_buyers_and_with_each_other(database_url):
    """Units go to and fro between two places while both sell; each unit is sold once, somewhere, or still there."""
    with open_shop(database_url, batch_max=12) as shop, open_shop(database_url, batch_max=12) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 120)
        do(shop, actor, SetStock("MUG-1", "EAST", 120))
        outcomes, moves = [], []

        def carry(door, origin: str, destination: str) -> None:
            for _ in range(20):
                one = outcome_of(door.submit(actor, Dispatch(origin, destination, (TransferLine("MUG-1", 5),))))
                moves.append(one)
                if Tally([one]).accepted:
                    moves.append(outcome_of(door.submit(actor, ReceiveTransfer(one.answer.id))))

        def sell() -> None:
            commands = [buy("MUG-1", f"o-{n}", location=("MAIN", "EAST", None)[n % 3]) for n in range(400)]
            outcomes.extend(rush([shop, other], actor, commands, threads=6))

        at_once([lambda: carry(shop, "MAIN", "EAST"), lambda: carry(other, "EAST", "MAIN"), sell])

        assert Tally(moves).failed == Tally(outcomes).failed == []
        assert set(Tally(moves).refused) <= {"INSUFFICIENT_STOCK"}
        books = assert_books(shop, actor)
        assert books.on_hand() == 240
        assert books.reserved() == Tally(outcomes).accepted <= 240
        left = 240 - books.reserved()
        more = Tally(rush([shop, other], actor, [buy("MUG-1", f"m-{n}", location=None) for n in range(left + 20)]))
        assert more.accepted == left
        assert_books(shop, actor)


def test_one_transfer_arrives_once(database_url):
    """Twenty receivers of one transfer: one brings it in, the others hear that it is done."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 50)
        sent = do(shop, actor, Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 30),)))

        tally = Tally(rush([shop, other], actor, [ReceiveTransfer(sent.id)] * 20))

        assert (tally.accepted, tally.refused, tally.failed) == (1, {"INVALID_STATE": 19}, [])
        books = assert_books(shop, actor)
        assert sorted(level["on_hand"] for level in books.levels) == [0, 20, 30]


def test_a_recall_races_with_buyers(database_url):
    """A lot is taken off sale and let back while people buy: nobody holds a unit of a quarantined lot."""
    with open_shop(database_url, batch_max=10) as shop, open_shop(database_url, batch_max=10) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 0)
        lots = [
            do(shop, actor, Receive("MAIN", (ReceiptLine("MUG-1", 40, "1.00", lot_code=code),))).lines[0].lot_id
            for code in ("A", "B", "C")
        ]
        outcomes, orders = [], []

        def sell(first: int) -> None:
            for n in range(first, 200, 4):
                one = outcome_of(shop.submit(actor, buy("MUG-1", f"o-{n}")))
                outcomes.append(one)
                if Tally([one]).accepted and n % 5 == 0:
                    outcomes.append(outcome_of(shop.submit(actor, Release(one.answer.id))))

        def recall() -> None:
            for _ in range(5):
                orders.append(outcome_of(other.submit(actor, Quarantine(lots[0]))))
                orders.append(outcome_of(other.submit(actor, ReleaseFromQuarantine(lots[0]))))
            orders.append(outcome_of(other.submit(actor, Quarantine(lots[0], "glass"))))

        at_once([*(lambda first=first: sell(first) for first in range(4)), recall])

        assert Tally(outcomes).failed == Tally(orders).failed == []
        assert not Tally(orders).refused
        books = assert_books(shop, actor)
        assert books.on_hand() == 120
        assert not [hold for hold in books.holds if lots[0] in dict(hold["allocations"])]
        aside = [at for at in books.lots if at["lot_id"] == lots[0] and at["on_hand"]]
        assert [(at["on_hand"], at["reserved"]) for at in aside] == [(40, 0)]
