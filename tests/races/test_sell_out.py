"""More buyers than units: every unit is sold once, and nobody hears yes for one that is not there."""

from __future__ import annotations

import pytest

from holdfast.core.decide import CommandGroup
from holdfast.core.reservations.reserve import Consume, Release, Reserve
from holdfast.core.warehouse.adjustment import SetStock
from tests.races.stand import (
    Tally,
    assert_books,
    at_once,
    buy,
    do,
    found,
    in_processes,
    open_shop,
    outcome_of,
    refused,
    rush,
    stock_up,
)


@pytest.mark.parametrize("batch_max", [512, 7], ids=["batches", "small batches"])
def test_a_hundred_units_and_four_hundred_buyers_sell_exactly_a_hundred(database_url, batch_max):
    """The plainest race: one product, one unit each."""
    with open_shop(database_url, batch_max=batch_max) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 100)
        orders = [f"o-{number}" for number in range(400)]

        outcomes = rush(shop, actor, [buy("MUG-1", order) for order in orders], threads=32)

        tally = Tally(outcomes)
        assert (tally.accepted, tally.refused, tally.failed) == (100, {"INSUFFICIENT_STOCK": 300}, [])
        books = assert_books(shop, actor)
        assert (books.on_hand(), books.reserved()) == (100, 100)
        told = sorted(one.answer.order_number for one in outcomes if one.status == 200)
        assert sorted(books.orders().elements()) == told


def test_two_server_processes_sell_the_last_five_hundred_to_fifteen_hundred(database_url):
    """The headline race: two executors that know nothing of each other but the database."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 500)
        job = {"job": "sell", "sku": "MUG-1", "buyers": 750, "location": "MAIN"}

        told = in_processes(database_url, actor, [{**job, "prefix": "west"}, {**job, "prefix": "east"}])

        accepted = [order for one in told for order in one["accepted"]]
        assert [one["failed"] for one in told] == [[], []]
        assert sum(one["refused"]["INSUFFICIENT_STOCK"] for one in told) == 1000
        books = assert_books(shop, actor)
        assert len(accepted) == 500
        assert sorted(books.orders().elements()) == sorted(accepted)
        assert books.reserved() == 500


def test_nine_of_ten_are_refused_and_no_refusal_writes(database_url):
    """A sell-out of ten products is the cheapest load of all: refusals leave no row behind."""
    skus = [f"MUG-{number}" for number in range(10)]
    with open_shop(database_url) as shop:
        actor = found(shop)
        for sku in skus:
            stock_up(shop, actor, sku, 20)
        commands = [buy(skus[number % 10], f"o-{number}") for number in range(2000)]

        tally = Tally(rush(shop, actor, commands))

        assert (tally.accepted, tally.refused, tally.failed) == (200, {"INSUFFICIENT_STOCK": 1800}, [])
        before = assert_books(shop, actor)
        late = [buy(skus[number % 10], f"late-{number}") for number in range(500)]
        keys = [f"late-{number}" for number in range(500)]
        assert Tally(rush(shop, actor, late, keys=keys)).refused == {"INSUFFICIENT_STOCK": 500}
        after = assert_books(shop, actor)
        for rows in ("entries", "holds", "batches", "keys"):
            assert len(getattr(after, rows)) == len(getattr(before, rows)), rows


def test_two_lines_of_one_product_compete_for_the_same_stock(database_url):
    """7 and 7 of 10 in one group: refused as a whole, while single buyers take what is there."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 10)
        group = CommandGroup((buy("MUG-1", "twice", 7), buy("MUG-1", "twice", 7)))

        said = refused(shop, actor, group)

        assert said.code == "INSUFFICIENT_STOCK"
        assert [(line["index"], line["requested"], line["available"]) for line in said.numbers["lines"]] == [(1, 7, 3)]
        assert not assert_books(shop, actor).holds
        outcomes = rush(shop, actor, [group] * 20 + [buy("MUG-1", f"o-{number}") for number in range(30)])
        assert Tally(outcomes[:20]).accepted == 0
        assert Tally(outcomes[20:]).accepted == 10
        assert assert_books(shop, actor).orders()["twice"] == 0


def test_a_choice_of_location_that_is_stale_under_the_lock_is_made_again(database_url):
    """Buyers without a location, while others and counts take the stock of whatever place they would choose."""
    with open_shop(database_url, batch_max=5) as shop, open_shop(database_url, batch_max=5) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 60)
        do(shop, actor, SetStock("MUG-1", "EAST", 60))
        anywhere = [buy("MUG-1", f"any-{number}", location=None) for number in range(200)]
        pinned = [buy("MUG-1", f"pin-{number}", location=("MAIN", "EAST")[number % 2]) for number in range(200)]
        commands = [command for pair in zip(anywhere, pinned, strict=True) for command in pair]

        tally = Tally(rush([shop, other], actor, commands))

        assert (tally.accepted, tally.failed) == (120, [])
        books = assert_books(shop, actor)
        assert sorted(level["reserved"] for level in books.levels) == [60, 60]


def test_two_processes_without_a_location_sell_every_place_out(database_url):
    """Sourcing by two processes at once: nothing is sold twice and nothing is left over."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 90)
        do(shop, actor, SetStock("MUG-1", "EAST", 110))
        job = {"job": "sell", "sku": "MUG-1", "buyers": 300, "location": None}

        told = in_processes(database_url, actor, [{**job, "prefix": "west"}, {**job, "prefix": "east"}])

        assert [one["failed"] for one in told] == [[], []]
        assert sum(len(one["accepted"]) for one in told) == 200
        assert sorted(level["reserved"] for level in assert_books(shop, actor).levels) == [90, 110]


def test_units_that_are_given_back_are_sold_again_but_never_twice(database_url):
    """Buy, then give back or pay, from many threads and two executors: at the end the units add up."""
    with open_shop(database_url, batch_max=11) as shop, open_shop(database_url, batch_max=11) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 25)
        paid: list[str] = []

        def customer(number: int) -> None:
            door = (shop, other)[number % 2]
            for turn in range(12):
                hold = outcome_of(door.submit(actor, Reserve("MUG-1", 1, "MAIN"))).answer
                if not hasattr(hold, "id"):
                    continue
                if (number + turn) % 3:
                    do(door, actor, Release(hold.id))
                else:
                    do(door, actor, Consume(hold.id))
                    paid.append(hold.id)

        at_once([lambda number=number: customer(number) for number in range(24)])

        books = assert_books(shop, actor)
        assert books.on_hand() == 25 - len(paid)
        assert books.reserved() == 0
        assert sum(hold["consumed"] for hold in books.holds) == len(paid) <= 25
