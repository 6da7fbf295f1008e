"""Nobody gives more than they have, or changes somebody who may do more: the core says so under its lock.

The test at the door is only the first one: between it and the change a password is hashed, and the user may have become
somebody else. At the Python door there is none.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from holdfast.access import Actor, Permission, Role
from holdfast.core.decide import DECISIONS
from holdfast.core.organisation.bookkeeping import EntryLine, PostEntry, ReverseEntry
from holdfast.core.organisation.keys import AddKey, ChangeKey, RemoveKey, RollKey
from holdfast.core.organisation.periods import AddAccount, ClosePeriod, RenameAccount
from holdfast.core.organisation.places import AddLocation, AddStore, ChangeLocation, ChangeStore
from holdfast.core.organisation.settings import AddTaxRate, ChangeSettings, ChangeTaxRate, RemoveTaxRate
from holdfast.core.organisation.users import AddUser, ChangeUser, RemoveUser
from holdfast.core.records.command import Command
from holdfast.core.records.rejection import Code
from holdfast.web.api import ROUTES
from tests.shop import Shop

HASH = "$argon2id$v=19$another"


def user(shop: Shop, name: str, role: str, stores: tuple[str, ...] = ()) -> str:
    made = shop.ok(AddUser(email=f"{name}@shop.example", password_hash=HASH, role=role, stores=stores))  # type: ignore[arg-type]
    user_id: str = made.id
    return user_id


def actor(shop: Shop, role: Role, store: str | None = None, permissions: frozenset[Permission] | None = None) -> Actor:
    stores = () if store is None else (shop.stores[store],)
    return Actor(shop.org_id, f"key:{role}", role, stores, permissions=permissions)


def changes(user_id: str) -> list[Command]:
    return [
        ChangeUser(user_id, password_hash=HASH),
        ChangeUser(user_id, email="eve@shop.example"),
        ChangeUser(user_id, role="cashier"),
        ChangeUser(user_id, pin=None),
        RemoveUser(user_id),
    ]


def test_a_caller_with_bounds_gives_nothing_and_rolls_itself_alone(shop_anywhere: Shop) -> None:
    """A key that ends, or has addresses: whatever it gave would be without them."""
    shop = shop_anywhere
    own, other = (
        shop.ok(AddKey(name=name, key_hash=str(number) * 64, role="cashier", expires_at=2**52))
        for number, name in enumerate(("own", "other"))
    )
    bounded = msgspec.structs.replace(actor(shop, Role.OWNER), id=own.id, bounded=True)
    roll = {"key_hash": "a" * 64, "overlap_hours": 0}

    for command in (
        AddKey(name="child", key_hash="b" * 64, role="cashier"),
        ChangeKey(own.id, expires_at=None),
        RollKey(key_id=other.id, **roll),
        RemoveKey(other.id),
        AddUser(email="eve@shop.example", password_hash=HASH, role="cashier"),
        *changes(user(shop, "bo", "cashier")),
    ):
        assert shop.refused(command, actor=bounded).code is Code.FORBIDDEN, command
    assert shop.ok(RollKey(key_id=own.id, **roll), actor=bounded).expires_at == own.expires_at


def test_who_may_do_more_is_changed_and_removed_by_nobody_lesser(shop_anywhere: Shop) -> None:
    shop = shop_anywhere
    ana, bo = user(shop, "ana", "owner"), user(shop, "bo", "staff")
    east = user(shop, "di", "admin", (shop.stores["EAST"],))
    admin, main_owner = actor(shop, Role.ADMIN), actor(shop, Role.OWNER, "MAIN")
    narrowed = actor(shop, Role.OWNER, permissions=frozenset({Permission.CONFIGURE}))

    for who, whom in ((admin, ana), (main_owner, ana), (main_owner, bo), (main_owner, east), (narrowed, bo)):
        for command in changes(whom):
            assert shop.refused(command, actor=who).code is Code.FORBIDDEN, (who, command)
    assert shop.refused(ChangeUser(bo, role="owner"), actor=admin).code is Code.FORBIDDEN
    assert shop.refused(ChangeUser(east, stores=()), actor=actor(shop, Role.OWNER, "EAST")).code is Code.FORBIDDEN
    assert shop.rows("SELECT count(*) AS n FROM app_user WHERE password_hash = :x", x=HASH) == [{"n": 3}]
    for command in changes(bo):
        shop.ok(command, actor=admin)


@pytest.mark.parametrize(
    ("who", "fields"),
    [
        ({"role": Role.ADMIN}, {"role": "owner"}),
        ({"role": Role.ADMIN, "store": "MAIN"}, {"role": "cashier"}),
        ({"role": Role.ADMIN, "store": "MAIN"}, {"role": "cashier", "stores": ("EAST",)}),
        ({"role": Role.OWNER, "permissions": frozenset({Permission.CONFIGURE})}, {"role": "cashier"}),
    ],
)
def test_nobody_makes_a_user_who_may_do_more(shop: Shop, who: dict[str, Any], fields: dict[str, Any]) -> None:
    made = AddUser(email="bo@shop.example", password_hash=HASH, **fields)

    assert shop.refused(made, actor=actor(shop, **who)).code is Code.FORBIDDEN
    assert shop.rows("SELECT id FROM app_user WHERE email = 'bo@shop.example'") == []


def test_an_admin_frees_no_owner_of_the_second_factor(shop: Shop) -> None:
    admin = actor(shop, Role.ADMIN)
    shop.ok(ChangeSettings(totp_roles=("admin", "owner")))

    assert shop.refused(ChangeSettings(totp_roles=("admin",)), actor=admin).code is Code.FORBIDDEN
    assert shop.ok(ChangeSettings(totp_roles=("manager", "owner")), actor=admin).totp_roles == "manager owner"
    assert shop.ok(ChangeSettings(totp_roles=())).totp_roles is None


def test_what_all_stores_share_is_not_for_who_is_limited_to_some(shop: Shop) -> None:
    east = actor(shop, Role.OWNER, "EAST")
    rate = shop.ok(AddTaxRate("food", "0.15"))
    shared = [
        ChangeSettings(name="Mine"),
        AddStore(code="WEST"),
        AddAccount("6000", "Rent"),
        RenameAccount("1000", "Mine"),
        ClosePeriod("2026-01-31"),
        PostEntry("Rent", (EntryLine("6000", "1.00"), EntryLine("2010", credit="1.00"))),
        ReverseEntry(rate.id),
        AddTaxRate("books", "0.05"),
        ChangeTaxRate(rate_id=rate.id, rate="0.5"),
        ChangeTaxRate(rate_id=rate.id, store_id="EAST"),
        RemoveTaxRate(rate.id),
    ]

    for command in shared:
        assert shop.refused(command, actor=east).code is Code.FORBIDDEN, command
    shop.ok(AddTaxRate("food", "0.2", "EAST"), actor=east)
    named = {type(command) for command in shared}
    assert {command for command, decision in DECISIONS.items() if decision.of_all_stores} <= named
    assert sum(route.of_all_stores for route in ROUTES) == sum(one.of_all_stores for one in DECISIONS.values())


def test_a_record_of_another_store_is_not_taken_over(shop: Shop) -> None:
    """What is changed has to be the caller's as it was, not only as it becomes."""
    east = actor(shop, Role.OWNER, "EAST")
    place = shop.ok(AddLocation(code="SHELF", store_id="MAIN"))
    rate = shop.ok(AddTaxRate("food", "0.15", "MAIN"))

    for command in (
        ChangeLocation(place.id, store_id="EAST"),
        ChangeTaxRate(rate_id=rate.id, store_id="EAST"),
        ChangeStore("MAIN", name="Mine"),
    ):
        assert shop.refused(command, actor=east).code is Code.FORBIDDEN, command
    shop.ok(ChangeStore("EAST", name="Mine"), actor=east)
