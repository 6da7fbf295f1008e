"""A shop with something to look at, and the people who sign in to its pages.

with open_shop(url) as shop:
    furnish(shop)       # MUG-1 and LAMP-1 at MAIN, MUG-1 at EAST; PASSWORD for everybody in PEOPLE
"""

from __future__ import annotations

from functools import cache

from holdfast.access import Role
from holdfast.core.organisation.users import AddUser
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.organisation import password_hash
from tests.shop import Shop

PASSWORD = "hitch and hold"
PEOPLE = {
    "owner@arcoiris.example": Role.OWNER,
    "manager@arcoiris.example": Role.MANAGER,
    "staff@arcoiris.example": Role.STAFF,
    "cashier@arcoiris.example": Role.CASHIER,
}
EAST_MANAGER = "east@arcoiris.example"


@cache
def _hash() -> str:
    return password_hash(PASSWORD)


def person(shop: Shop, email: str, role: Role, stores: tuple[str, ...] = ()) -> None:
    """Somebody who may sign in with PASSWORD."""
    fields = {"email": email, "password_hash": _hash(), "role": str(role), "stores": stores}
    shop.ok(AddUser(**fields))


def furnish(shop: Shop) -> None:
    """People, products and stock: 10 mugs at MAIN (3 promised, reorder at 4), 2 at EAST, 1 lamp at MAIN."""
    for email, role in PEOPLE.items():
        person(shop, email, role)
    person(shop, EAST_MANAGER, Role.MANAGER, (shop.stores["EAST"],))
    shop.product("MUG-1", title="Stoneware mug <slate>", reorder_point=4)
    shop.product("LAMP-1", title="Storm lantern")
    shop.receive("MUG-1", 10, cost="3.50")
    shop.receive("MUG-1", 2, "EAST", cost="3.50")
    shop.receive("LAMP-1", 1, cost="9.00")
    shop.ok(Reserve("MUG-1", 3, "MAIN", Target(order_number="102")))
