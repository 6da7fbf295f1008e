"""kill -9 under load: what was acknowledged is there, once; what was not is there once after its key is repeated."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from holdfast.check import check
from holdfast.core.organisation.periods import AddAccount
from holdfast.core.reservations.reserve import Consume
from tests.faults.crashing import check_out, live, money_of_a_sale, pool_or_sale, work_of_a_bookkeeper
from tests.races.stand import (
    ANSWER_SECONDS,
    Tally,
    assert_books,
    buy,
    do,
    found,
    open_shop,
    python,
    rush,
    stock_up,
)
from tests.shop import SECRET_KEY, rows

UNITS = 1_000_000
AFTER_THE_LAST = 300
"""Keys beyond the last acknowledged one that may have been given: more than are in flight at once."""


class Seller:
    """A process of `crashing.py`, and what it acknowledged."""

    def __init__(self, url: str, actor: Any, prefix: str, count: int = 1_000_000, **more: Any) -> None:
        order = {"url": url, "org_id": actor.org_id, "sku": "MUG-1", "prefix": prefix, "count": count, **more}
        self.prefix = prefix
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `heard`
        self.process = python("tests.faults.crashing", order, self.errors)

    def heard(self, seconds: float | None) -> list[dict[str, Any]]:
        """Let it sell for so long (None: until it kills itself), kill it, and read what it acknowledged."""
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        if first != "ready\n":
            self.process.kill()
            raise AssertionError(f"the process did not start: {first}{self._errors()}")
        lines: list[str] = []
        if seconds is not None:
            lines.append(self.process.stdout.readline())  # it is selling now
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                lines.append(self.process.stdout.readline())
            self.process.kill()
        lines += self.process.stdout.readlines()
        self.process.wait(ANSWER_SECONDS)
        self.process.stdout.close()
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.returncode == -9, f"it ended by itself: {self.process.returncode} {self._errors()}"
        self.errors.close()
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def _errors(self) -> str:
        self.process.wait(ANSWER_SECONDS)
        self.errors.seek(0)
        return self.errors.read()[-3000:]


def _assert_acknowledged(shop: Any, actor: Any, prefix: str, heard: list[dict[str, Any]]) -> None:
    """Everything heard exists exactly once, before anything is repeated and after everything was."""
    reserved = {one["key"]: one["id"] for one in heard if one["kind"] == "reserve"}
    consumed = {one["key"]: one["id"] for one in heard if one["kind"] == "consume"}
    books = assert_books(shop, actor)
    there = {hold["id"]: hold for hold in books.holds}
    lost = [key for key, name in reserved.items() if name not in there or there[name]["order_number"] != key]
    assert not lost, f"acknowledged and lost: {lost[:5]}"
    unpaid = [key for key, name in consumed.items() if there[name]["consumed"] != 1]
    assert not unpaid, f"acknowledged and not consumed: {unpaid[:5]}"
    assert max(books.orders().values(), default=1) == 1

    last = max((int(key.rsplit("-", 1)[1]) for key in reserved), default=0)
    keys = [f"{prefix}-{number}" for number in range(last + AFTER_THE_LAST)]
    outcomes = _again(shop, actor, [buy("MUG-1", key) for key in keys], keys, "r")
    told = {key: _id(one) for key, one in zip(keys, outcomes, strict=True)}
    assert all(told[key] == name for key, name in reserved.items()), "a key got another answer after the crash"
    paid = list(consumed)
    again = _again(shop, actor, [Consume(consumed[key]) for key in paid], paid, "c")
    assert all(one.replayed for one in again), "a consume was done a second time"

    books = assert_books(shop, actor)
    orders = books.orders()
    assert all(orders[key] == 1 for key in keys)
    assert sum(hold["consumed"] for hold in books.holds) == UNITS - books.on_hand()


def _again(shop: Any, actor: Any, commands: list[Any], keys: list[str], fingerprint: str) -> list[Any]:
    outcomes = rush(shop, actor, commands, keys=keys, fingerprint=fingerprint)
    tally = Tally(outcomes)
    assert not tally.failed
    assert not tally.refused
    return outcomes


def _id(reply: Any) -> str:
    return json.loads(reply.body)["id"] if reply.replayed else reply.answer.id


@pytest.mark.slow
def test_killed_at_random_moments_under_load(database_url):
    """Twice in a row on one database: sell, kill -9, look, repeat every key."""
    chance = random.Random()
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        for turn in range(2):
            heard = Seller(database_url, actor, f"turn{turn}").heard(chance.uniform(0.02, 0.3))

            assert heard, "it was killed before it sold anything"
            _assert_acknowledged(shop, actor, f"turn{turn}", heard)


def test_killed_at_every_step_of_a_batch(database_url):
    """After the load, before the writes, between two writes, and after the commit but before the answer."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        steps = ("begun", "decided", "writing", "committed")
        sellers = [Seller(database_url, actor, step, die=step, die_at=8) for step in steps]
        for seller in sellers:
            heard = seller.heard(None)

            assert heard, f"{seller.prefix}: it was killed before it sold anything"
            _assert_acknowledged(shop, actor, seller.prefix, heard)


