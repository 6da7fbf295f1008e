"""Groups over several products: whole or not at all, without deadlock, whatever the order of their lines."""

from __future__ import annotations

import random

import pytest

from holdfast.core.decide import CommandGroup
from tests.races.stand import Tally, assert_books, buy, found, in_processes, open_shop, rush, stock_up

SKUS = [f"MUG-{number}" for number in range(6)]


def _group(order: str, skus: list[str]) -> CommandGroup:
    return CommandGroup(tuple(buy(sku, order) for sku in skus))


@pytest.mark.parametrize("doors", [1, 2], ids=["one executor", "two executors"])
def test_carts_in_opposite_order_are_whole_and_never_wait_for_each_other(database_url, doors):
    """Half of the carts name the products forwards, half backwards; stock suffices for a part of them."""
    with open_shop(database_url, batch_max=20) as shop, open_shop(database_url, batch_max=20) as other:
        actor = found(shop)
        for sku in SKUS:
            stock_up(shop, actor, sku, 40)
        carts = [_group(f"c-{number}", SKUS if number % 2 else SKUS[::-1]) for number in range(120)]

        tally = Tally(rush([shop, other][:doors], actor, carts))

        assert (tally.accepted, tally.refused, tally.failed) == (40, {"INSUFFICIENT_STOCK": 80}, [])
        books = assert_books(shop, actor)
        assert set(books.orders().values()) == {len(SKUS)}
        assert [level["reserved"] for level in books.levels] == [40] * len(SKUS)


def test_carts_over_random_products_lose_no_unit(database_url):
    """Overlapping carts of one to four products with scarce ones among them, beside single buyers."""
    chance = random.Random(7)
    with open_shop(database_url, batch_max=30) as shop, open_shop(database_url, batch_max=30) as other:
        actor = found(shop)
        for number, sku in enumerate(SKUS):
            stock_up(shop, actor, sku, 20 + 30 * number)
        carts = [_group(f"c-{number}", chance.sample(SKUS, chance.randint(1, 4))) for number in range(300)]

        outcomes = rush([shop, other], actor, carts)

        tally = Tally(outcomes)
        assert not tally.failed
        books = assert_books(shop, actor)
        expected = {
            f"c-{number}": len(cart.commands)
            for number, (cart, one) in enumerate(zip(carts, outcomes, strict=True))
            if one.status == 200
        }
        assert dict(books.orders()) == expected
        assert books.reserved() == sum(expected.values())


def test_two_processes_with_carts_in_opposite_order(database_url):
    """The same over process borders, where only the order of the row locks prevents a deadlock."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        for sku in SKUS:
            stock_up(shop, actor, sku, 70)
        jobs = [{"job": "carts", "skus": skus, "prefix": name, "count": 100} for name, skus in _opposite()]

        told = in_processes(database_url, actor, jobs)

        assert [one["failed"] for one in told] == [[], []]
        accepted = [order for one in told for order in one["accepted"]]
        assert len(accepted) == 70
        books = assert_books(shop, actor)
        assert dict(books.orders()) == dict.fromkeys(accepted, len(SKUS))


def _opposite() -> list[tuple[str, list[str]]]:
    return [("west", SKUS), ("east", SKUS[::-1])]
