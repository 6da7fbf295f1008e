"""One job in a process of its own: `python -m tests.races.process '{"url": ..., "org_id": ..., "job": ...}'`.

It opens the database, says `ready`, waits for a line, does the job and prints what came of it as one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.core.decide import CommandGroup
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.records.rejection import Rejected
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.order_entry import LineRequest
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.executor import Reply
from tests.gift_cards import ActOnCard, acting_on_cards
from tests.races.stand import Outcome, Tally, buy, rush


def main() -> None:
    """Do the job that the one argument names."""
    order = json.loads(sys.argv[1])
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is logged goes with the errors
    with Holdfast.open(order["url"]) as shop:
        actor = Actor(order["org_id"], "key:race", Role.OWNER)
        print("ready", file=told, flush=True)
        sys.stdin.readline()
        found = JOBS[order["job"]](shop, actor, **order["arguments"])
    print(json.dumps(found), file=told, flush=True)


def sell(
    shop: Holdfast, actor: Actor, *, sku: str, prefix: str, buyers: int, location: str | None, keyed: bool = False
) -> dict[str, Any]:
    """Many buyers of one unit each; who got one, and how the others were refused."""
    orders = [f"{prefix}-{number}" for number in range(buyers)]
    commands = [buy(sku, order, location=location) for order in orders]
    return _told(orders, rush(shop, actor, commands, threads=16, keys=orders if keyed else None))


def carts(shop: Holdfast, actor: Actor, *, skus: list[str], prefix: str, count: int) -> dict[str, Any]:
    """Carts over all SKUs, every second one in the opposite order."""
    orders = [f"{prefix}-{number}" for number in range(count)]
    commands = [
        CommandGroup(tuple(buy(sku, order) for sku in (skus if number % 2 else reversed(skus))))
        for number, order in enumerate(orders)
    ]
    return _told(orders, rush(shop, actor, commands, threads=8))


def checkouts(shop: Holdfast, actor: Actor, *, skus: list[str], store_id: str, count: int) -> dict[str, Any]:
    """Tills that sell one unit of each SKU at once, for cash."""
    lines = tuple(LineRequest(sku, 1) for sku in skus)
    commands = [Checkout(store_id, lines, payments=(PaymentRequest("cash", "100.00"),))] * count
    return _told([str(number) for number in range(count)], rush(shop, actor, commands, threads=8))


def receive(shop: Holdfast, actor: Actor, *, sku: str, location: str, times: int, units: int) -> dict[str, Any]:
    """Goods of one product come in many times; the first may be the first that the level ever saw."""
    commands = [Receive(location, (ReceiptLine(sku, units, "1.00"),)) for _ in range(times)]
    return _told([str(number) for number in range(times)], rush(shop, actor, commands, threads=4))


def same_keys(shop: Holdfast, actor: Actor, *, keys: list[str], sku: str | None) -> dict[str, Any]:
    """Give one command under each key: reserve a unit, or, without a SKU, add a product; what each key was told."""
    commands: list[Any] = [
        buy(sku, key) if sku is not None else AddProduct(sku=f"NEW-{key}", title="New") for key in keys
    ]
    told = {}
    for key, one in zip(keys, rush(shop, actor, commands, threads=8, keys=keys), strict=True):
        assert isinstance(one, Reply), one
        assert not isinstance(one.answer, Rejected), one
        told[key] = {"replayed": one.replayed, "id": json.loads(one.body)["id"] if one.replayed else one.answer.id}
    return told


def change_precision(shop: Holdfast, actor: Actor, *, products: list[str], precision: int) -> dict[str, Any]:
    """Change the precision of each product, one after another."""
    outcomes = rush(shop, actor, [ChangeProduct(name, precision=precision) for name in products], threads=1)
    return _told(products, outcomes)


def receive_first(shop: Holdfast, actor: Actor, *, skus: list[str], location: str) -> dict[str, Any]:
    """Receive one unit of each product, one after another."""
    commands = [Receive(location, (ReceiptLine(sku, 1, "1.00"),)) for sku in skus]
    return _told(skus, rush(shop, actor, commands, threads=1))


def add_products(shop: Holdfast, actor: Actor, *, prefix: str, count: int) -> dict[str, Any]:
    """Add products one after another, as an import does: every one is a change of the catalog."""
    names = [f"{prefix}-{number}" for number in range(count)]
    outcomes: list[Outcome] = [shop.do(actor, AddProduct(sku=name, title=name)) for name in names]
    return _told(names, outcomes)


def spend_card(shop: Holdfast, actor: Actor, *, code: str, amount: int, times: int) -> dict[str, Any]:
    """Many who pay with one gift card at once."""
    with acting_on_cards():
        outcomes = rush(shop, actor, [ActOnCard("spend", amount, code=code)] * times, threads=8)
    return _told([str(number) for number in range(times)], outcomes)


def _told(names: list[str], outcomes: list[Outcome]) -> dict[str, Any]:
    tally = Tally(outcomes)
    done = [
        name
        for name, one in zip(names, outcomes, strict=True)
        if isinstance(one, Reply) and not isinstance(one.answer, Rejected)
    ]
    return {"accepted": done, "refused": tally.refused, "failed": tally.failed}


JOBS = {
    "sell": sell,
    "carts": carts,
    "checkouts": checkouts,
    "receive": receive,
    "same_keys": same_keys,
    "change_precision": change_precision,
    "receive_first": receive_first,
    "add_products": add_products,
    "spend_card": spend_card,
}

if __name__ == "__main__":
    main()
