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
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import msgspec

from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Consume
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.exchange import Exchanged, ExchangedSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import CorrectPayment, PaymentRequest, TakePayment
from holdfast.core.sales.refunds import RefundRequest
from holdfast.core.sales.returns import MoneyOff, ReturnedLine, ReturnSale
from holdfast.db.batch.session import PostgresBatchSession, SqliteBatchSession, Write
from holdfast.executor import Reply
from tests.races.stand import buy

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
    with Holdfast.open(order["url"], batch_max=40) as shop:
        actor = Actor(order["org_id"], "key:race", Role.OWNER)
        os.write(ACKNOWLEDGED, b"ready\n")
        if order.get("money"):
            _move_money(shop, actor, order)
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
    room = threading.Semaphore(IN_FLIGHT)

    def tell(key: str, future: Future[Reply]) -> None:
        if future.exception() is None:
            body = (future.result().body or b"").decode()
            os.write(ACKNOWLEDGED, f"{json.dumps({'key': key, 'kind': 'checkout', 'body': body})}\n".encode())
        room.release()

    command = check_out(order["store_id"], order["sku"])
    for number in range(order["count"]):
        key = f"{order['prefix']}-{number}"
        room.acquire()
        future = shop.submit(actor, command, key=key, fingerprint="k", render=msgspec.json.encode, status=201)
        future.add_done_callback(lambda done, key=key: tell(key, done))


def money_of(
    shop: Holdfast, actor: Actor, store_id: str, sku: str, name: str, *, acknowledge: bool = False
) -> list[str]:
    """The life of the money of a sale, one command after the other under keys of its own; what each answered."""
    told: list[str] = []

    def give(command: Any) -> Any:
        key = f"{name}-{len(told)}"
        reply = shop.do(actor, command, key=key, fingerprint="m", render=msgspec.json.encode, status=201)
        assert not isinstance(reply.answer, Rejected), (key, reply)
        body = (reply.body or b"").decode()
        told.append(body)
        if acknowledge:
            os.write(ACKNOWLEDGED, f"{json.dumps({'key': key, 'kind': 'money', 'body': body})}\n".encode())
        return json.loads(body)

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
    return told


def _move_money(shop: Holdfast, actor: Actor, order: dict[str, Any]) -> None:
    """The money of sale after sale."""
    for number in range(order["count"]):
        money_of(shop, actor, order["store_id"], order["sku"], f"{order['prefix']}-{number}", acknowledge=True)


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