def test_one_of_two_processes_is_killed_while_the_other_sells_on(database_url):
    """What the dead one held locked is free again, and the survivor never fails."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        seller = Seller(database_url, actor, "dead")
        outcomes = rush(shop, actor, [buy("MUG-1", f"alive-{n}") for n in range(300)])
        heard = seller.heard(0.3)
        outcomes += rush(shop, actor, [buy("MUG-1", f"after-{n}") for n in range(300)])

        assert Tally(outcomes).accepted == 600, Tally(outcomes).failed[:3]
        _assert_acknowledged(shop, actor, "dead", heard)


@pytest.mark.parametrize("step", ["decided", "writing", "committed"])
def test_killed_in_the_middle_of_a_checkout(database_url, step):
    """A sale is wholly done (goods, money, books, number) or not at all; its key gives the same receipt again."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS, price=990)
        stock_up(shop, actor, "SONG-1", 0, price=100, kind="digital")
        [store] = rows(shop.database, "SELECT id FROM store")

        heard = Seller(database_url, actor, "till", die=step, die_at=6, store_id=store["id"]).heard(None)

        receipts = {one["key"]: one["body"] for one in heard}
        assert receipts, "it was killed before it sold anything"
        sold = _whole_sales(shop, actor)
        acknowledged = {json.loads(body)["id"] for body in receipts.values()}
        assert acknowledged <= sold, "a sale was acknowledged and lost"
        keys = [f"till-{number}" for number in range(len(receipts) + AFTER_THE_LAST)]
        command = check_out(store["id"], "MUG-1")
        outcomes = _again(shop, actor, [command] * len(keys), keys, "k")
        again = {key: one.body.decode() for key, one in zip(keys, outcomes, strict=True) if one.replayed}
        assert {key: again.get(key) for key in receipts} == receipts
        assert {json.loads(body)["id"] for body in again.values()} == sold, "what was done unheard is told now"
        assert len(_whole_sales(shop, actor)) == len(keys)


