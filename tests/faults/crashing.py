"""A process that sells until it is killed: `python -m tests.faults.crashing '{"url": ..., "org_id": ..., ...}'`.

Every command has its own key. Each answer is written to standard output as one line of JSON, in one write, as soon as
it is heard: whatever stands there has been acknowledged. With `die` ("begun", "decided", "writing" or "committed") the
process kills itself with SIGKILL at that step of its `die_at`-th batch; otherwise its parent does it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import msgspec

from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.core.organisation.bookkeeping import BillReceipt, EntryLine, PostEntry, ReverseEntry
from holdfast.core.organisation.key_pool import AddLicenseKeys
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Consume
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.exchange import Exchanged, ExchangedSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import CorrectPayment, PaymentRequest, TakePayment
from holdfast.core.sales.refunds import RefundRequest
from holdfast.core.sales.returns import MoneyOff, ReturnedLine, ReturnSale
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.batch.session import PostgresBatchSession, SqliteBatchSession, Write
from holdfast.encryption import encrypted_key
from holdfast.executor import Reply
from tests.races.stand import buy
from tests.shop import SECRET_KEY

IN_FLIGHT = 64
"""Reservations of one process that wait for their answer at once."""

ACKNOWLEDGED = 9
"""The file descriptor that keeps what was standard output."""


def main() -> None:
    """Sell until the end."""
    order = json.loads(sys.argv[1])
    os.dup2(1, ACKNOWLEDGED)
    os.dup2(2, 1)  # whatever is logged goes with the errors
    if order.get("die"):
        for kind in (PostgresBatchSession, SqliteBatchSession):
            _die(kind, order["die"], order["die_at"])
    with Holdfast.open(order["url"], batch_max=40, secret_key=SECRET_KEY) as shop:
        actor = Actor(order["org_id"], "key:race", Role.OWNER)
        os.write(ACKNOWLEDGED, b"ready\n")
        job = order.get("job")
        if job in LIVES:
            _live(shop, actor, LIVES[job], order)
        elif job == "keys":
            _hand_out(shop, actor, order)
        elif order.get("store_id"):
            _check_out(shop, actor, order)
        else:
            _sell(shop, actor, order["sku"], order["prefix"], order["count"])


def _sell(shop: Holdfast, actor: Actor, sku: str, prefix: str, count: int) -> None:
    """Reserve a unit under key after key; consume every third one under another key."""
    room = threading.Semaphore(IN_FLIGHT)

    def tell(key: str, kind: str, future: Future[Reply]) -> None:
        error = future.exception()
        if error is None:
            reply = future.result()
            assert not isinstance(reply.answer, Rejected), reply
            os.write(ACKNOWLEDGED, f"{json.dumps({'key': key, 'kind': kind, 'id': _id(reply)})}\n".encode())
        if kind == "reserve" and error is None and int(key.rsplit("-", 1)[1]) % 3 == 0:
            next_key = f"{key}-paid"
            paid = shop.submit(actor, Consume(_id(future.result())), key=next_key, fingerprint="c")
            paid.add_done_callback(lambda done: tell(next_key, "consume", done))
        if kind == "reserve":
            room.release()

    for number in range(count):
        key = f"{prefix}-{number}"
        room.acquire()
        future = shop.submit(actor, buy(sku, key), key=key, fingerprint="r")
        future.add_done_callback(lambda done, key=key: tell(key, "reserve", done))


def check_out(store_id: str, sku: str) -> Checkout:
    """Two units of a product and one of a digital one, for cash."""
    lines = (LineRequest(sku, 2), LineRequest("SONG-1", 1))
    return Checkout(store_id, lines, payments=(PaymentRequest("cash", "100.00"),))


def _check_out(shop: Holdfast, actor: Actor, order: dict[str, Any]) -> None:
    """Sell at a till under key after key; each receipt is told as it was answered."""
    command = check_out(order["store_id"], order["sku"])
    _rush(shop, actor, order, lambda number: command)


def _rush(shop: Holdfast, actor: Actor, order: dict[str, Any], command: Callable[[int], Any]) -> None:
    """Many commands at once, each under its key; each answer is told as it was heard."""
    room = threading.Semaphore(IN_FLIGHT)

    def tell(key: str, future: Future[Reply]) -> None:
        if future.exception() is None:
            assert not isinstance(future.result().answer, Rejected), future.result()
            body = (future.result().body or b"").decode()
            os.write(ACKNOWLEDGED, f"{json.dumps({'key': key, 'body': body})}\n".encode())
        room.release()

    for number in range(order["count"]):
        key = f"{order['prefix']}-{number}"
        room.acquire()
        future = shop.submit(actor, command(number), key=key, fingerprint="k", render=msgspec.json.encode, status=201)
        future.add_done_callback(lambda done, key=key: tell(key, done))


# License keys --------------------------------------------------------------------------------------------------------


def pool_or_sale(shop: Holdfast, actor: Actor, store_id: str, prefix: str, number: int) -> Any:
    """By turns two new license keys of the game, and a sale of two; whichever comes first waits for the other."""
    if number % 2:
        return Checkout(store_id, (LineRequest("GAME-1", 2),), payments=(PaymentRequest("card", "2.00"),))
    keys = (encrypted_key(shop.cipher, actor.org_id, f"{prefix}-{number:06d}-{half}") for half in "AB")
    return AddLicenseKeys("GAME-1", tuple(keys))


def _hand_out(shop: Holdfast, actor: Actor, order: dict[str, Any]) -> None:
    """License keys come and go."""
    _rush(shop, actor, order, lambda number: pool_or_sale(shop, actor, order["store_id"], order["prefix"], number))


# One command after the other -----------------------------------------------------------------------------------------

Give = Callable[[Any], Any]
"""Gives a command that must be accepted, under the next key of a life; its answer, read as JSON."""


def live(
    shop: Holdfast, actor: Actor, life: Callable[[Give, str, str], None], order: dict[str, Any], name: str
) -> list[str]:
    """Commands of a life, one after the other under keys of its own; what each answered. `acknowledge`: it is told."""
    told: list[str] = []

    def give(command: Any) -> Any:
        key = f"{name}-{len(told)}"
        reply = shop.do(actor, command, key=key, fingerprint="m", render=msgspec.json.encode, status=201)
        assert not isinstance(reply.answer, Rejected), (key, reply)
        body = (reply.body or b"").decode()
        told.append(body)
        if order.get("acknowledge"):
            os.write(ACKNOWLEDGED, f"{json.dumps({'key': key, 'body': body})}\n".encode())
        return json.loads(body)

    life(give, order["store_id"], order["sku"])
    return told


def money_of_a_sale(give: Give, store_id: str, sku: str) -> None:
    """Deposit, payment, correction, money off, split refund, exchange."""
    sale = give(OpenSale(store_id, lines=(LineRequest(sku, 3),)))
    give(TakePayment(sale["id"], PaymentRequest("cash", "5.00")))
    done = give(CompleteSale(sale["id"]))
    paid = give(TakePayment(sale["id"], PaymentRequest("cash", done["owed"])))
    give(CorrectPayment(sale["id"], paid["payments"][1]["id"], "card"))
    give(MoneyOff(sale["id"], "0.30", "late", "card"))
    line = (ReturnedLine(sale["lines"][0]["id"], 1),)
    give(ReturnSale(sale["id"], line, refunds=(RefundRequest("cash", "1.00"), RefundRequest("card", "2.00"))))
    give(Checkout(store_id, (LineRequest(sku, 1),), payments=(PaymentRequest("cash", "9.00"),), exchange=Exchanged(
        (ExchangedSale(sale["id"], line),), "cash")))  # fmt: skip


def work_of_a_bookkeeper(give: Give, _: str, sku: str) -> None:
    """A bill of a supplier that was wrong and is taken back and entered again, a payout of the card company."""
    receipt = give(Receive("MAIN", (ReceiptLine(sku, 10, "3.50"),), reference="D-1"))
    wrong = give(BillReceipt(receipt["id"], "362.00", "INV-7"))
    give(ReverseEntry(wrong["id"]))
    give(BillReceipt(receipt["id"], "36.20", "INV-7"))
    fee, taken = EntryLine("6100", debit="3.00"), EntryLine("1100", credit="100.00")
    payout = give(PostEntry("Card payout", (EntryLine("1010", debit="97.00"), fee, taken)))
    give(ReverseEntry(payout["id"]))
    give(PostEntry("Card payout", (EntryLine("1010", debit="98.00"), EntryLine("1100", credit="98.00"))))


LIVES: dict[str, Callable[[Give, str, str], None]] = {"money": money_of_a_sale, "books": work_of_a_bookkeeper}
"""Lives by the name of the job that lives them."""


def _live(shop: Holdfast, actor: Actor, life: Callable[[Give, str, str], None], order: dict[str, Any]) -> None:
    """Life after life."""
    for number in range(order["count"]):
        live(shop, actor, life, {**order, "acknowledge": True}, f"{order['prefix']}-{number}")


def _id(reply: Reply) -> str:
    found: str = json.loads(reply.body or b"{}")["id"] if reply.replayed else reply.answer.id
    return found


class _Deadly(list[Write]):
    """Statements of which the process survives writing the first two only."""

    def __iter__(self) -> Iterator[Write]:
        yield from list.__iter__(self[:2])
        _kill()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die(kind: type[Any], step: str, at: int) -> None:
    """Let the session of the process end it at that step of its `at`-th batch."""
    batches = 0
    real_begin, real_finish = kind.begin, kind.finish

    def begin(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal batches
        batches += 1
        loaded = real_begin(self, *arguments, **options)
        if step == "begun" and batches >= at:
            _kill()
        return loaded

    def finish(self: Any, writes: list[Write], **how: Any) -> bool:
        due = batches >= at
        if due and step == "decided":
            _kill()
        given = _Deadly(writes) if due and step == "writing" else writes
        saved: bool = real_finish(self, given, **how)
        if due and step == "committed":
            _kill()
        return saved

    kind.begin, kind.finish = begin, finish


if __name__ == "__main__":
    main()
