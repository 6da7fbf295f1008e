"""Sales over HTTP where a shop's day goes off the straight road: what is refused by name, and what is let go on."""

from __future__ import annotations

from typing import Any

from holdfast.check import check
from tests.api.conftest import Shop
from tests.api.test_sales import RETURNS, SALES, _act, _journal, _level, _line, _ok, _open, _refused

RATES = "/api/v1/tax-rates"


def _back(shop: Shop, sale: dict[str, Any], quantity: int, method: str = "cash") -> Any:
    line = {"line_id": sale["lines"][0]["id"], "quantity": quantity}
    return _ok(shop.owner.post(RETURNS, {"sale_id": sale["id"], "lines": [line], "refund": {"method": method}}), 201)


def _clean(shop: Shop) -> bool:
    return check(shop.holdfast.database).ok


def test_cash_goes_back_in_coins(any_shop: Shop) -> None:
    shop = any_shop
    shop.owner.patch("/api/v1/settings", {"cash_rounding": "0.05"})
    shop.product("PEN-1", 5, price="3.34")
    sale = _open(shop.owner, _line(3, "PEN-1"))
    sold = _ok(_act(shop.owner, sale, "complete", {"payments": [{"method": "cash", "amount": "20.00"}]}))
    assert (sold["total"], sold["rounding"], sold["change"]) == ("10.02", "-0.02", "10.00")

    first, rest = _back(shop, sale, 1), _back(shop, sale, 2)

    assert (first["refund_total"], first["rounding"], first["refund"]["amount"]) == ("3.35", "0.01", "3.35")
    assert first["lines"][0]["refund"] == "3.34"
    assert (rest["refund_total"], rest["rounding"]) == ("6.65", "-0.01")
    assert _ok(shop.owner.get(f"{RETURNS}/{rest['id']}")) == rest
    assert "1000" not in _journal(shop), "all the cash is back"
    assert _clean(shop)


def test_tax_goes_back_without_a_receipt(any_shop: Shop) -> None:
    shop = any_shop
    shop.owner.post(RATES, {"tax_class": "standard", "rate": "0.15"})
    shop.product("PEN-1", 5, price="10.00", tax_class="standard")
    line = {"product_id": "PEN-1", "quantity": 2, "unit_price": "11.50"}
    body = {"store_id": "MAIN", "lines": [line], "refund": {"method": "cash"}}

    made = _ok(shop.owner.post(RETURNS, body), 201)

    assert made["refund_total"] == "23.00"
    journal = _journal(shop)
    assert (journal["1000"], journal["2100"], journal["4100"]) == ("-23.00", "3.00", "20.00")
    assert _clean(shop)


def test_fees_without_a_line_are_refused_at_once(any_shop: Shop) -> None:
    shop = any_shop
    body = {"store_id": "MAIN", "fees": [{"name": "delivery", "amount": "4.50"}]}

    refused = shop.owner.post(SALES, body)

    assert (refused.status, refused.code, refused.json()["field"]) == (400, "INVALID_REQUEST", "fees")
    assert shop.owner.get(SALES).json()["items"] == []


def test_what_is_not_sold_or_has_no_price(shop: Shop) -> None:
    shop.product("OLD-1", 5, price="3.00")
    shop.product("GIFT-1", 5)
    old = _open(shop.owner, _line(1, "OLD-1"))
    _ok(shop.owner.patch("/api/v1/products/OLD-1", {"active": False}))
    cart = _open(shop.owner)
    lines = f"{SALES}/{cart['id']}/lines"

    assert _refused(shop.owner.post(SALES, {"lines": [_line(1, "OLD-1")]})) == (409, "INVALID_STATE")
    assert _refused(shop.owner.post(lines, _line(1, "OLD-1"))) == (409, "INVALID_STATE")
    unpriced = shop.caller("staff").post(lines, _line(1, "GIFT-1"))
    assert (_refused(unpriced), unpriced.json()["unit_price"]) == ((422, "PRICE_MISMATCH"), None)
    given = _line(1, "GIFT-1", unit_price="0.00")
    assert _refused(shop.caller("staff").post(lines, given)) == (422, "PRICE_MISMATCH")
    assert _ok(shop.caller("manager").post(lines, given), 201)["total"] == "0.00"
    assert _ok(_act(shop.owner, old, "complete"))["total"] == "3.00", "it was in the cart already"


def test_names_that_do_not_fit_are_refused(shop: Shop) -> None:
    shop.product("MUG-1", 5, price="10.00")
    shop.product("TEE-1", 5, price="10.00")
    sale = _open(shop.owner, _line(1))
    body = {"product_id": "TEE-1", "quantity": 1, "sale_line_id": sale["lines"][0]["id"]}
    other = shop.owner.post("/api/v1/inventory-reservations", body)
    assert (_refused(other), other.json()["field"]) == ((400, "INVALID_REQUEST"), "sale_line_id")
    assert _level(shop, "TEE-1") == (5, 0, 0)
    fee = {"name": "Delivery", "amount": "3.00", "tax_class": "standrad"}
    untaxed = shop.owner.patch(f"{SALES}/{sale['id']}", {"fees": [fee]})
    assert (_refused(untaxed), untaxed.json()["field"]) == ((400, "INVALID_REQUEST"), "fees.0.tax_class")
    percents = shop.owner.post(RATES, {"tax_class": "standard", "rate": "8"})
    assert (_refused(percents), percents.json()["field"]) == ((400, "INVALID_REQUEST"), "rate")