@pytest.mark.parametrize("step", ["decided", "writing", "committed"])
def test_killed_in_the_middle_of_a_payment(database_url, step):
    """Deposit, payment, correction, money off, split refund, exchange: each is done once, whichever was under way."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS, price=990)
        [store] = rows(shop.database, "SELECT id FROM store")
        for at in (3, 5, 7, 9):
            more = {"die": step, "die_at": at, "store_id": store["id"], "job": "money"}
            heard = Seller(database_url, actor, f"m{at}", **more).heard(None)

            assert check(shop.database).mismatches == []
            told = live(shop, actor, money_of_a_sale, {"store_id": store["id"], "sku": "MUG-1"}, f"m{at}-0")
            assert [one["body"] for one in heard] == told[: len(heard)]
            assert check(shop.database).mismatches == []
        returned = rows(shop.database, "SELECT id FROM sale_return")
        assert len(returned) == 3 * 4


@pytest.mark.parametrize("step", ["decided", "writing", "committed"])
def test_killed_while_the_bookkeeper_works(database_url, step):
    """A bill and a payout, each taken back and entered again: every entry is in the books once, whichever was under
    way."""
    with open_shop(database_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", UNITS)
        for account, name in (("1010", "Bank"), ("6100", "Card fees")):
            do(shop, actor, AddAccount(account, name))
        before = _balances(shop)
        kills = (2, 3, 4, 5, 7, 8)
        for at in kills:
            more = {"die": step, "die_at": at, "store_id": "", "job": "books"}
            heard = Seller(database_url, actor, f"b{at}", **more).heard(None)

            assert len(heard) == at - 1, "every command before the one under way was acknowledged"
            assert check(shop.database).mismatches == []
            told = live(shop, actor, work_of_a_bookkeeper, {"store_id": "", "sku": "MUG-1"}, f"b{at}-0")
            assert [one["body"] for one in heard] == told[: len(heard)]
            assert check(shop.database).mismatches == []
        kinds = Counter(row["ref_type"] for row in rows(shop.database, "SELECT ref_type FROM journal_entry"))
        assert (kinds["BILL"], kinds["ENTRY"]) == (3 * len(kills), 3 * len(kills))
        after = {account: amount - before.get(account, 0) for account, amount in _balances(shop).items()}
        books = {"2010": -3620, "5400": 120, "1010": 9800, "1100": -9800}
        assert {account: after[account] for account in books} == {k: v * len(kills) for k, v in books.items()}
        assert after.get("6100", 0) == 0
        of_a_second_life = 3500 if step == "committed" else 0  # the eighth command is the receipt of the next life
        assert -after["2000"] == of_a_second_life


def _balances(shop: Any) -> dict[str, int]:
    found = rows(shop.database, "SELECT account, sum(amount) AS amount FROM posting GROUP BY account")
    return {row["account"]: int(row["amount"]) for row in found}


@pytest.mark.parametrize("step", ["decided", "writing", "committed"])
def test_killed_while_license_keys_are_handed_out(database_url, step):
    """Keys come into the pool and go to buyers, some of whom wait: a key that a buyer has read is that buyer's alone,
    and what is repeated after the crash gives the same keys again."""
    with open_shop(database_url, secret_key=SECRET_KEY) as shop:
        actor = found(shop)
        method = {"kind": "digital", "digital_delivery_method": "license_key", "oversell": "backorder"}
        stock_up(shop, actor, "GAME-1", 0, price=100, **method)
        [store] = rows(shop.database, "SELECT id FROM store")
        first = shop.do(actor, pool_or_sale(shop, actor, store["id"], "first", 0)).answer
        assert first.added == 2
        for at in (4, 7):
            more = {"die": step, "die_at": at, "store_id": store["id"], "job": "keys"}
            heard = Seller(database_url, actor, f"k{at}", **more).heard(None)

            answers = {one["key"]: one["body"] for one in heard}
            read = _keys_read(answers.values())
            assert read, "it was killed before a buyer had a key"
            assert _handed_out(shop) >= read, "a key was read by a buyer and is not that buyer's"
            names = [f"k{at}-{number}" for number in range(len(heard) + AFTER_THE_LAST)]
            commands = [pool_or_sale(shop, actor, store["id"], f"k{at}", number) for number in range(len(names))]
            outcomes = _again(shop, actor, commands, names, "k")
            again = {name: one.body.decode() for name, one in zip(names, outcomes, strict=True) if one.replayed}
            assert {name: again.get(name) for name in answers} == answers
            assert _handed_out(shop) >= read | _keys_read(again.values())


def _keys_read(bodies: Iterable[str]) -> set[tuple[str, str]]:
    """(the sale, the key's id) of each key that stands in an answer; each is there once."""
    found = [
        (sale["id"], key["id"])
        for sale in map(json.loads, bodies)
        for line in sale.get("lines", ())
        for key in line["delivery"]["license_keys"]
    ]
    assert len({key for _, key in found}) == len(found), "two buyers have read one key"
    return set(found)


def _handed_out(shop: Any) -> set[tuple[str, str]]:
    """(the sale, the key's id) of each key that is in the line of a sale. Each is in one, sold, and nobody waits beside
    a free one."""
    assert check(shop.database).mismatches == []
    lines = rows(shop.database, "SELECT sale_id, key_ids, keys_owed FROM sale_line")
    found = [(line["sale_id"], key) for line in lines for key in _list(line["key_ids"])]
    sold = {row["id"] for row in rows(shop.database, "SELECT id FROM license_key WHERE status = 'sold'")}
    assert len(found) == len({key for _, key in found}) == len(sold)
    assert {key for _, key in found} == sold
    free = rows(shop.database, "SELECT id FROM license_key WHERE status = 'free'")
    assert not free or not any(line["keys_owed"] for line in lines), "a buyer waits beside a free key"
    return set(found)


def _list(kept: Any) -> list[str]:
    """A column of JSON, which SQLite answers as text."""
    found: list[str] = (json.loads(kept) if isinstance(kept, str) else kept) or []
    return found


def _whole_sales(shop: Any, actor: Any) -> set[str]:
    """The ids of the sales; each has both lines, its goods, its payment and its one balanced entry."""
    books = assert_books(shop, actor)
    sales = rows(shop.database, "SELECT id, number, status, total, paid, change FROM sale")
    names = {sale["id"] for sale in sales}
    assert {(sale["status"], sale["total"], sale["paid"] - sale["change"]) for sale in sales} <= {
        ("completed", 2080, 2080)
    }
    assert sorted(sale["number"] for sale in sales) == [f"S-{number:06d}" for number in range(1, len(sales) + 1)]
    lines = Counter(line["sale_id"] for line in rows(shop.database, "SELECT sale_id FROM sale_line"))
    assert lines == dict.fromkeys(names, 2)
    assert Counter(entry["ref_id"] for entry in books.entries if entry["ref_type"] == "SALE") == Counter(names)
    booked = rows(shop.database, "SELECT ref_id FROM journal_entry WHERE ref_type = 'SALE'")
    assert Counter(entry["ref_id"] for entry in booked) == Counter(names)
    cash = rows(shop.database, "SELECT amount FROM posting WHERE account = '1000'")
    assert [line["amount"] for line in cash] == [2080] * len(names)
    assert UNITS - books.on_hand() == 2 * len(names)
    return names
