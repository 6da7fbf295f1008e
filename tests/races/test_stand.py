"""The recount itself: it is silent about good books, and names every kind of mistake that a race could make."""

from __future__ import annotations

import pytest

from holdfast.core.reservations.reserve import Consume
from tests.races.stand import Books, assert_books, buy, do, found, open_shop, stock_up
from tests.shop import unguard

MISTAKES = {
    "a unit too many": "UPDATE level SET on_hand = on_hand + 1",
    "a lost update of the promised": "UPDATE level SET reserved = reserved - 1",
    "a hold that nothing backs": "UPDATE lot_stock SET reserved = reserved - 1",
    "a hold that is gone": "DELETE FROM reservation WHERE order_number = 'o-1'",
    "a unit sold without a word": "UPDATE reservation SET consumed = consumed - 1 WHERE order_number = 'o-0'",
    "a lost ledger entry": "DELETE FROM ledger WHERE seq = 3",
    "a ledger entry in place of another": "UPDATE ledger SET seq = 40 WHERE seq = 4",
    "a wrong balance": "UPDATE ledger SET balance_after = balance_after + 1 WHERE seq = 2",
    "time that runs backwards": "UPDATE ledger SET created_at = 0 WHERE seq = 4",
    "value out of nothing": "UPDATE lot_stock SET value = value + 1",
    "a backorder that nobody has": "UPDATE level SET backordered = 1",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_recount_finds(sqlite_url, mistake):
    """One row is changed behind Holdfast's back."""
    with open_shop(sqlite_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 20)
        holds = [do(shop, actor, buy("MUG-1", f"o-{n}")) for n in range(4)]
        do(shop, actor, Consume(holds[0].id))
        assert_books(shop, actor)

        unguard(shop.database)
        with shop.database.writing() as connection:
            assert connection.exec_driver_sql(MISTAKES[mistake]).rowcount >= 1

        assert Books(shop.database, actor.org_id).mismatches()
