"""Holds that end while somebody uses them: for every unit exactly one of the two happens."""

from __future__ import annotations

import time
from collections import Counter

from holdfast.core.decide import Sweep
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.reserve import Consume
from tests.races.stand import (
    ANSWER_SECONDS,
    Tally,
    assert_books,
    at_once,
    buy,
    do,
    found,
    open_shop,
    outcome_of,
    refused,
    rush,
    stock_up,
)

SECOND = 1_000_000


def _soon(seconds: float) -> int:
    return time.time_ns() // 1000 + int(seconds * SECOND)


def test_a_hold_that_expires_while_it_is_consumed_is_either_sold_or_expired(database_url):
    """60 holds end one after another while buyers consume them, others want their units, and a sweep runs."""
    with open_shop(database_url, batch_max=9) as shop, open_shop(database_url, batch_max=9) as other:
        actor = found(shop)
        product = stock_up(shop, actor, "MUG-1", 60)
        start = _soon(0.6)
        holds = [
            do(shop, actor, buy("MUG-1", f"o-{number}", expires_at=start + number * SECOND // 100))
            for number in range(60)
        ]
        location_id = assert_books(shop, actor).levels[0]["location_id"]
        outcomes = {}

        def consume(first: int) -> None:
            for number in range(first, 60, 6):
                wait = (start + number * SECOND // 100) / SECOND - time.time()
                time.sleep(max(0.0, wait - 0.004 + number % 3 * 0.004))
                door = (shop, other)[number % 2]
                outcomes[number] = outcome_of(door.submit(actor, Consume(holds[number].id)))

        def sweep() -> None:
            end = time.monotonic() + 1.4
            while time.monotonic() < end:
                other.submit(actor, Sweep(((product.id, location_id),))).result(ANSWER_SECONDS)

        at_once([*(lambda first=first: consume(first) for first in range(6)), sweep])

        tally = Tally(list(outcomes.values()))
        assert not tally.failed
        assert tally.accepted + tally.refused["RESERVATION_NOT_ACTIVE"] == 60
        time.sleep(max(0.0, (start + 60 * SECOND // 100) / SECOND - time.time() + 0.01))
        do(shop, actor, Sweep(((product.id, location_id),)))
        books = assert_books(shop, actor)
        ended = Counter((hold["status"], hold["release_reason"]) for hold in books.holds)
        assert ended == Counter({("consumed", None): tally.accepted, ("released", "expired"): 60 - tally.accepted}), (
            "a hold was both sold and expired, or neither"
        )
        assert books.on_hand() == 60 - tally.accepted
        assert books.reserved() == 0


def test_units_of_expired_holds_are_sold_again_exactly_once(database_url):
    """All stock is held by carts that end together; the rush after it finds exactly that many units."""
    with open_shop(database_url, batch_max=50) as shop, open_shop(database_url, batch_max=50) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 200)
        end = _soon(1.0)
        first = Tally(rush(shop, actor, [buy("MUG-1", f"cart-{n}", expires_at=end) for n in range(200)]))
        assert first.accepted == 200
        assert refused(shop, actor, buy("MUG-1", "early")).code == "INSUFFICIENT_STOCK"
        time.sleep(max(0.0, end / SECOND - time.time() + 0.01))

        tally = Tally(rush([shop, other], actor, [buy("MUG-1", f"late-{n}") for n in range(500)]))

        assert (tally.accepted, tally.failed) == (200, [])
        books = assert_books(shop, actor)
        assert books.reserved() == 200
        assert Counter(hold["release_reason"] for hold in books.holds) == {"expired": 200, None: 200}


def test_extending_a_hold_while_it_ends_keeps_its_unit_or_loses_it(database_url):
    """A customer who pays (expiry cleared) and a rival who wants the unit: exactly one of them has it."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        skus = [f"MUG-{number}" for number in range(30)]
        for sku in skus:
            stock_up(shop, actor, sku, 1)
        end = _soon(0.8)
        holds = [do(shop, actor, buy(sku, f"mine-{sku}", expires_at=end)) for sku in skus]
        time.sleep(max(0.0, end / SECOND - time.time() - 0.01))
        results: list[tuple[bool, bool]] = []

        def duel(number: int) -> None:
            rival = other.submit(actor, buy(skus[number], f"rival-{number}"))
            mine = shop.submit(actor, Amend(holds[number].id, set_expiry=True))
            results.append((Tally([outcome_of(mine)]).accepted == 1, Tally([outcome_of(rival)]).accepted == 1))

        at_once([lambda number=number: duel(number) for number in range(30)])

        assert len(results) == 30
        assert (True, True) not in results, "one unit was promised to two"
        books = assert_books(shop, actor)
        assert books.reserved() == sum(mine or rival for mine, rival in results)
