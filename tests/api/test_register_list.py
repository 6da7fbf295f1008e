"""The registers as a till's people see them: which there are in their stores, and who has a drawer open since when."""

from __future__ import annotations

import json

from tests.api.conftest import Shop
from tests.api.test_registers import east, opened, register, user

CASH = ("opening_float", "cash_sales", "expected_cash", "counted_cash", "paid_in")


def test_a_cashier_sees_the_registers_of_their_stores_and_who_has_them_open(any_shop: Shop) -> None:
    shop = any_shop
    store = east(shop)
    here, there = register(shop, "TILL-1"), register(shop, "TILL-2", "EAST")
    user(shop, "bo", "cashier", "4711")
    for number in range(3):  # of many sessions the last one counts
        opened(shop, here, f"{number}.00").close(f"{number}.00")
    opened(shop, here, pin="4711")
    cashier, of_east = shop.caller("cashier"), shop.caller("cashier", (store,))

    all_of_them = {one["id"]: one for one in cashier.get("/api/v1/registers").json()["items"]}
    theirs = of_east.get("/api/v1/registers").json()["items"]

    session = shop.owner.get(f"/api/v1/registers/{here}/sessions/4").json()
    assert all_of_them.keys() == {here, there}
    assert all_of_them[here]["opened_by"] == "user:bo@arco.example"
    assert all_of_them[here]["open_since"] == session["opened_at"]
    assert (all_of_them[there]["open_since"], all_of_them[there]["opened_by"]) == (None, None)
    assert [one["id"] for one in theirs] == [there]
    assert cashier.get(f"/api/v1/registers/{here}").json() == all_of_them[here]
    assert of_east.get(f"/api/v1/registers/{here}").code == "NOT_FOUND"
    assert of_east.get("/api/v1/registers?store_id=MAIN").code == "FORBIDDEN"
    assert not any(name in json.dumps(list(all_of_them.values())) for name in CASH)


def test_a_closed_drawer_is_open_for_nobody(any_shop: Shop) -> None:
    shop = any_shop
    here = register(shop)
    opened(shop, here).close("100.00")

    one = shop.caller("cashier").get(f"/api/v1/registers/{here}").json()
    assert (one["open_since"], one["opened_by"]) == (None, None)

    shop.owner.delete(f"/api/v1/registers/{here}")
    removed = shop.owner.get(f"/api/v1/registers/{here}").json()
    assert (removed["active"], removed["open_since"]) == (False, None)
    assert shop.caller("cashier").get("/api/v1/registers").json() == {"items": [], "next_cursor": None}


def test_the_sessions_and_their_cash_stay_with_managers(shop: Shop) -> None:
    here = register(shop)
    opened(shop, here)
    cashier = shop.caller("cashier")

    for path in (f"/api/v1/registers/{here}/sessions", f"/api/v1/registers/{here}/sessions/1"):
        assert cashier.get(path).code == "FORBIDDEN"
    assert cashier.patch(f"/api/v1/registers/{here}", {"name": "Mine"}).code == "FORBIDDEN"
