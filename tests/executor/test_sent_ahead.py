"""Parts of a large batch are sent while the rest is still being decided: nothing of that shows."""

from __future__ import annotations

from typing import Any

import pytest

import holdfast.db.batch.session as sessions
import holdfast.executor.transaction
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.order_holds import OrderClose
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.cart import EditLine
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from tests.core.books import book_faults
from tests.executor.test_answers import level, stopped
from tests.shop import Shop
from tests.truth import assert_truth

MANY = 300


@pytest.fixture
def stocked(shop_anywhere: Shop) -> Shop:
    """A shop with enough of one product."""
    shop_anywhere.product("MUG-1", price=990)
    shop_anywhere.receive(quantity=10_000)
    return shop_anywhere


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements went ahead, call by call, on either database."""
    calls: list[int] = []
    for session in (sessions.SqliteBatchSession, sessions.PostgresBatchSession):
        original = session.send

        def send(self: Any, writes: Any, original: Any = original) -> None:
            calls.append(len(writes))
            original(self, writes)

        monkeypatch.setattr(session, "send", send)
    return calls


def reserve(number: int, sku: str = "MUG-1") -> Reserve:
    return Reserve(sku, 1, "MAIN", Target(str(number)))


def all_at_once(shop: Shop, commands: list[Any]) -> list[Any]:
    """The answers (or errors) to commands that lie in one batch."""
    with stopped(shop.holdfast) as go:
        futures = [shop.holdfast.submit(shop.owner, command) for command in commands]
        go.set()
        return [future.exception(60) or future.result().answer for future in futures]


def test_a_large_batch_goes_in_parts(stocked: Shop, sent: list[int]) -> None:
    answers = all_at_once(stocked, [reserve(number) for number in range(MANY)])

    assert len(sent) > 3
    assert not any(isinstance(answer, Rejected) for answer in answers)
    assert level(stocked) == (10_000, MANY, 0)


def test_a_hold_that_was_sent_changes_again_in_the_same_batch(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are not known before the answer, so the later commands find the holds by their order."""
    monkeypatch.setattr(holdfast.executor.transaction, "SEND_ENTRIES", 1)
    commands: list[Any] = []
    for number in range(20):
        commands += [reserve(number), OrderClose(str(number), "manual", consume=number % 2 == 0)]

    answers = all_at_once(stocked, commands)

    assert [answer[0].status for answer in answers[1::2]] == ["consumed", "released"] * 10
    assert level(stocked) == (9_990, 0, 0)


def test_what_was_there_before_changes_in_between(stocked: Shop) -> None:
    holds = [stocked.ok(reserve(number)).id for number in range(3)]
    commands: list[Any] = [reserve(100 + number) for number in range(MANY)]
    commands[90], commands[180], commands[270] = Consume(holds[0]), Release(holds[1]), Amend(holds[2], quantity=5)
    commands[280] = Amend(holds[2], quantity=2)

    all_at_once(stocked, commands)

    assert level(stocked) == (9_999, MANY - 4 + 2, 0)


def test_a_batch_begins_again_after_parts_were_sent(stocked: Shop, sent: list[int]) -> None:
    """The last command needs a level that nobody thought of: the whole transaction is begun again."""
    stocked.product("TEE-1")
    stocked.receive("TEE-1", 5)
    hold = stocked.ok(Reserve("TEE-1", 1, "MAIN", Target("elsewhere")))
    commands: list[Any] = [reserve(number) for number in range(MANY)]
    commands.append(OrderClose("elsewhere", "manual", consume=True))

    answers = all_at_once(stocked, commands)

    assert answers[-1][0].id == hold.id and answers[-1][0].status == "consumed"
    assert level(stocked) == (10_000, MANY, 0)
    assert [row["on_hand"] for row in stocked.rows("SELECT on_hand FROM level ORDER BY id")] == [10_000, 4]


def test_a_question_in_between_is_answered(stocked: Shop) -> None:
    """A receipt of a known lot code asks the database while parts are under way."""
    stocked.receive(quantity=1, lot="A", cost="1.00")
    commands: list[Any] = [reserve(number) for number in range(MANY)]
    commands[150] = Receive("MAIN", (ReceiptLine("MUG-1", 7, "1.00", lot_code="A"),))

    answers = all_at_once(stocked, commands)

    assert not any(isinstance(answer, Rejected) for answer in answers)
    assert level(stocked) == (10_008, MANY - 1, 0)


def test_one_poisoned_part_costs_only_its_cause(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that the database itself refuses is found by halves, wherever in the batch it was sent."""
    original = holdfast.executor.transaction.early_writes

    def early_writes(stock: Any, dialect: str, progress: Any) -> Any:
        writes = original(stock, dialect, progress)
        if any("poison" in repr(write.parameters) for write in writes):
            return [*writes, sessions.Write("INSERT INTO level (id) VALUES (NULL)", {})]
        return writes

    monkeypatch.setattr(holdfast.executor.transaction, "early_writes", early_writes)
    monkeypatch.setattr(holdfast.executor.transaction, "SEND_ENTRIES", 1)
    commands = [reserve(number) for number in range(40)]
    commands[17] = Reserve("MUG-1", 1, "MAIN", Target("poison"))

    answers = all_at_once(stocked, commands)

    assert [index for index, answer in enumerate(answers) if isinstance(answer, Exception)] == [17]
    assert level(stocked) == (10_000, 39, 0)
    assert_truth(stocked)


def test_sales_and_books_go_ahead_too(stocked: Shop, sent: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkouts, carts that change again and a drawer's totals in one batch: rows that were sent are changed after."""
    monkeypatch.setattr(holdfast.executor.transaction, "SEND_ENTRIES", 1)
    store = stocked.stores["MAIN"]
    opened = stocked.ok(OpenSale(store, lines=(LineRequest("MUG-1", 3),)))
    line = opened.lines[0].id
    cash = (PaymentRequest("cash", "100.00"),)
    commands: list[Any] = [Checkout(store, (LineRequest("MUG-1", 2),), payments=cash) for _ in range(30)]
    commands[5] = EditLine(opened.id, line, quantity=5)
    commands[10] = Fulfill(opened.id, (ShipLine(line, 1),))
    commands[15] = CompleteSale(opened.id, cash)
    commands[20] = ReturnSale(opened.id, (ReturnedLine(line, 2),), "cash")
    commands[25] = OpenSale(store, lines=(LineRequest("MUG-1", 1),))

    answers = all_at_once(stocked, commands)

    assert [answer for answer in answers if isinstance(answer, Rejected | Exception)] == []
    assert len(sent) > 20
    assert level(stocked) == (10_000 - 25 * 2 - 5 + 2, 1, 0)
    assert book_faults(stocked) == []