def test_the_cashier_can_go_on(shop: Shop) -> None:
    shop.product("MUG-1", 5, price="10.00")
    shop.product("TEE-1", 5, price="20.00")
    sale = _open(shop.owner, _line(1), _line(1, "TEE-1"), discount={"amount": "15.00"})
    tee = f"{SALES}/{sale['id']}/lines/{sale['lines'][1]['id']}"

    left = _ok(shop.owner.delete(tee))

    assert (left["discount_total"], left["total"]) == ("10.00", "0.00")
    assert _refused(shop.owner.patch(f"{SALES}/{sale['id']}", {"discount": {"amount": "10.01"}})) == (
        400,
        "INVALID_AMOUNT",
    )
    assert _ok(_act(shop.owner, sale, "complete"))["total"] == "0.00"
    assert _clean(shop)


def test_what_was_shipped_stands_and_the_rest_is_withdrawn(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("SOFA-1", dropship=True, supplier="Acme", price="300.00")
    sale = _open(shop.owner, _line(3, "SOFA-1"))
    part = {"lines": [{"line_id": sale["lines"][0]["id"], "quantity": 2}]}
    _ok(_act(shop.owner, sale, "fulfillments", part))
    path = f"{SALES}/{sale['id']}"
    assert _ok(shop.owner.patch(path, {"customer": "Ana"}))["customer"] == "Ana"
    assert _refused(shop.owner.patch(path, {"discount": {"percent": 5}})) == (409, "INVALID_STATE")

    done = _ok(_act(shop.owner, sale, "cancel"))

    assert (done["status"], done["total"], done["customer"]) == ("completed", "600.00", "Ana")
    (order,) = _ok(shop.owner.get(f"/api/v1/supplier-orders?sale_id={sale['id']}"))["items"]
    assert (order["quantity"], order["status"]) == (2, "open")
    assert _ok(shop.owner.post(f"/api/v1/supplier-orders/{order['id']}/ship"))["quantity"] == 2
    assert _clean(shop)


def test_a_sale_whose_reservations_were_fulfilled_is_completed(shop: Shop) -> None:
    shop.product("MUG-1", 5, price="10.00")
    sale = _open(shop.owner, _line(2))
    line = sale["lines"][0]
    _ok(shop.owner.post(f"/api/v1/inventory-reservations/{line['reservations'][0]}/fulfill"))
    rest = {"lines": [{"line_id": line["id"], "quantity": 1}]}
    assert _refused(_act(shop.owner, sale, "fulfillments", rest)) == (409, "INVALID_STATE")

    sold = _ok(_act(shop.owner, sale, "complete", {"payments": [{"method": "cash", "amount": "20.00"}]}))

    assert (sold["status"], sold["total"], sold["lines"][0]["fulfilled"]) == ("completed", "20.00", 2)
    assert (_journal(shop)["1000"], _journal(shop)["4000"], _journal(shop)["5000"]) == ("20.00", "-20.00", "7.00")
    assert _clean(shop)


def test_a_cart_shows_what_it_would_take_today(any_shop: Shop) -> None:
    """A till that pays what it is shown is never refused, whatever became of the rates meanwhile."""
    shop = any_shop
    rate = _ok(shop.owner.post(RATES, {"tax_class": "standard", "rate": "0.10"}), 201)
    shop.product("PEN-1", 9, price="10.00", tax_class="standard")
    paid, shipped, waiting = (_open(shop.owner, _line(1, "PEN-1")) for _ in range(3))
    assert paid["total"] == "11.00"
    _ok(_act(shop.owner, waiting, "suspend"))

    _ok(shop.owner.patch(f"{RATES}/{rate['id']}", {"rate": "0.20"}))

    for sale in (paid, shipped, waiting):
        shown = _ok(shop.owner.get(f"{SALES}/{sale['id']}"))
        assert (shown["total"], shown["tax_total"], shown["lines"][0]["line_total"]) == ("12.00", "2.00", "12.00")
        assert shown["updated_at"] == sale["updated_at"] or sale is waiting
    assert {one["total"] for one in _ok(shop.owner.get(SALES))["items"]} == {"12.00"}
    assert _ok(_act(shop.owner, waiting, "resume"))["total"] == "12.00"
    done = _ok(_act(shop.owner, paid, "complete", {"payments": [{"method": "card", "amount": "12.00"}]}))
    assert (done["paid"], done["change"]) == ("12.00", "0.00")
    line = {"line_id": shipped["lines"][0]["id"], "quantity": 1}
    went = _ok(_act(shop.owner, shipped, "fulfillments", {"lines": [line]}))
    assert (went["status"], went["total"]) == ("completed", "12.00")
    journal = _journal(shop)
    assert (journal["1100"], journal["2100"], journal["4000"]) == ("24.00", "-4.00", "-20.00")
    _ok(shop.owner.patch(f"{RATES}/{rate['id']}", {"rate": "0.30"}))
    assert _ok(shop.owner.get(f"{SALES}/{paid['id']}"))["total"] == "12.00", "what was sold stands"
    assert _clean(shop)
