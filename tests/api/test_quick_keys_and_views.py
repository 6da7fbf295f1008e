"""What people set up for their pages: a register's quick keys, and the views that a person saved."""

from __future__ import annotations

from typing import Any

from holdfast.core.organisation.users import ChangeUser
from holdfast.core.organisation.views import VIEWS_MAX
from holdfast.web.identity.cookies import session_cookie
from tests.api.client import Client, Response
from tests.api.conftest import Shop
from tests.api.test_registers import register


def test_quick_keys_of_a_register(any_shop: Shop) -> None:
    shop = any_shop
    mug = shop.product("MUG-1")
    path = f"/api/v1/registers/{register(shop)}"
    assert shop.owner.get(path).json()["quick_keys"] == []

    changed = shop.owner.patch(path, {"quick_keys": [{"label": "Mug", "product_id": "MUG-1", "colour": "#aabbcc"}]})

    keys = [{"label": "Mug", "product_id": mug, "colour": "#aabbcc"}]
    assert (changed.status, changed.json()["quick_keys"]) == (200, keys)
    assert shop.caller("cashier").get("/api/v1/registers").json()["items"][0]["quick_keys"] == keys
    assert shop.owner.patch(path, {"name": "Door"}).json()["quick_keys"] == keys
    one: dict[str, Any] = {"label": "Mug", "product_id": "MUG-1"}
    for wrong, code in (
        ([{**one, "product_id": "NONE"}], "PRODUCT_NOT_FOUND"),
        ([{**one, "colour": "red"}], "INVALID_REQUEST"),
        ([{**one, "label": ""}], "INVALID_REQUEST"),
        ([one] * 25, "INVALID_REQUEST"),
    ):
        assert shop.owner.patch(path, {"quick_keys": wrong}).code == code, wrong
    assert shop.owner.patch(path, {"quick_keys": []}).json()["quick_keys"] == []
    assert shop.caller("staff").patch(path, {"quick_keys": []}).code == "FORBIDDEN"


class Person:
    """Somebody who is signed in with a browser."""

    def __init__(self, shop: Shop, email: str, password: str) -> None:
        token = shop.application.auth.login(email, password)
        assert token is not None
        self.client: Client = shop.anonymous
        self.headers = {
            "Cookie": session_cookie(token, secure=False).partition(";")[0],
            "Sec-Fetch-Site": "same-origin",
        }

    def ask(self, method: str, path: str, body: Any = None) -> Response:
        """A request."""
        return self.client.request(method, f"/api/v1{path}", body, headers=self.headers)


def test_views_are_one_s_own(any_shop: Shop) -> None:
    shop = any_shop
    made = {"email": "bo@arco.example", "password": "correct horse", "role": "manager", "stores": ["MAIN"]}
    bo_id = shop.owner.post("/api/v1/users", made).json()["id"]
    shop.holdfast.do(shop.made.actor, ChangeUser(bo_id, first_password=False))
    bo, ana = Person(shop, "bo@arco.example", "correct horse"), Person(shop, "ana@arcoiris.example", "correct horse")
    low = {"page": "/admin/inventory", "name": "Low", "query": "low_stock=true"}

    saved = bo.ask("POST", "/me/views", low)
    again = bo.ask("POST", "/me/views", low | {"query": "low_stock=5"})
    bo.ask("POST", "/me/views", low | {"name": "All", "query": ""})

    assert saved.status == 201, saved
    assert (saved.status, again.json()["id"]) == (201, saved.json()["id"])
    listed = bo.ask("GET", "/me/views").json()
    assert [(one["name"], one["query"]) for one in listed["items"]] == [("All", ""), ("Low", "low_stock=5")]
    assert ana.ask("GET", "/me/views").json()["items"] == []
    assert ana.ask("DELETE", f"/me/views/{saved.json()['id']}").code == "NOT_FOUND"
    assert bo.ask("DELETE", f"/me/views/{saved.json()['id']}").status == 204
    assert [one["name"] for one in bo.ask("GET", "/me/views").json()["items"]] == ["All"]
    for wrong in (low | {"page": "admin"}, low | {"query": "a b"}, low | {"query": "x" * 2001}, low | {"name": ""}):
        assert bo.ask("POST", "/me/views", wrong).code == "INVALID_REQUEST", wrong
    for number in range(VIEWS_MAX - 1):
        assert bo.ask("POST", "/me/views", low | {"name": f"View {number}"}).status == 201
    assert bo.ask("POST", "/me/views", low | {"name": "One more"}).code == "INVALID_STATE"
    assert bo.ask("POST", "/me/views", low | {"name": "View 7", "query": "x=1"}).status == 201
