"""Scenarios: a command, and a shop that grows in one direction: locations, stores, lots, lines, holds or tills.

    @scenario(Reserve)
    def a_hold_among_n_places(shop, n): ...     -> the command, for a shop made ready for that n

A scenario uses SKUs of its own for every n, so that one shop serves all sizes; what belongs to the whole organisation
(locations, stores) grows with n.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from holdfast.core.decide import CommandGroup, Sweep
from holdfast.core.organisation.bookkeeping import BillReceipt, EntryLine, PostEntry, ReverseEntry
from holdfast.core.organisation.key_pool import AddLicenseKeys
from holdfast.core.organisation.periods import AddAccount, ClosePeriod, RenameAccount
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.appointments import Book
from holdfast.core.reservations.order_holds import (
    ConsumeAtLevel,
    OrderClose,
    OrderLine,
    OrderReserve,
    ReleaseAtLevel,
    ReserveAtLevel,
)
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.cart import AddLine, CancelSale, RemoveLine, ResumeSale, SuspendSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine, ShipSupplierOrder
from holdfast.core.sales.correction import RevertShipment
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.register import CloseSession, MoveCash, OpenSession
from holdfast.core.sales.returns import BlindLine, ReturnBlind, ReturnedLine, ReturnSale
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock, UnlistLevel
from holdfast.core.warehouse.count_sheet import CloseSheet, Count, CountLine, FillSheet, RemoveSheetLine
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine, WriteOff
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, SendBack, TransferLine
from holdfast.encryption import encrypted_key
from tests.shop import Shop

Built = Any
"""A command, or (command, actor)."""


class Scenario(NamedTuple):
    """One direction in which a shop grows under one command; `work` says that its work is measured as well."""

    name: str
    command: type
    build: Callable[[Shop, int], Built]
    grows_with_places: bool


SCENARIOS: list[Scenario] = []


def scenario(command: type, *, places: bool = False) -> Callable[[Callable[[Shop, int], Built]], Any]:
    """Write a scenario down; `places`: it adds locations or stores to the organisation."""

    def note(build: Callable[[Shop, int], Built]) -> Callable[[Shop, int], Built]:
        SCENARIOS.append(Scenario(build.__name__, command, build, places))
        return build

    return note


# Building ------------------------------------------------------------------------------------------------------------


def skus(shop: Shop, n: int, purpose: str, *, stock: int = 0, place: str = "MAIN", **fields: Any) -> list[str]:
    """n products of that purpose, each with that many units at the place."""
    names = [f"{purpose}-{n}-{index}" for index in range(n)]
    for name in names:
        shop.product(name, **{"price": 100, **fields})
    if stock:
        shop.ok(Receive(place, tuple(ReceiptLine(name, stock, "0.50") for name in names)))
    return names


def sku(shop: Shop, n: int, purpose: str, **fields: Any) -> str:
    """One product of that purpose for that size."""
    name = f"{purpose}-{n}"
    shop.product(name, **{"price": 100, **fields})
    return name


def places(shop: Shop, n: int, prefix: str, *, store: str = "MAIN", **fields: Any) -> list[str]:
    """The codes of n locations of a store; those that are there already are used again."""
    known = {row["code"] for row in shop.rows("SELECT code FROM location")}
    names = [f"{prefix}{index:03d}" for index in range(n)]
    for name in names:
        if name not in known:
            shop.location(name, store, kind=fields.get("kind", "warehouse"), ships_online=fields.get("online", True))
    return names


def stores(shop: Shop, n: int) -> list[str]:
    """The codes of the selling locations of n stores, one each."""
    known = {row["code"]: str(row["id"]) for row in shop.rows("SELECT id, code FROM store")}
    names = []
    for index in range(n):
        code = f"ST{index:03d}"
        if code not in known:
            shop.stores[code] = shop.store(code).id
            shop.location(f"{code}-W", code, kind="warehouse")
        names.append(f"{code}-W")
    return names


def lots(shop: Shop, n: int, purpose: str, place: str = "MAIN") -> str:
    """A product with n lots of one unit each."""
    name = sku(shop, n, purpose)
    shop.ok(Receive(place, tuple(ReceiptLine(name, 1, "0.50", lot_code=f"{purpose}{i}") for i in range(n))))
    return name


def session(shop: Shop, register: str = "TILL") -> Any:
    """An owner at a till of store MAIN with an open drawer."""
    found = shop.rows("SELECT id FROM register WHERE code = :code", code=register)
    register_id = str(found[0]["id"]) if found else shop.register(register).id
    opened = shop.rows(
        "SELECT id FROM register_session WHERE register_id = :register AND status = 'open'", register=register_id
    )
    session_id = str(opened[0]["id"]) if opened else shop.ok(OpenSession(register_id, "10.00", "x", "owner")).id
    return shop.at_till(session_id)


def asked(names: list[str], quantity: int = 1, **fields: Any) -> tuple[LineRequest, ...]:
    """Lines of a sale."""
    return tuple(LineRequest(name, quantity, **fields) for name in names)


def cart(shop: Shop, names: list[str], quantity: int = 1, **fields: Any) -> Any:
    """An open sale with a line of each product."""
    return shop.ok(OpenSale(lines=asked(names, quantity), **fields))


# Holds ---------------------------------------------------------------------------------------------------------------


@scenario(Reserve, places=True)
def hold_where_the_last_of_n_places_has_it(shop: Shop, n: int) -> Built:
    name, last = sku(shop, n, "RP"), places(shop, n, "P")[-1]
    shop.receive(name, 5, last)
    return Reserve(name, 5, target=Target("1"))


@scenario(Reserve)
def hold_over_n_lots(shop: Shop, n: int) -> Built:
    return Reserve(lots(shop, n, "RL"), n, "MAIN", Target("1"))


@scenario(Amend)
def hold_that_grows_over_n_lots(shop: Shop, n: int) -> Built:
    name = lots(shop, n + 1, "AL")
    return Amend(shop.ok(Reserve(name, 1, "MAIN", Target("1"))).id, n + 1)


@scenario(Release)
def release_over_n_lots(shop: Shop, n: int) -> Built:
    return Release(shop.ok(Reserve(lots(shop, n, "LL"), n, "MAIN", Target("1"))).id)


@scenario(Release)
def release_before_n_who_wait(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "LW", oversell="backorder")
    shop.receive(name, n)
    hold = shop.ok(Reserve(name, n, "MAIN", Target("1"))).id
    shop.ok(CommandGroup(tuple(Reserve(name, 1, "MAIN", Target(f"w{i}")) for i in range(n))))
    return Release(hold)


@scenario(Consume)
def consume_over_n_lots(shop: Shop, n: int) -> Built:
    return Consume(shop.ok(Reserve(lots(shop, n, "CL"), n, "MAIN", Target("1"))).id)


@scenario(ReserveAtLevel)
def reserve_at_a_level_with_n_lots(shop: Shop, n: int) -> Built:
    return ReserveAtLevel(lots(shop, n, "RA"), "MAIN", n)


def _adhoc(shop: Shop, n: int, purpose: str) -> str:
    name = sku(shop, n, purpose)
    shop.receive(name, n)
    shop.ok(CommandGroup(tuple(ReserveAtLevel(name, "MAIN", 1) for _ in range(n))))
    return name


@scenario(ReleaseAtLevel)
def release_of_n_adhoc_holds(shop: Shop, n: int) -> Built:
    return ReleaseAtLevel(_adhoc(shop, n, "RH"), "MAIN", n)


@scenario(ConsumeAtLevel)
def consume_of_n_adhoc_holds(shop: Shop, n: int) -> Built:
    return ConsumeAtLevel(_adhoc(shop, n, "CH"), "MAIN", n)


@scenario(ConsumeAtLevel)
def consume_of_n_holds_of_an_order(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "CO")
    shop.receive(name, n)
    shop.ok(CommandGroup(tuple(ReserveAtLevel(name, "MAIN", 1, f"co{n}") for _ in range(n))))
    return ConsumeAtLevel(name, "MAIN", n, f"co{n}")


@scenario(OrderReserve)
def order_of_n_lines(shop: Shop, n: int) -> Built:
    return OrderReserve(f"or{n}", "shopify", tuple(OrderLine(name, 1) for name in skus(shop, n, "OR", stock=1)))


def _order(shop: Shop, n: int, purpose: str) -> tuple[str, tuple[OrderLine, ...]]:
    lines = tuple(OrderLine(name, 1) for name in skus(shop, n, purpose, stock=2))
    shop.ok(OrderReserve(f"{purpose}{n}", "shopify", lines))
    return f"{purpose}{n}", lines


@scenario(OrderReserve)
def order_of_n_lines_again(shop: Shop, n: int) -> Built:
    number, lines = _order(shop, n, "OA")
    return OrderReserve(number, "shopify", lines[:1])


@scenario(OrderClose)
def cancel_an_order_of_n_lines(shop: Shop, n: int) -> Built:
    return OrderClose(_order(shop, n, "OC")[0], "shopify", consume=False)


@scenario(OrderClose)
def convert_an_order_of_n_lines(shop: Shop, n: int) -> Built:
    return OrderClose(_order(shop, n, "OV")[0], "shopify", consume=True)


@scenario(OrderClose)
def convert_one_line_of_an_order_of_n(shop: Shop, n: int) -> Built:
    number, lines = _order(shop, n, "OP")
    return OrderClose(number, "shopify", consume=True, lines=lines[:1])


@scenario(Book)
def book_an_appointment(shop: Shop, n: int) -> Built:
    return Book(1_900_000_000_000_000 + n)


def _appointment(shop: Shop, n: int, purpose: str) -> str:
    made: str = shop.ok(Book(1_900_000_000_000_000)).id
    target = Target(reserved_for_type="appointment", reserved_for_id=made)
    shop.ok(
        CommandGroup(tuple(Reserve(name, 1, "MAIN", target) for name in skus(shop, n, purpose, stock=1))),
    )
    return made


# Facts ---------------------------------------------------------------------------------------------------------------


@scenario(Receive)
def receipt_of_n_lines(shop: Shop, n: int) -> Built:
    return Receive("MAIN", tuple(ReceiptLine(name, 1, "1.00", lot_code="A") for name in skus(shop, n, "RN")))


@scenario(Receive)
def receipt_that_n_wait_for(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "RW", oversell="backorder")
    shop.ok(CommandGroup(tuple(Reserve(name, 1, "MAIN", Target(f"rw{i}")) for i in range(n))))
    return Receive("MAIN", (ReceiptLine(name, n),))


def _held_n_times(shop: Shop, n: int, purpose: str) -> str:
    name = lots(shop, n, purpose)
    shop.ok(CommandGroup(tuple(Reserve(name, 1, "MAIN", Target(f"{purpose}{i}")) for i in range(n))))
    return name


@scenario(SetStock)
def set_below_n_holds(shop: Shop, n: int) -> Built:
    return SetStock(_held_n_times(shop, n, "SH"), "MAIN", 0)


@scenario(AdjustStock)
def adjust_below_n_holds(shop: Shop, n: int) -> Built:
    return AdjustStock(_held_n_times(shop, n, "AH"), "MAIN", -n)


@scenario(UnlistLevel)
def unlist_an_empty_level(shop: Shop, n: int) -> Built:
    name = lots(shop, n, "FL")
    shop.ok(SetStock(name, "MAIN", 0))
    return UnlistLevel(name, "MAIN")


@scenario(Count)
def count_of_n_lines(shop: Shop, n: int) -> Built:
    return Count("MAIN", tuple(CountLine(name, 2) for name in skus(shop, n, "CN", stock=1)))


@scenario(Count)
def sheet_of_n_lines(shop: Shop, n: int) -> Built:
    return Count("MAIN", tuple(CountLine(name) for name in skus(shop, n, "CD", stock=1)), draft=True)


@scenario(FillSheet, places=True)
def fill_n_new_lines_at_a_bin(shop: Shop, n: int) -> Built:
    bin_ = places(shop, 1, "BIN", kind="bin", online=False)[0]
    first = sku(shop, n, "CF")
    sheet = shop.ok(Count(bin_, (CountLine(first),), draft=True)).id
    return FillSheet(sheet, tuple(CountLine(name, 1) for name in skus(shop, n, "CX")))


@scenario(CloseSheet)
def post_a_sheet_of_n_lines(shop: Shop, n: int) -> Built:
    names = skus(shop, n, "CP", stock=1)
    return CloseSheet(shop.ok(Count("MAIN", tuple(CountLine(name, 2) for name in names), draft=True)).id, post=True)


@scenario(CloseSheet)
def post_n_lines_beside_another_open_sheet(shop: Shop, n: int) -> Built:
    names = skus(shop, n, "CO", stock=1)
    shop.ok(Count("MAIN", tuple(CountLine(name) for name in skus(shop, n, "CQ", stock=1)), draft=True))
    return CloseSheet(shop.ok(Count("MAIN", tuple(CountLine(name, 2) for name in names), draft=True)).id, post=True)


@scenario(Count)
def count_of_n_lines_that_are_on_an_open_sheet(shop: Shop, n: int) -> Built:
    names = skus(shop, n, "CB", stock=1)
    shop.ok(Count("MAIN", tuple(CountLine(name) for name in names), draft=True))
    return Count("MAIN", tuple(CountLine(name, 2) for name in names))


@scenario(RemoveSheetLine)
def line_taken_off_a_sheet_of_n(shop: Shop, n: int) -> Built:
    sheet = shop.ok(Count("MAIN", tuple(CountLine(name) for name in skus(shop, n, "CR", stock=1)), draft=True))
    return RemoveSheetLine(sheet.id, sheet.lines[-1].id)


@scenario(Dispatch)
def dispatch_of_n_lines(shop: Shop, n: int) -> Built:
    return Dispatch("MAIN", "EAST", tuple(TransferLine(name, 1) for name in skus(shop, n, "DN", stock=1)))


@scenario(Dispatch)
def dispatch_of_n_lots(shop: Shop, n: int) -> Built:
    return Dispatch("MAIN", "EAST", (TransferLine(lots(shop, n, "DL"), n),))


@scenario(ReceiveTransfer)
def arrival_of_n_lines(shop: Shop, n: int) -> Built:
    lines = tuple(TransferLine(name, 1) for name in skus(shop, n, "TN", stock=1))
    return ReceiveTransfer(shop.ok(Dispatch("MAIN", "EAST", lines)).id)


@scenario(ReceiveTransfer)
def arrival_of_n_lots(shop: Shop, n: int) -> Built:
    return ReceiveTransfer(shop.ok(Dispatch("MAIN", "EAST", (TransferLine(lots(shop, n, "TL"), n),))).id)


@scenario(ReceiveTransfer)
def arrival_of_parts_of_n_lots_by_name(shop: Shop, n: int) -> Built:
    sent = shop.ok(Dispatch("MAIN", "EAST", (TransferLine(lots(shop, n, "TP"), n),)))
    lines = tuple(TransferLine(line.product_id, int(index > 0), line.lot_id) for index, line in enumerate(sent.lines))
    return ReceiveTransfer(sent.id, lines, short=True)


@scenario(SendBack)
def n_lines_sent_back(shop: Shop, n: int) -> Built:
    lines = tuple(TransferLine(name, 1) for name in skus(shop, n, "TB", stock=1))
    return SendBack(shop.ok(Dispatch("MAIN", "EAST", lines)).id)


@scenario(SendBack)
def n_lots_sent_back_line_by_line(shop: Shop, n: int) -> Built:
    name = lots(shop, n, "TS")
    sent = shop.ok(Dispatch("MAIN", "EAST", (TransferLine(name, n),)))
    return SendBack(sent.id, tuple(TransferLine(name, 1) for _ in range(n)))


# Recall --------------------------------------------------------------------------------------------------------------


def _lot_in_n_stores(shop: Shop, n: int, purpose: str) -> str:
    name = sku(shop, n, purpose, oversell="backorder")
    there = stores(shop, n)
    for place in there:
        lot = shop.receive(name, 2, place, lot=purpose, cost="1.00")
    shop.ok(CommandGroup(tuple(Reserve(name, 1, place, Target(f"{purpose}{place}")) for place in there)))
    return lot


@scenario(Quarantine, places=True)
def recall_of_a_lot_in_n_stores(shop: Shop, n: int) -> Built:
    return Quarantine(_lot_in_n_stores(shop, n, "QS"), "bad")


@scenario(Quarantine)
def recall_of_a_lot_with_n_holds(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "QH")
    lot = shop.receive(name, n, lot="BAD")
    shop.ok(Receive("MAIN", tuple(ReceiptLine(name, 1, "1.00", lot_code=f"G{i}") for i in range(n))))
    shop.ok(CommandGroup(tuple(Reserve(name, 1, "MAIN", Target(f"qh{i}")) for i in range(n))))
    return Quarantine(lot, "bad")


@scenario(ReleaseFromQuarantine, places=True)
def readmission_of_a_lot_in_n_stores(shop: Shop, n: int) -> Built:
    lot = _lot_in_n_stores(shop, n, "MS")
    shop.ok(Quarantine(lot, "bad"))
    return ReleaseFromQuarantine(lot)


@scenario(WriteOff, places=True)
def write_off_of_a_lot_in_n_stores(shop: Shop, n: int) -> Built:
    return WriteOff(_lot_in_n_stores(shop, n, "WS"), reason="bad")


# Sales ---------------------------------------------------------------------------------------------------------------


@scenario(OpenSale)
def sale_of_n_lines(shop: Shop, n: int) -> Built:
    return OpenSale(lines=asked(skus(shop, n, "SN", stock=1)))


@scenario(OpenSale, places=True)
def sale_spread_over_n_places(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "SP")
    for place in places(shop, n, "P"):
        shop.receive(name, 1, place)
    return OpenSale(lines=asked([name], n))


@scenario(AddLine)
def line_added_to_a_sale_of_n(shop: Shop, n: int) -> Built:
    one = skus(shop, n, "LA", stock=1)
    more = sku(shop, n, "LM")
    shop.receive(more, 1)
    return AddLine(cart(shop, one).id, LineRequest(more, 1))


@scenario(AddLine, places=True)
def line_over_n_bins_of_the_store(shop: Shop, n: int) -> Built:
    name, other = sku(shop, n, "LB"), sku(shop, n, "LO")
    shop.receive(other, 1)
    for place in places(shop, n, "B", kind="bin", online=False):
        shop.receive(name, 1, place)
    return AddLine(cart(shop, [other], store_id=shop.stores["MAIN"]).id, LineRequest(name, n))


@scenario(CompleteSale)
def completion_of_a_sale_of_n_lines(shop: Shop, n: int) -> Built:
    return CompleteSale(cart(shop, skus(shop, n, "KN", stock=1)).id, (PaymentRequest("cash", f"{n}.00"),))


@scenario(CompleteSale)
def completion_of_a_line_over_n_lots(shop: Shop, n: int) -> Built:
    return CompleteSale(cart(shop, [lots(shop, n, "KL")], n).id, (PaymentRequest("cash", f"{n}.00"),))


@scenario(CompleteSale)
def completion_of_a_sale_that_n_holds_name(shop: Shop, n: int) -> Built:
    one = sku(shop, n, "KO")
    shop.receive(one, 1)
    sale = cart(shop, [one])
    target = Target(reserved_for_type="transaction", reserved_for_id=sale.id)
    shop.ok(CommandGroup(tuple(Reserve(name, 1, "MAIN", target) for name in skus(shop, n, "KT", stock=1))))
    return CompleteSale(sale.id, (PaymentRequest("cash", "1.00"),))


@scenario(RemoveLine)
def line_removed_from_a_sale_of_n(shop: Shop, n: int) -> Built:
    sale = cart(shop, skus(shop, n, "LR", stock=1))
    return RemoveLine(sale.id, sale.lines[0].id)


@scenario(SuspendSale)
def suspension_of_a_sale_of_n_lines(shop: Shop, n: int) -> Built:
    return SuspendSale(cart(shop, skus(shop, n, "SS", stock=1)).id)


@scenario(ResumeSale)
def resumption_of_a_sale_of_n_lines(shop: Shop, n: int) -> Built:
    sale = cart(shop, skus(shop, n, "SR", stock=1))
    shop.ok(SuspendSale(sale.id))
    return ResumeSale(sale.id)


@scenario(CancelSale)
def cancellation_of_a_sale_of_n_lines(shop: Shop, n: int) -> Built:
    return CancelSale(cart(shop, skus(shop, n, "XN", stock=1)).id)


@scenario(CancelSale)
def cancellation_after_half_of_n_lines_went_out(shop: Shop, n: int) -> Built:
    sale = cart(shop, skus(shop, n, "XH", stock=2), 2)
    shop.ok(Fulfill(sale.id, tuple(ShipLine(line.id, 1) for line in sale.lines)))
    return CancelSale(sale.id)


@scenario(Fulfill)
def shipment_of_n_lines(shop: Shop, n: int) -> Built:
    sale = cart(shop, skus(shop, n, "FN", stock=2), 2)
    return Fulfill(sale.id, tuple(ShipLine(line.id, 1) for line in sale.lines))


@scenario(RevertShipment)
def shipment_of_n_lines_is_taken_back(shop: Shop, n: int) -> Built:
    sale = cart(shop, skus(shop, n, "RV", stock=2), 2)
    sale = shop.ok(Fulfill(sale.id, tuple(ShipLine(line.id, 1) for line in sale.lines)))
    return RevertShipment(sale.id, sale.fulfillments[0]["id"], "wrong order")


@scenario(RevertShipment)
def shipment_out_of_n_lots_is_taken_back(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "RVL")
    for _ in range(n):
        shop.receive(name, 1)
    sale = cart(shop, [name], n)
    sale = shop.ok(Fulfill(sale.id, (ShipLine(sale.lines[0].id, n),)))
    return RevertShipment(sale.id, sale.fulfillments[0]["id"], "wrong order")


@scenario(ShipSupplierOrder)
def supplier_ships_the_last_of_a_sale_with_n_holds(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "SU", dropship=True)
    sale = shop.ok(OpenSale(source="shop", order_number=f"su{n}", lines=asked([name]), fact=True))
    target = Target(reserved_for_type="transaction", reserved_for_id=sale.id)
    shop.ok(CommandGroup(tuple(Reserve(one, 1, "MAIN", target) for one in skus(shop, n, "SV", stock=1))))
    found = shop.rows("SELECT id FROM supplier_order WHERE sale_id = :sale", sale=sale.id)
    return ShipSupplierOrder(str(found[0]["id"]))


@scenario(Checkout)
def checkout_of_n_lines(shop: Shop, n: int) -> Built:
    lines = asked(skus(shop, n, "HN", stock=1))
    return Checkout(shop.stores["MAIN"], lines, payments=(PaymentRequest("cash", f"{n}.00"),)), session(shop)


@scenario(Checkout, places=True)
def checkout_over_n_bins(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "HB")
    for place in places(shop, n, "B", kind="bin", online=False):
        shop.receive(name, 1, place)
    lines = asked([name], n)
    return Checkout(shop.stores["MAIN"], lines, payments=(PaymentRequest("cash", f"{n}.00"),)), session(shop)


@scenario(ImportOrder)
def order_of_n_lines_is_imported(shop: Shop, n: int) -> Built:
    return _imported(shop, n, "IN", 0)


@scenario(ImportOrder, places=True)
def order_of_n_lines_is_imported_again(shop: Shop, n: int) -> Built:
    back = places(shop, 1, "BACK", online=False)[0]
    command = _imported(shop, n, "IA", 0, location=back)
    shop.ok(command)
    return command


@scenario(ImportOrder)
def order_of_n_lines_has_gone_out(shop: Shop, n: int) -> Built:
    shop.ok(_imported(shop, n, "IG", 0))
    lines = tuple(OrderedLine(f"IG-{n}-{i}", 1, "1.00", fulfilled=1) for i in range(n))
    return ImportOrder(f"IG{n}", "shop", lines)


def _imported(shop: Shop, n: int, purpose: str, fulfilled: int, **fields: Any) -> ImportOrder:
    place = fields.get("location", "MAIN")
    names = skus(shop, n, purpose, stock=1, place=place)
    lines = tuple(OrderedLine(name, 1, "1.00", fulfilled=fulfilled, **fields) for name in names)
    return ImportOrder(f"{purpose}{n}", "shop", lines)


def _sold(shop: Shop, names: list[str], quantity: int = 1) -> Any:
    sale = cart(shop, names, quantity)
    return shop.ok(CompleteSale(sale.id, (PaymentRequest("cash", f"{len(names) * quantity}.00"),)))


@scenario(ReturnSale)
def return_of_n_lines(shop: Shop, n: int) -> Built:
    sale = _sold(shop, skus(shop, n, "EN", stock=1))
    return ReturnSale(sale.id, tuple(ReturnedLine(line.id, 1) for line in sale.lines), "cash")


@scenario(ReturnSale)
def return_out_of_n_lots(shop: Shop, n: int) -> Built:
    sale = _sold(shop, [lots(shop, n, "EL")], n)
    return ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, n),), "cash")


@scenario(ReturnBlind)
def return_of_n_lines_without_a_sale(shop: Shop, n: int) -> Built:
    lines = tuple(BlindLine(name, 1, "1.00") for name in skus(shop, n, "EB", stock=1))
    return ReturnBlind(shop.stores["MAIN"], lines, "cash")


def games(shop: Shop, n: int, purpose: str, keys: int, **fields: Any) -> list[str]:
    """n products of that purpose that are delivered by license keys, each with so many of them."""
    names = skus(shop, n, purpose, kind="digital", digital_delivery_method="license_key", **fields)
    for name in names:
        shop.ok(AddLicenseKeys(name, license_keys(shop, keys)))
    return names


def license_keys(shop: Shop, n: int, first: int = 0) -> tuple[Any, ...]:
    """n keys as they come into the core."""
    return tuple(encrypted_key(shop.holdfast.cipher, shop.org_id, f"KEY-{first + index}") for index in range(n))


@scenario(Checkout)
def checkout_of_n_licensed_products(shop: Shop, n: int) -> Built:
    names = games(shop, n, "KC", 2)
    return Checkout(shop.stores["MAIN"], asked(names), payments=(PaymentRequest("card", f"{n}.00"),))


@scenario(CompleteSale)
def cart_of_n_licensed_products_that_wait(shop: Shop, n: int) -> Built:
    names = games(shop, n, "KW", 1, oversell="backorder")
    return CompleteSale(cart(shop, names, 2).id)


@scenario(AddLicenseKeys)
def n_keys_for_n_sales_that_wait(shop: Shop, n: int) -> Built:
    [name] = games(shop, 1, f"KA{n}", 1, oversell="backorder")
    for _ in range(n + 1):
        shop.ok(CompleteSale(cart(shop, [name]).id))
    return AddLicenseKeys(name, license_keys(shop, n, 1))


@scenario(ReturnSale)
def return_of_n_licensed_lines(shop: Shop, n: int) -> Built:
    sale = _sold(shop, games(shop, n, "KR", 1))
    return ReturnSale(sale.id, tuple(ReturnedLine(line.id, 1) for line in sale.lines), "cash")


# Tills and books -----------------------------------------------------------------------------------------------------


@scenario(OpenSession)
def drawer_among_n_registers(shop: Shop, n: int) -> Built:
    registers = [shop.register(f"R{n}-{index}") for index in range(n)]
    return OpenSession(registers[0].id, "10.00", "hash", "owner")


@scenario(MoveCash)
def cash_into_a_drawer(shop: Shop, n: int) -> Built:
    return MoveCash("in", "1.00", f"change {n}"), session(shop)


@scenario(CloseSession)
def till_with_an_open_cart_of_n_products(shop: Shop, n: int) -> Built:
    actor = session(shop, f"CP{n}")
    names = skus(shop, n, "ZP", stock=1)
    shop.ok(OpenSale(shop.stores["MAIN"], source="pos", lines=asked(names)), actor=actor)
    return CloseSession("10.00"), actor


@scenario(CloseSession)
def till_with_n_open_carts(shop: Shop, n: int) -> Built:
    actor = session(shop, f"CC{n}")
    for name in skus(shop, n, "ZC", stock=1):
        shop.ok(OpenSale(shop.stores["MAIN"], source="pos", lines=asked([name])), actor=actor)
    return CloseSession("10.00"), actor


@scenario(ClosePeriod)
def period_is_closed(shop: Shop, n: int) -> Built:
    return ClosePeriod(f"2020-01-{n:02d}" if n < 31 else f"2020-02-{n - 30:02d}")


@scenario(AddAccount)
def account_is_added(shop: Shop, n: int) -> Built:
    return AddAccount(f"{6000 + n}", "Rent")


@scenario(RenameAccount)
def account_is_renamed(shop: Shop, n: int) -> Built:
    return RenameAccount("4000", f"Revenue {n}")


def _entry_of(shop: Shop, n: int, kind: str) -> PostEntry:
    codes = [f"{kind}{n:02d}{index:03d}" for index in range(n + 1)]
    for code in codes:
        shop.ok(AddAccount(code, "Costs"))
    lines = tuple(EntryLine(code, debit="1.00") for code in codes[:-1])
    return PostEntry(f"Entry {n}", (*lines, EntryLine(codes[-1], credit=f"{n}.00")))


@scenario(PostEntry)
def entry_of_n_accounts(shop: Shop, n: int) -> Built:
    return _entry_of(shop, n, "7")


@scenario(ReverseEntry)
def reversal_of_an_entry_of_n_accounts(shop: Shop, n: int) -> Built:
    return ReverseEntry(shop.ok(_entry_of(shop, n, "8")).id)


@scenario(BillReceipt)
def bill_of_n_lots(shop: Shop, n: int) -> Built:
    names = skus(shop, n, "BL")
    receipt = shop.ok(Receive("MAIN", tuple(ReceiptLine(name, 1, "0.50") for name in names)))
    return BillReceipt(receipt.id, "9.99")


# Groups and time -----------------------------------------------------------------------------------------------------


@scenario(CommandGroup)
def group_of_n_holds(shop: Shop, n: int) -> Built:
    return CommandGroup(tuple(Reserve(name, 1, "MAIN", Target("g")) for name in skus(shop, n, "GN", stock=1)))


@scenario(Sweep)
def sweep_of_n_levels(shop: Shop, n: int) -> Built:
    names = skus(shop, n, "WN", stock=1)
    marks = ", ".join(f":p{index}" for index in range(n))
    pairs = shop.rows(
        "SELECT v.product_id, v.location_id FROM level v JOIN product p ON p.org_id = v.org_id AND p.id = v.product_id "
        f"WHERE p.sku IN ({marks})",
        **{f"p{index}": name for index, name in enumerate(names)},
    )
    return Sweep(tuple((str(row["product_id"]), str(row["location_id"])) for row in pairs))
