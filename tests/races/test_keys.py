"""Idempotency keys under concurrency: a command is done once, and everybody hears the same answer."""

from __future__ import annotations

import msgspec

from holdfast.core.organisation.products import AddProduct
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from tests.races.stand import (
    Tally,
    assert_books,
    at_once,
    buy,
    found,
    in_processes,
    open_shop,
    outcome_of,
    refused,
    rush,
    stock_up,
)


def test_one_key_from_twenty_threads_is_one_reservation_and_twenty_equal_answers(database_url):
    """Twenty requests with one key at the same moment, over two executors."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 100)
        bodies: list[tuple[int, bytes, bool]] = []

        def customer(number: int) -> None:
            door = (shop, other)[number % 2]
            future = door.submit(
                actor, buy("MUG-1", "102"), key="k-1", fingerprint="f", render=msgspec.json.encode, status=201
            )
            one = outcome_of(future)
            bodies.append((one.status, one.body, one.replayed))

        at_once([lambda number=number: customer(number) for number in range(20)])

        assert len({(status, body) for status, body, _ in bodies}) == 1
        assert bodies[0][0] == 201
        assert sorted(replayed for _, _, replayed in bodies) == [False] + [True] * 19
        books = assert_books(shop, actor)
        assert books.orders() == {"102": 1}
        assert books.reserved() == 1


def test_many_keys_twice_each_are_done_once_each(database_url):
    """300 commands, each sent twice at about the same moment to two executors; stock for 200 of them."""
    with open_shop(database_url, batch_max=13) as shop, open_shop(database_url, batch_max=13) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 200)
        keys = [f"k-{number // 2}" for number in range(600)]

        tally = Tally(rush([shop, other], actor, [buy("MUG-1", key) for key in keys], keys=keys))

        assert (tally.accepted, tally.replayed, tally.failed) == (200, 200, [])
        assert tally.refused == {"INSUFFICIENT_STOCK": 200}
        books = assert_books(shop, actor)
        assert set(books.orders().values()) == {1}
        assert len(books.keys) == books.reserved() == 200


def test_a_key_with_another_body_is_refused_and_does_nothing(database_url):
    """One of two different requests with one key is done; the other hears that the key was used."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 100)
        outcomes = []

        def customer(number: int) -> None:
            door = (shop, other)[number % 2]
            name = f"body-{number % 4}"
            future = door.submit(actor, buy("MUG-1", name), key="k-1", fingerprint=name)
            outcomes.append((name, outcome_of(future)))

        at_once([lambda number=number: customer(number) for number in range(20)])

        winner = next(name for name, one in outcomes if Tally([one]).accepted)
        for name, one in outcomes:
            if name == winner:
                assert Tally([one]).accepted or one.replayed
            else:
                assert one.answer.code == "IDEMPOTENCY_KEY_REUSED"
        assert Tally([one for _, one in outcomes]).accepted == 1
        assert assert_books(shop, actor).orders() == {winner: 1}
        again = refused(shop, actor, buy("MUG-1", "later"), key="k-1", fingerprint="later")
        assert again.code == "IDEMPOTENCY_KEY_REUSED"


def test_two_processes_with_the_same_keys_do_each_command_once(database_url):
    """The same 150 requests reach both processes: one does it, the other repeats its answer."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 1000)
        keys = [f"k-{number}" for number in range(150)]

        first, second = in_processes(database_url, actor, [{"job": "same_keys", "keys": keys, "sku": "MUG-1"}] * 2)

        for key in keys:
            assert first[key]["id"] == second[key]["id"], key
            assert sorted([first[key]["replayed"], second[key]["replayed"]]) == [False, True], key
        books = assert_books(shop, actor)
        assert books.orders() == dict.fromkeys(keys, 1)


def test_two_processes_with_the_same_keys_and_no_row_to_lock(database_url):
    """New products have no level that could make the second process wait: the key alone decides."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        keys = [f"k-{number}" for number in range(60)]

        first, second = in_processes(database_url, actor, [{"job": "same_keys", "keys": keys, "sku": None}] * 2)

        for key in keys:
            assert first[key]["id"] == second[key]["id"], key
            assert sorted([first[key]["replayed"], second[key]["replayed"]]) == [False, True], key
        assert_books(shop, actor)


def test_a_refusal_uses_up_no_key(database_url):
    """Refused for want of stock; the same key is decided anew when there is some, and only then kept."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 0)
        keys = [f"k-{number}" for number in range(40)]
        commands = [buy("MUG-1", key) for key in keys]
        assert Tally(rush(shop, actor, commands, keys=keys)).refused == {"INSUFFICIENT_STOCK": 40}
        twins = [AddProduct(sku="MUG-1", title="Twin")] * 5
        assert Tally(rush(shop, actor, twins, threads=5)).refused == {"ALREADY_EXISTS": 5}

        shop.do(actor, Receive("MAIN", (ReceiptLine("MUG-1", 25, "1.00"),)))
        tally = Tally(rush(shop, actor, commands, keys=keys))

        assert (tally.accepted, tally.refused) == (25, {"INSUFFICIENT_STOCK": 15})
        assert len(assert_books(shop, actor).keys) == 25
