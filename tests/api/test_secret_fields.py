"""What is kept for an Idempotency-Key holds nothing that can be tried through, and no secret in clear."""

from __future__ import annotations

import hashlib
import re
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
import sqlalchemy as sa

from holdfast.access import Actor, Role
from holdfast.db import schema
from holdfast.web.api import ROUTES
from holdfast.web.http.idempotency import fingerprint
from holdfast.web.http.route import Route
from holdfast.web.http.secret_fields import secret_fields
from tests.api.conftest import Shop

CALLED_LIKE_A_SECRET = re.compile(r"passw|(^|_)pin($|_)|secret|token|totp_code|recovery|passphrase|api_key|hash")
ACTOR = Actor("org", "key:a", Role.OWNER)
WITH_SECRETS = [route for route in ROUTES if secret_fields(route.body)]


def fields_of(kind: Any, depth: int = 0) -> list[tuple[type, str, int]]:
    """The fields of a body and of what lies in it: (Struct, name, how deep)."""
    if depth > 6:
        return []
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind, include_extras=True)
        own = [(kind, name, depth) for name in hints]
        return own + [one for part in hints.values() for one in fields_of(part, depth + 1)]
    parts = get_args(kind) if get_origin(kind) is not None or get_args(kind) else ()
    return [one for part in parts for one in fields_of(part, depth)]


@pytest.mark.parametrize("route", [route for route in ROUTES if route.writes], ids=lambda route: route.name)
def test_what_is_called_like_a_secret_is_one(route: Route) -> None:
    """Made of the route table: a body's new field with a secret has a type of `secret_fields`, or this fails."""
    for body, name, depth in fields_of(route.body):
        if CALLED_LIKE_A_SECRET.search(name):
            assert depth == 0 and name in secret_fields(body), (route.path, name)


def test_there_are_routes_with_secrets() -> None:
    assert {(route.method, route.path) for route in WITH_SECRETS} >= {
        ("POST", "/api/v1/users"),
        ("PATCH", "/api/v1/users/{id}"),
        ("POST", "/api/v1/me/password"),
        ("POST", "/api/v1/me/pin"),
        ("POST", "/api/v1/registers/{id}/sessions"),
    }


@pytest.mark.parametrize("route", WITH_SECRETS, ids=lambda route: route.name)
def test_no_secret_is_in_a_fingerprint(route: Route) -> None:
    """Whatever it is, and however its name is spelt; but whether there is one, and every other field, counts."""
    names = secret_fields(route.body)

    def said(**fields: Any) -> str:
        return fingerprint(route.method, route.path, ACTOR, msgspec.json.encode(fields), secrets=names)

    for name in names:
        one = said(other=1, **{name: "471147"})
        assert one == said(**{name: "000000"}, other=1)
        escaped = b'{"other": 1, "\\u%04x%b": "9"}' % (ord(name[0]), name[1:].encode())
        assert one == fingerprint(route.method, route.path, ACTOR, escaped, secrets=names)
        assert len({one, said(other=2, **{name: "471147"}), said(other=1), said(other=1, **{name: None})}) == 4


def test_nothing_of_a_pin_or_password_is_found_in_what_is_kept(any_shop: Shop) -> None:
    """Who has the database and knows the rest of the request tries what it may be; the tester's script found it so."""
    shop = any_shop
    key = {"Idempotency-Key": "k"}
    made = {"email": "bo@arco.example", "password": "violet-harbour-77", "pin": "471147", "role": "manager"}
    assert shop.owner.post("/api/v1/users", made, headers={"Idempotency-Key": "user"}).status == 201
    path = f"/api/v1/registers/{_register(shop)}/sessions"
    opening = {"opening_float": "100.00", "pin": "471147"}
    assert shop.owner.post(path, opening, headers={"Idempotency-Key": "open"}).status == 201

    kept = _kept(shop)

    for body, where in ((made, "/api/v1/users"), (opening, path)):
        raw = msgspec.json.encode(body, order="sorted")
        guess = hashlib.sha256(b"POST %b\n%b" % (where.encode(), raw)).hexdigest()
        assert guess not in {row.fingerprint for row in kept}
    assert not [row for row in kept if "471147" in row.body or "violet" in row.body]
    again = shop.owner.post("/api/v1/users", {**made, "pin": "471100"}, headers={"Idempotency-Key": "user"})
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    other = {**made, "role": "staff"}
    assert shop.owner.post("/api/v1/users", other, headers={"Idempotency-Key": "user"}).status == 422
    assert shop.owner.post(path, opening, headers=key).code == "INVALID_STATE"


def test_no_secret_that_is_told_once_is_kept_in_an_answer(any_shop: Shop) -> None:
    """A new key, a rolled one, the token of a till: a replay has null in its place."""
    shop = any_shop
    new = shop.owner.post("/api/v1/api-keys", {"role": "cashier"}, headers={"Idempotency-Key": "1"}).json()
    roll = f"/api/v1/api-keys/{new['id']}/roll"
    rolled = shop.owner.post(roll, {}, headers={"Idempotency-Key": "2"}).json()
    path = f"/api/v1/registers/{_register(shop)}/sessions"
    opened = shop.owner.post(path, {"opening_float": "1.00"}, headers={"Idempotency-Key": "3"}).json()
    told = (new["api_key"], rolled["api_key"], opened["token"])

    kept = _kept(shop)

    assert len(kept) == 3 and all(told)
    digests = [hashlib.sha256(one.encode()).hexdigest() for one in told]
    for row in kept:
        assert not any(secret in row.body for secret in (*told, *digests))


def _register(shop: Shop) -> str:
    made = shop.owner.post("/api/v1/registers", {"store_id": "MAIN", "code": "TILL-1"})
    register_id: str = made.json()["id"]
    return register_id


def _kept(shop: Shop) -> list[Any]:
    with shop.holdfast.database.reading() as connection:
        return list(connection.execute(sa.select(schema.answered.c.fingerprint, schema.answered.c.body)).all())
