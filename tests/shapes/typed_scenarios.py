"""Scenarios of the commands that change records and carts (see `scenarios`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from holdfast.access import Actor
from holdfast.core.organisation.changes import User
from holdfast.core.organisation.imports import StartImport, TakeBackImport
from holdfast.core.organisation.keys import AddKey, ChangeKey, RemoveKey, RollKey
from holdfast.core.organisation.pin import NewPin
from holdfast.core.organisation.places import (
    AddLocation,
    AddStore,
    ChangeLocation,
    ChangeStore,
    RemoveLocation,
    RemoveStore,
)
from holdfast.core.organisation.products import AddProduct, ChangeProduct, TakeBackProduct, seen_as
from holdfast.core.organisation.settings import (
    AddRegister,
    AddTaxRate,
    ChangeRegister,
    ChangeSettings,
    ChangeTaxRate,
    RemoveRegister,
    RemoveTaxRate,
)
from holdfast.core.organisation.sign_in import ChangeOwnPassword, ChangeOwnPin, NoteSecurity, RefreshPin
from holdfast.core.organisation.users import AddUser, ChangeUser, RemoveUser
from holdfast.core.organisation.views import VIEWS_MAX, RemoveView, SaveView
from holdfast.core.reservations.appointments import ChangeAppointment
from holdfast.core.sales.cart import ChangeSale, EditLine
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.correction import TakeBackOrder
from holdfast.core.sales.exchange import Exchanged, ExchangedSale
from holdfast.core.sales.gift_cards import CARDS_MAX, CARDS_OF_SALE_MAX
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import CorrectPayment, PaymentRequest, TakePayment
from holdfast.core.sales.returns import MoneyOff, ReturnedLine, ReturnSale
from holdfast.core.warehouse.adjustment import SetStock, TakeBackQuantity
from holdfast.core.warehouse.opening_stock import TakeBackReceipt
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.schema import import_job
from tests.shapes.scenarios import Built, _appointment, _sold, asked, cart, places, scenario, sku, skus, stores
from tests.shop import Shop


@scenario(ChangeAppointment)
def completion_of_an_appointment_of_n_products(shop: Shop, n: int) -> Built:
    return ChangeAppointment(_appointment(shop, n, "PC"), status="completed")


@scenario(ChangeAppointment)
def cancellation_of_an_appointment_of_n_products(shop: Shop, n: int) -> Built:
    return ChangeAppointment(_appointment(shop, n, "PX"), status="cancelled")


@scenario(EditLine)
def line_edited_in_a_sale_of_n(shop: Shop, n: int) -> Built:
    sale = cart(shop, skus(shop, n, "LE", stock=2))
    return EditLine(sale.id, sale.lines[0].id, quantity=2)


@scenario(EditLine, places=True)
def line_that_grows_over_n_places(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "LG")
    for place in places(shop, n, "P"):
        shop.receive(name, 1, place)
    sale = cart(shop, [name])
    return EditLine(sale.id, sale.lines[0].id, quantity=n)


@scenario(EditLine, places=True)
def line_that_shrinks_over_n_places(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "LS")
    for place in places(shop, n, "P"):
        shop.receive(name, 1, place)
    sale = cart(shop, [name], n)
    return EditLine(sale.id, sale.lines[0].id, quantity=1)


@scenario(EditLine)
def line_of_a_sale_of_n_that_went_out_in_part(shop: Shop, n: int) -> Built:
    sale = cart(shop, skus(shop, n, "LO", stock=3), 3)
    shop.ok(Fulfill(sale.id, tuple(ShipLine(line.id, 1) for line in sale.lines)))
    return EditLine(sale.id, sale.lines[0].id, quantity=2)


@scenario(ChangeSale)
def customer_of_a_sale_of_n_lines(shop: Shop, n: int) -> Built:
    return ChangeSale(cart(shop, skus(shop, n, "LC", stock=1)).id, customer="Ana")


@scenario(AddProduct)
def product_is_added(shop: Shop, n: int) -> Built:
    return AddProduct(sku=f"NEW-{n}", title="New")


@scenario(ChangeLocation, places=True)
def reorder_points_of_n_products(shop: Shop, n: int) -> Built:
    names = skus(shop, n, "RO")
    place = places(shop, 1, "P")[0]
    location = shop.rows("SELECT id FROM location WHERE code = :code", code=place)[0]["id"]
    return ChangeLocation(str(location), reorder_points=dict.fromkeys(names, 1))


@scenario(ChangeStore, places=True)
def time_zone_of_a_store_with_n_dated_lots(shop: Shop, n: int) -> Built:
    from holdfast.core.warehouse.receiving import ReceiptLine, Receive

    store = shop.store(f"TZ{n}")
    shop.stores[f"TZ{n}"] = store.id
    shop.location(f"TZ{n}-W", f"TZ{n}")
    lines = tuple(ReceiptLine(name, 1, "1.00", expires_on="2031-01-01") for name in skus(shop, n, "TZ"))
    shop.ok(Receive(f"TZ{n}-W", lines))
    return ChangeStore(store.id, timezone="Asia/Tokyo")


@scenario(RemoveStore, places=True)
def store_with_n_locations_is_removed(shop: Shop, n: int) -> Built:
    store = shop.store(f"RM{n}")
    shop.stores[f"RM{n}"] = store.id
    for index in range(n):
        shop.location(f"RM{n}-{index}", f"RM{n}")
        shop.register(f"RM{n}-{index}", f"RM{n}")
    return RemoveStore(store.id)


@scenario(ChangeProduct, places=True)
def precision_of_a_product_with_n_reorder_points(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "PP", reorder_point=5)
    for place in places(shop, n, "P"):
        shop.ok(ChangeLocation(place, reorder_points={name: 3}))
    return ChangeProduct(name, precision=2)


@scenario(AddLocation, places=True)
def location_with_n_reorder_points(shop: Shop, n: int) -> Built:
    return AddLocation(f"LP-{n}", "MAIN", reorder_points=dict.fromkeys(skus(shop, n, "LP"), 1))


@scenario(RemoveLocation, places=True)
def location_where_n_products_were(shop: Shop, n: int) -> Built:
    place = shop.location(f"RL-{n}").code
    for name in skus(shop, n, "RL", stock=1, place=place):
        shop.ok(SetStock(name, place, 0))
    return RemoveLocation(place)


@scenario(AddStore, places=True)
def store_among_n(shop: Shop, n: int) -> Built:
    stores(shop, n)
    return AddStore(f"AS-{n}")


def _first(n: int, make: Callable[[int], Any]) -> Any:
    """Make n of them; the first."""
    made = [make(index) for index in range(n)]
    return made[0]


def _user(n: int, index: int = 0) -> AddUser:
    return AddUser(email=f"u{n}-{index}@shop.example", role="owner", password_hash="$argon2id$x")


@scenario(AddUser, places=True)
def user_of_n_stores(shop: Shop, n: int) -> Built:
    stores(shop, n)
    return msgspec.structs.replace(_user(n), stores=tuple(f"ST{index:03d}" for index in range(n)))


def _pins_of_users(shop: Shop, n: int, first: int) -> tuple[User, NewPin]:
    """The first of n users whose PINs have one index, and a PIN that was compared with all of theirs."""

    def pin(index: int, others: tuple[str, ...]) -> NewPin:
        return NewPin(f"{first * 10**6 + n * 1000 + index:064x}:{index:032x}", first + n, "0" * 64, others)

    hashes: list[str] = []
    made = []
    for index in range(n):
        own = pin(index, tuple(hashes))
        made.append(shop.ok(msgspec.structs.replace(_user(n, first + index), pin=own)))
        hashes.append(own.hash)
    return made[0], pin(n, tuple(hashes))


def _as(shop: Shop, user: User) -> Actor:
    return msgspec.structs.replace(shop.owner, name=f"user:{user.email}", id=user.id)


@scenario(ChangeUser)
def pin_of_a_user_among_n(shop: Shop, n: int) -> Built:
    user, pin = _pins_of_users(shop, n, 1_000)
    return ChangeUser(user.id, pin=pin)


@scenario(ChangeOwnPin)
def own_pin_among_n(shop: Shop, n: int) -> Built:
    user, pin = _pins_of_users(shop, n, 2_000)
    return ChangeOwnPin(user.id, pin), _as(shop, user)


@scenario(SaveView)
def view_among_n(shop: Shop, n: int) -> Built:
    user = shop.ok(_user(n, 5_000))
    for index in range(min(n, VIEWS_MAX - 1)):
        shop.ok(SaveView(user.id, "/admin/sales", f"View {index}"), actor=_as(shop, user))
    return SaveView(user.id, "/admin/sales", "One more"), _as(shop, user)


@scenario(RemoveView)
def view_taken_from_n(shop: Shop, n: int) -> Built:
    user = shop.ok(_user(n, 6_000))
    for index in range(min(n, VIEWS_MAX)):
        last = shop.ok(SaveView(user.id, "/admin/sales", f"View {index}"), actor=_as(shop, user))
    return RemoveView(user.id, last.id), _as(shop, user)


@scenario(RefreshPin)
def pin_of_one_of_n_is_kept_anew(shop: Shop, n: int) -> Built:
    user, pin = _pins_of_users(shop, n, 3_000)
    return RefreshPin(user.id, str(user.pin_hash), pin)


@scenario(ChangeOwnPassword)
def own_password_among_n_users(shop: Shop, n: int) -> Built:
    user = _first(n, lambda index: shop.ok(_user(n, 4_000 + index)))
    return ChangeOwnPassword(user.id, "$argon2id$y"), _as(shop, user)


@scenario(NoteSecurity)
def line_of_the_audit_log_among_n(shop: Shop, n: int) -> Built:
    for index in range(n):
        shop.ok(NoteSecurity("sign_in", "app_user", f"u{index}"))
    return NoteSecurity("sign_in", "app_user", "u0", new_device=True)


@scenario(RemoveUser)
def owner_among_n_is_removed(shop: Shop, n: int) -> Built:
    return RemoveUser(_first(n, lambda index: shop.ok(_user(n, 100 + index))).id)


def _key(n: int, index: int = 0) -> AddKey:
    return AddKey(name="till", role="staff", key_hash=f"{n * 1000 + index:064x}")


@scenario(AddKey, places=True)
def key_of_n_stores(shop: Shop, n: int) -> Built:
    stores(shop, n)
    return msgspec.structs.replace(_key(n), stores=tuple(f"ST{index:03d}" for index in range(n)))


@scenario(ChangeKey)
def key_among_n_is_changed(shop: Shop, n: int) -> Built:
    return ChangeKey(_first(n, lambda index: shop.ok(_key(n, 1 + index))).id, name="other")


@scenario(RollKey)
def key_among_n_is_rolled(shop: Shop, n: int) -> Built:
    made = _first(n, lambda index: shop.ok(_key(n, 200 + index)))
    return RollKey(key_id=made.id, key_hash=f"{n * 1000 + 999:064x}")


@scenario(RemoveKey)
def key_among_n_is_revoked(shop: Shop, n: int) -> Built:
    return RemoveKey(_first(n, lambda index: shop.ok(_key(n, 100 + index))).id)


@scenario(ChangeSettings)
def settings_of_a_shop_of_n_products(shop: Shop, n: int) -> Built:
    skus(shop, n, "SE", stock=1)
    return ChangeSettings(default_reorder_point=n)


def _rates(shop: Shop, n: int, purpose: str) -> Any:
    return _first(n, lambda index: shop.ok(AddTaxRate(f"{purpose}-{n}-{index}", "0.15")))


@scenario(AddTaxRate)
def rate_beside_n(shop: Shop, n: int) -> Built:
    _rates(shop, n, "TA")
    return AddTaxRate(f"TA-{n}", "0.2")


@scenario(ChangeTaxRate)
def rate_among_n_is_changed(shop: Shop, n: int) -> Built:
    return ChangeTaxRate(_rates(shop, n, "TC").id, rate="0.25")


@scenario(RemoveTaxRate)
def rate_among_n_is_removed(shop: Shop, n: int) -> Built:
    return RemoveTaxRate(_rates(shop, n, "TR").id)


def _tills(shop: Shop, n: int, purpose: str) -> Any:
    return _first(n, lambda index: shop.register(f"{purpose}-{n}-{index}"))


@scenario(AddRegister)
def register_beside_n(shop: Shop, n: int) -> Built:
    _tills(shop, n, "GA")
    return AddRegister("MAIN", f"GA-{n}")


@scenario(ChangeRegister)
def register_among_n_is_changed(shop: Shop, n: int) -> Built:
    return ChangeRegister(_tills(shop, n, "GC").id, name="by the door")


@scenario(RemoveRegister)
def register_among_n_is_removed(shop: Shop, n: int) -> Built:
    return RemoveRegister(_tills(shop, n, "GR").id)


@scenario(TakePayment)
def deposit_on_a_sale_of_n_lines(shop: Shop, n: int) -> Built:
    return TakePayment(cart(shop, skus(shop, n, "TP", stock=1)).id, PaymentRequest("card", "0.50"))


@scenario(TakePayment)
def payment_of_a_sale_of_n_lines_that_is_owed(shop: Shop, n: int) -> Built:
    sale = shop.ok(CompleteSale(cart(shop, skus(shop, n, "TO", stock=1)).id))
    return TakePayment(sale.id, PaymentRequest("cash", sale.owed))


@scenario(CorrectPayment)
def correction_of_a_tender_of_a_sale_of_n_lines(shop: Shop, n: int) -> Built:
    sale = _sold(shop, skus(shop, n, "CTN", stock=1))
    return CorrectPayment(sale.id, sale.payments[0]["id"], "card")


@scenario(MoneyOff)
def money_off_a_sale_of_n_lines(shop: Shop, n: int) -> Built:
    return MoneyOff(_sold(shop, skus(shop, n, "MO", stock=1)).id, "0.50", "late", "cash")


@scenario(CompleteSale)
def exchange_of_n_lines_for_one(shop: Shop, n: int) -> Built:
    old, new = _sold(shop, skus(shop, n, "XO", stock=1)), skus(shop, 1, f"XN{n}", stock=1)
    lines = tuple(ReturnedLine(line.id, 1) for line in old.lines)
    return CompleteSale(cart(shop, new).id, (), Exchanged((ExchangedSale(old.id, lines),), "cash"))


def _cards(shop: Shop, n: int, purpose: str) -> Any:
    """A sale of n gift cards of 1.00, at most as many as one sale may have."""
    many = min(n, CARDS_OF_SALE_MAX)
    shop.product(f"{purpose}-{n}", price=100, kind="gift_card")
    lines = tuple(LineRequest(f"{purpose}-{n}", min(CARDS_MAX, many - start)) for start in range(0, many, CARDS_MAX))
    return shop.ok(OpenSale(shop.stores["MAIN"], lines=lines)), many


@scenario(CompleteSale)
def completion_of_a_sale_of_n_gift_cards(shop: Shop, n: int) -> Built:
    sale, many = _cards(shop, n, "GC")
    return CompleteSale(sale.id, (PaymentRequest("cash", f"{many}.00"),))


@scenario(ReturnSale)
def return_of_n_gift_cards(shop: Shop, n: int) -> Built:
    sale, many = _cards(shop, n, "GR")
    sale = shop.ok(CompleteSale(sale.id, (PaymentRequest("cash", f"{many}.00"),)))
    return ReturnSale(sale.id, tuple(ReturnedLine(line.id, line.quantity) for line in sale.lines), "cash")


# Imports, and what is taken back of them -----------------------------------------------------------------------------


def _imports(shop: Shop, n: int) -> tuple[Actor, str]:
    """Who has imported n files, which are done, and the id of the last one."""
    actor = msgspec.structs.replace(shop.owner, id="00000000-0000-7000-8000-000000000001")
    name = ""
    for _ in range(n + 1):
        name = shop.ok(StartImport("products", "0" * 64, 1), actor=actor).id
        with shop.holdfast.database.writing() as connection:
            connection.execute(import_job.update().where(import_job.c.org_id == shop.org_id).values(state="done"))
    return actor, name


@scenario(StartImport)
def import_after_n_imports(shop: Shop, n: int) -> Built:
    return StartImport("stock", "0" * 64, n), _imports(shop, n)[0]


@scenario(TakeBackImport)
def taking_back_the_last_of_n_imports(shop: Shop, n: int) -> Built:
    actor, name = _imports(shop, n)
    return TakeBackImport(name), actor


@scenario(TakeBackReceipt)
def opening_stock_of_n_lines_is_taken_back(shop: Shop, n: int) -> Built:
    lines = tuple(ReceiptLine(name, 1, "0.50") for name in skus(shop, n, "TBR"))
    return TakeBackReceipt(shop.ok(Receive("MAIN", lines, kind="opening")).id)


@scenario(TakeBackQuantity)
def set_over_n_lots_is_taken_back(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "TBQ")
    for _ in range(n):
        shop.receive(name, 1)
    shop.ok(SetStock(name, "MAIN", 2 * n))
    return TakeBackQuantity(name, "MAIN", 0, 2 * n)


@scenario(TakeBackOrder)
def order_of_n_lines_is_taken_back(shop: Shop, n: int) -> Built:
    lines = asked(skus(shop, n, "TBO", stock=1))
    sale = shop.ok(OpenSale(source="shop", order_number=f"tbo{n}", lines=lines, fact=True))
    return TakeBackOrder(sale.id)


@scenario(TakeBackProduct)
def product_at_n_places_is_taken_back(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "TBP")
    for place in places(shop, n, "TB"):
        made = shop.ok(Receive(place, (ReceiptLine(name, 1, "0.50"),), kind="opening"))
        shop.ok(TakeBackReceipt(made.id))
    [product] = shop.rows("SELECT id FROM product WHERE sku = :sku", sku=name)
    seen = seen_as(shop.ok(ChangeProduct(product["id"], title="Taken back")))
    return TakeBackProduct(product_id=product["id"], seen=seen, unused=True, active=False)
