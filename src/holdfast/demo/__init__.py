"""Arco Iris, a shop to look at: two stores with tills, a warehouse, two hundred products, a month behind it.

    shop = Holdfast.open("sqlite:///demo.db")
    made = make(shop)                                   # a second or two, and the same every time
    run_traffic(shop, made.actor, stop_event, 3.0)      # customers, until the event is set

Everything is made by the same commands that people and channels give, so the books are as true as anybody's. It
refuses nothing and is for looking only: the passwords are known to everybody.
"""

from __future__ import annotations

import random
import secrets
from typing import Any, NamedTuple

from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.core.organisation.places import AddLocation, AddStore
from holdfast.core.organisation.products import AddProduct
from holdfast.core.organisation.settings import ChangeSettings
from holdfast.core.organisation.users import ChangeUser
from holdfast.db.organisations import organisations
from holdfast.demo.goods import PRODUCTS
from holdfast.demo.tills import PINS, Tills
from holdfast.demo.traffic import Traffic, run_traffic
from holdfast.demo.week import Week
from holdfast.organisation import establish, new_key, new_user, password_hash

NAME = "Arco Iris"
OWNER = "ana@arcoiris.example"
LOGINS = {
    OWNER: "owner-of-the-rainbow",
    "bruno@arcoiris.example": "manager-of-colours",
    "carla@arcoiris.example": "cashier-downtown",
}
TIMEZONE = "Europe/Lisbon"
SEED = 2024

BINS = ("A-01", "A-02", "B-01", "B-02")


class Shop(NamedTuple):
    """The demo's organisation: its owner as an actor, who may sign in with which password, an API key, and PINs."""

    org_id: str
    actor: Actor
    logins: dict[str, str]
    api_key: str
    pins: dict[str, str]


def made_up() -> dict[str, str]:
    """Logins with passwords that nobody knows yet, for a demo that others than this machine can reach."""
    return {email: secrets.token_urlsafe(12) for email in LOGINS}


def _digits(count: int) -> str:
    """A PIN that nobody knows yet."""
    return f"{secrets.randbelow(10**count):0{count}}"


def make(shop: Holdfast, logins: dict[str, str] | None = None) -> Shop:
    """Found the shop and let a month happen; its people sign in with the well-known passwords, or with `logins`."""
    logins = logins or LOGINS
    made = establish(
        shop.database,
        NAME,
        OWNER,
        currency="EUR",
        password=logins[OWNER],
        timezone=TIMEZONE,
        store_code="DOWNTOWN",
        store_name="Arco Iris Downtown",
    )
    actor = Actor(made.org_id, f"user:{OWNER}", Role.OWNER)
    _furnish(shop, actor, made.store_id, logins)
    for fields in PRODUCTS:
        shop.submit(actor, AddProduct(**fields))
    Week(shop, actor, random.Random(SEED)).happen()
    pins = PINS if logins == LOGINS else {email: _digits(len(pin)) for email, pin in PINS.items()}
    Tills(shop, actor, random.Random(SEED), pins).happen()
    return Shop(made.org_id, actor, logins, made.api_key, pins)


def _furnish(shop: Holdfast, actor: Actor, downtown: str, logins: dict[str, str]) -> None:
    """The other store, the warehouse with its bins, and those who work there."""
    sites = {}
    for code, name in (("RIVERSIDE", "Arco Iris Riverside"), ("WAREHOUSE", "Warehouse")):
        sites[code] = shop.do(actor, AddStore(code, name, TIMEZONE)).answer.id
    places: list[dict[str, Any]] = [
        {"store_id": sites["RIVERSIDE"], "code": "RIVERSIDE", "kind": "store", "priority": 110},
        {"store_id": sites["WAREHOUSE"], "code": "WAREHOUSE", "kind": "warehouse", "priority": 10},
    ]
    for code in BINS:
        bin_place = {
            "store_id": sites["WAREHOUSE"],
            "code": code,
            "kind": "bin",
            "priority": 200,
            "ships_online": False,
        }
        places.append(bin_place)
    for fields in places:
        shop.do(actor, AddLocation(**fields))
    shop.do(actor, ChangeSettings(default_reorder_point=3))
    for email, role, assigned in (
        ("bruno@arcoiris.example", Role.MANAGER, ()),
        ("carla@arcoiris.example", Role.CASHIER, (downtown,)),
    ):
        shop.do(actor, new_user(email, role, assigned, password=logins[email]).command)


def remembered(shop: Holdfast, logins: dict[str, str] | None = None) -> Shop | None:
    """The shop that was made in this database before, with a new API key; None when there is none.

    With `logins` its people have these passwords from now on.
    """
    known = organisations(shop.database, NAME)
    if not known:
        return None
    actor = Actor(known[0].id, f"user:{OWNER}", Role.OWNER)
    key = new_key(actor.org_id, Role.OWNER, name="demo")
    shop.do(actor, key.command)
    for user in shop.reports.users(actor.org_id).items:
        password = (logins or {}).get(user["email"])
        if password is not None:
            shop.do(actor, ChangeUser(user["id"], password_hash=password_hash(password)))
    return Shop(actor.org_id, actor, logins or LOGINS, key.api_key, {} if logins else PINS)


__all__ = ["LOGINS", "NAME", "Shop", "Traffic", "make", "remembered", "run_traffic"]
