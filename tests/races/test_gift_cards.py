"""Gift cards under concurrency: the money on a card is spent once, and a code is given once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.check import check
from tests.gift_cards import ActOnCard, acting_on_cards
from tests.races.stand import Tally, do, found, in_processes, open_shop, rush
from tests.shop import rows

CODE = "XMAS-0001"


@pytest.fixture(autouse=True)
def known_command() -> Iterator[None]:
    with acting_on_cards():
        yield


def assert_spent(shop: Holdfast, actor: Actor, *, left: int, entries: int) -> None:
    """That is left on the one card, by that many entries, each of which follows on the one before."""
    [card] = rows(shop.database, "SELECT * FROM gift_card WHERE org_id = :org", org=actor.org_id)
    assert (card["balance"], card["entries"]) == (left, entries)
    kept = rows(shop.database, "SELECT * FROM gift_card_entry WHERE card_id = :card ORDER BY seq", card=card["id"])
    balance = 0
    for number, entry in enumerate(kept, 1):
        balance += entry["amount"]
        assert (entry["seq"], entry["balance_after"]) == (number, balance) and balance >= 0
    assert (len(kept), balance) == (entries, left)
    assert check(shop.database, org_id=actor.org_id).mismatches == []


def test_two_tills_and_one_card(database_url: str) -> None:
    """Money for 20 payments, 100 who want to pay with it, over two executors that share nothing but the database."""
    with open_shop(database_url, batch_max=7) as shop, open_shop(database_url, batch_max=7) as other:
        actor = found(shop)
        do(shop, actor, ActOnCard("issue", 20 * 250 + 249, code=CODE))

        tally = Tally(rush([shop, other], actor, [ActOnCard("spend", 250, code=CODE)] * 100))

        assert (tally.accepted, tally.refused, tally.failed) == (20, {"PAYMENT_MISMATCH": 80}, [])
        assert sorted(card.balance for card in tally.answers) == [249 + 250 * number for number in range(20)]
        assert_spent(shop, actor, left=249, entries=21)


def test_two_processes_and_one_card(postgres_url: str) -> None:
    with open_shop(postgres_url) as shop:
        actor = found(shop)
        do(shop, actor, ActOnCard("issue", 20 * 250, code=CODE))

        job = {"job": "spend_card", "code": CODE, "amount": 250, "times": 30}
        told = in_processes(postgres_url, actor, [job, job])

        assert sum(len(one["accepted"]) for one in told) == 20
        assert sum(one["refused"].get("PAYMENT_MISMATCH", 0) for one in told) == 40
        assert [one["failed"] for one in told] == [[], []]
        assert_spent(shop, actor, left=0, entries=21)


def test_loads_and_payments_at_once(database_url: str) -> None:
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        do(shop, actor, ActOnCard("issue", 1000, code=CODE))
        commands = [ActOnCard("load" if number % 2 else "spend", 10, code=CODE) for number in range(100)]

        tally = Tally(rush([shop, other], actor, commands))

        assert (tally.accepted, tally.refused, tally.failed) == (100, {}, [])
        assert_spent(shop, actor, left=1000, entries=101)


def test_a_card_is_given_back_or_spent(database_url: str) -> None:
    """One of 40 who pay, and of 40 who give it back, comes first; then the others find it spent of, or blocked."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        do(shop, actor, ActOnCard("issue", 1000, code=CODE))
        commands: list[Any] = [ActOnCard("block", code=CODE), ActOnCard("spend", 1000, code=CODE)] * 40

        tally = Tally(rush([shop, other], actor, commands))

        assert (tally.accepted, tally.failed) == (1, [])
        assert set(tally.refused) <= {"INVALID_STATE", "PAYMENT_MISMATCH"}
        assert_spent(shop, actor, left=0, entries=2)


def test_one_code_is_given_once(database_url: str) -> None:
    with open_shop(database_url, batch_max=7) as shop, open_shop(database_url, batch_max=7) as other:
        actor = found(shop)

        tally = Tally(rush([shop, other], actor, [ActOnCard("issue", 500, code=CODE)] * 60))

        assert (tally.accepted, tally.refused, tally.failed) == (1, {"ALREADY_EXISTS": 59}, [])
        assert_spent(shop, actor, left=500, entries=1)
