"""A day of trading that gives every table of sales, gift cards and books rows of many kinds."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.access import Actor
from holdfast.core.organisation.bookkeeping import BillReceipt, EntryLine, PostEntry, ReverseEntry
from holdfast.core.organisation.key_pool import AddLicenseKeys
from holdfast.core.organisation.periods import AddAccount, ClosePeriod
from holdfast.core.organisation.settings import AddRegister, AddTaxRate
from holdfast.core.sales.cart import CancelSale, RemoveLine, SuspendSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine, ShipSupplierOrder
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.register import CloseSession, MoveCash, OpenSession
from holdfast.core.sales.returns import BlindLine, ReturnBlind, ReturnedLine, ReturnSale
from holdfast.encryption import encrypted_key
from tests.gift_cards import ActOnCard, acting_on_cards
from tests.shop import DAY, Shop


def trade(shop: Shop, *, late: bool = True) -> None:
    """Sell at a till and beside it, ship in parts, cut, take back, order from a supplier, close drawer and period."""
    main = shop.stores["MAIN"]
    shop.settings(cash_rounding="0.05")
    shop.ok(AddTaxRate(tax_class="food", rate="0.15"))
    shop.product("TEE-1", price=1990, tax_class="food")
    shop.product("OIL-1", price=333, precision=2)
    shop.product("SONG-1", price=99, kind="digital")
    shop.product("SOFA-1", price=30_000, dropship=True, supplier="Acme")
    shop.receive("TEE-1", 40, lot="T", cost="7.003")
    shop.receive("OIL-1", 20, cost="1.11")
    shop.ok(AddAccount("6000", "Window cleaner"))
    shop.ok(AddAccount("1110", "Cards"))
    if late:
        shop.settings(payment_accounts={"card": "1110"})
    till = shop.ok(AddRegister(store_id=main, code="TILL-1", name=None))
    drawer = shop.ok(OpenSession(till.id, "100.00", "a" * 64, "user:owner", str(uuid.uuid4())))
    at_till = msgspec.structs.replace(shop.owner, session_id=drawer.id)
    sold = at_the_till(shop, at_till)
    shop.ok(ReturnSale(sold.id, (ReturnedLine(sold.lines[0].id, 1),), "cash"), actor=at_till)
    shop.ok(ReturnSale(sold.id, (ReturnedLine(sold.lines[0].id, 1, "damaged"),), "card"))
    shop.ok(ReturnBlind(main, (BlindLine("TEE-1", 1, "10.00"),), "cash"), actor=at_till)
    shop.ok(MoveCash("out", "5.00", "windows", "6000"), actor=at_till)
    shop.ok(MoveCash("in", "20.00", "change"), actor=at_till)
    shop.ok(CloseSession("150.00"), actor=at_till)
    second = shop.ok(OpenSession(till.id, "80.00", "b" * 64, "user:owner", str(uuid.uuid4())))
    shop.ok(MoveCash("in", "1.00", "coins"), actor=msgspec.structs.replace(shop.owner, session_id=second.id))
    beside_the_till(shop)
    if late:  # what has tables of its own that the first versions did not have
        gift_cards(shop)
        licensed(shop)
        by_hand(shop)
    shop.ok(ClosePeriod(_yesterday(shop)))


def at_the_till(shop: Shop, at_till: Actor) -> Any:
    """A sale with everything, paid by card and cash."""
    return shop.ok(
        Checkout(
            shop.stores["MAIN"],
            (
                LineRequest("TEE-1", 3, discount=DiscountRequest(percent=Decimal("12.5"))),
                LineRequest("OIL-1", 1),
                LineRequest("SONG-1", 2),
                LineRequest("SOFA-1", 1),
            ),
            DiscountRequest(amount="1.01"),
            (FeeRequest("delivery", "3.00", "food"),),
            (PaymentRequest("card", "100.00"), PaymentRequest("cash", "400.00")),
            "Ada",
        ),
        actor=at_till,
    )


def beside_the_till(shop: Shop) -> None:
    """Carts, an order that is shipped in parts, one that is cut, one that stays to be paid."""
    lines = (LineRequest("TEE-1", 4), LineRequest("OIL-1", 2))
    paid = shop.ok(OpenSale(shop.stores["MAIN"], lines=lines))
    shop.ok(CompleteSale(paid.id, (PaymentRequest("card", paid.total),)))
    unpaid = shop.ok(OpenSale(lines=lines, fees=(FeeRequest("wrap", "1.00"),)))
    shop.ok(SuspendSale(unpaid.id))
    shop.ok(CompleteSale(unpaid.id))
    parts = shop.ok(OpenSale(lines=lines, discount=DiscountRequest(percent=10)))
    shop.ok(Fulfill(parts.id, (ShipLine(parts.lines[0].id, 1),), "TRACK-1"))
    shop.ok(Fulfill(parts.id, (ShipLine(parts.lines[0].id, 3), ShipLine(parts.lines[1].id, 2))))
    half = shop.ok(OpenSale(lines=lines))
    shop.ok(Fulfill(half.id, (ShipLine(half.lines[0].id, 3),)))
    cut = shop.ok(OpenSale(lines=lines, fees=(FeeRequest("wrap", "1.00"),)))
    shop.ok(Fulfill(cut.id, (ShipLine(cut.lines[0].id, 3),)))
    shop.ok(CancelSale(cut.id))
    sofa = shop.ok(OpenSale(lines=(LineRequest("SOFA-1", 1),)))
    shop.ok(CompleteSale(sofa.id))
    order = shop.rows("SELECT id FROM supplier_order WHERE sale_id = :sale", sale=sofa.id)[0]["id"]
    shop.ok(ShipSupplierOrder(order, "TRACK-2"))
    gone = shop.ok(OpenSale(lines=lines))
    shop.ok(RemoveLine(gone.id, gone.lines[1].id))
    shop.ok(CancelSale(gone.id))
    shop.ok(OpenSale(shop.stores["MAIN"], lines=lines))


def licensed(shop: Shop) -> None:
    """License keys that are free, sold and blocked, and sales that wait for some."""
    method = {"digital_delivery_method": "license_key"}
    shop.product("GAME-1", price=1000, kind="digital", oversell="backorder", **method)
    keys = tuple(encrypted_key(shop.holdfast.cipher, shop.org_id, f"KEY-{index}") for index in range(4))
    shop.ok(AddLicenseKeys("GAME-1", keys[:3]))
    sold = shop.ok(OpenSale(lines=(LineRequest("GAME-1", 2),)))
    shop.ok(CompleteSale(sold.id, (PaymentRequest("other", "20.00"),)))
    shop.ok(ReturnSale(sold.id, (ReturnedLine(sold.lines[0].id, 1),), "other"))
    waits = shop.ok(OpenSale(lines=(LineRequest("GAME-1", 3),)))
    shop.ok(CompleteSale(waits.id))
    shop.product("GAME-2", price=1000, kind="digital", **method)
    shop.ok(AddLicenseKeys("GAME-2", keys[3:]))


def by_hand(shop: Shop) -> None:
    """A payout of card money less its fee, entered twice, and bills of two receipts, one of them taken back."""
    lines = (EntryLine("2010", "9.70"), EntryLine("6000", "0.30"), EntryLine("1110", credit="10.00"))
    shop.ok(PostEntry("Card payout", lines))
    shop.ok(ReverseEntry(shop.ok(PostEntry("Card payout", lines, _yesterday(shop))).id))
    receipts = [str(row["id"]) for row in shop.rows("SELECT id FROM receipt WHERE kind = 'purchase' ORDER BY id")]
    shop.ok(BillReceipt(receipts[0], "17.00", "INV-1"))
    bill = shop.ok(BillReceipt(receipts[1], "20.00"))
    shop.ok(ReverseEntry(bill.id))
    shop.ok(BillReceipt(receipts[1], "20.10"))


def gift_cards(shop: Shop) -> None:
    """One that is spent in parts, one of a sale that is given back, one that nobody has touched."""
    sale_id = shop.rows("SELECT id FROM sale WHERE status = 'completed' ORDER BY id")[0]["id"]
    with acting_on_cards():
        shop.ok(ActOnCard("issue", 5000, code="XMAS-0001"))
        shop.ok(ActOnCard("spend", 1990, code="XMAS-0001"))
        shop.ok(ActOnCard("load", 500, code="XMAS-0001"))
        given_back = shop.ok(ActOnCard("issue", 2500, sale_id=sale_id))
        shop.ok(ActOnCard("block", code=given_back.code))
        shop.ok(ActOnCard("issue", 100))


def _yesterday(shop: Shop) -> str:
    from holdfast.core.records.time import day_at
    from holdfast.db.organisations import clock

    return day_at(clock(shop.holdfast.database) - DAY, "UTC")
