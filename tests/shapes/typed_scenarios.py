"""Scenarios of the commands that change records and carts (see `scenarios`)."""

from __future__ import annotations

from holdfast.core.cart import ChangeSale, EditLine
from holdfast.core.catalog import Add, Change, Remove
from holdfast.core.completion import Fulfill, ShipLine
from holdfast.core.order import ChangeAppointment
from tests.shapes.scenarios import Built, _appointment, cart, places, scenario, sku, skus
from tests.shop import Shop


@scenario(ChangeAppointment)
def completion_of_an_appointment_of_n_products(shop: Shop, n: int) -> Built:
    return ChangeAppointment(_appointment(shop, n, "PC"), {"status": "completed"})


@scenario(ChangeAppointment)
def cancellation_of_an_appointment_of_n_products(shop: Shop, n: int) -> Built:
    return ChangeAppointment(_appointment(shop, n, "PX"), {"status": "cancelled"})


@scenario(EditLine)
def line_edited_in_a_sale_of_n(shop: Shop, n: int) -> Built:
    sale = cart(shop, skus(shop, n, "LE", stock=2))
    return EditLine(sale.id, sale.lines[0].id, {"quantity": 2})


@scenario(EditLine, places=True)
def line_that_grows_over_n_places(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "LG")
    for place in places(shop, n, "P"):
        shop.receive(name, 1, place)
    sale = cart(shop, [name])
    return EditLine(sale.id, sale.lines[0].id, {"quantity": n})


@scenario(EditLine, places=True)
def line_that_shrinks_over_n_places(shop: Shop, n: int) -> Built:
    name = sku(shop, n, "LS")
    for place in places(shop, n, "P"):
        shop.receive(name, 1, place)
    sale = cart(shop, [name], n)
    return EditLine(sale.id, sale.lines[0].id, {"quantity": 1})


@scenario(EditLine)
def line_of_a_sale_of_n_that_went_out_in_part(shop: Shop, n: int) -> Built:
    sale = cart(shop, skus(shop, n, "LO", stock=3), 3)
    shop.ok(Fulfill(sale.id, tuple(ShipLine(line.id, 1) for line in sale.lines)))
    return EditLine(sale.id, sale.lines[0].id, {"quantity": 2})


@scenario(ChangeSale)
def customer_of_a_sale_of_n_lines(shop: Shop, n: int) -> Built:
    return ChangeSale(cart(shop, skus(shop, n, "LC", stock=1)).id, {"customer": "Ana"})


@scenario(Add)
def product_is_added(shop: Shop, n: int) -> Built:
    return Add("product", {"sku": f"NEW-{n}", "title": "New"})


@scenario(Change, places=True)
def reorder_points_of_n_products(shop: Shop, n: int) -> Built:
    names = skus(shop, n, "RO")
    place = places(shop, 1, "P")[0]
    location = shop.rows("SELECT id FROM location WHERE code = :code", code=place)[0]["id"]
    return Change("location", str(location), {"reorder_points": dict.fromkeys(names, 1)})


@scenario(Change, places=True)
def time_zone_of_a_store_with_n_dated_lots(shop: Shop, n: int) -> Built:
    from holdfast.core.receiving import ReceiptLine, Receive

    store = shop.store(f"TZ{n}")
    shop.stores[f"TZ{n}"] = store.id
    shop.location(f"TZ{n}-W", f"TZ{n}")
    lines = tuple(ReceiptLine(name, 1, "1.00", expires_on="2031-01-01") for name in skus(shop, n, "TZ"))
    shop.ok(Receive(f"TZ{n}-W", lines))
    return Change("store", store.id, {"timezone": "Asia/Tokyo"})


@scenario(Remove, places=True)
def store_with_n_locations_is_removed(shop: Shop, n: int) -> Built:
    store = shop.store(f"RM{n}")
    shop.stores[f"RM{n}"] = store.id
    for index in range(n):
        shop.location(f"RM{n}-{index}", f"RM{n}")
        shop.register(f"RM{n}-{index}", f"RM{n}")
    return Remove("store", store.id)
