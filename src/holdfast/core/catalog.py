"""The organisation's own records: settings, products, stores, locations, users, keys (SPEC sections 9 and 10).

    Add("product", {"sku": "MUG-1", "title": "Mug"})     -> a product
    Change("product", id, {"precision": 2})              -> refused once there is something of the product

`Add`, `Change` and `Remove` are commands like any other, so they are idempotent and atomic with the rest. Fields are
already typed and in inner units; what is decided here is what needs the other records: uniqueness, references, state.
Nothing is deleted: a removed record is no longer active.
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.core.expiry import follow_clock
from holdfast.core.gtin import same_number, spellings
from holdfast.core.journal import Posting
from holdfast.core.product import Location, Product, Register, Settings, Store, TaxRate
from holdfast.core.register import sessions_of
from holdfast.core.rejection import Code, Rejected, invalid_state, not_found
from holdfast.core.sale import SaleLine
from holdfast.core.standing import in_use
from holdfast.core.stock import Stock
from holdfast.core.totals import RATE_WHOLE
from holdfast.core.wants import (
    AnyJournalEntry,
    AnyProduct,
    LastSession,
    Owners,
    PlacesOfKind,
    ProductInLedger,
    ProductsOfGtin,
    ProductSoldUncounted,
    RecordById,
    RecordsNamed,
    RegistersOf,
    UsersOfPin,
)

replace = msgspec.structs.replace

QUARANTINE_SUFFIX = "-QUARANTINE"
"""The quarantine location that every store is made with is called like the store, with this behind."""


class User(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A person who signs in. Empty `stores` means all."""

    id: str
    email: str
    password_hash: str
    role: str
    stores: tuple[str, ...] = ()
    pin_hash: str | None = None
    active: bool = True
    created_at: int = 0
    updated_at: int = 0


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A program's key; only its hash is kept. Empty `stores` means all."""

    id: str
    name: str
    key_hash: str
    role: str
    stores: tuple[str, ...] = ()
    active: bool = True
    created_at: int = 0
    updated_at: int = 0


class Audit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line of the audit log: who changed which record how. What concerns stock is in the ledger instead."""

    id: str
    actor: str
    action: str
    kind: str
    record_id: str
    changes: dict[str, Any]
    created_at: int


SECRET = {"password_hash", "pin_hash", "key_hash"}
"""Fields whose values the audit log does not repeat."""


Record = Settings | Product | Store | Location | User | ApiKey | TaxRate | Register

KINDS: dict[str, type[Any]] = {
    "organisation": Settings,
    "product": Product,
    "store": Store,
    "location": Location,
    "app_user": User,
    "api_key": ApiKey,
    "tax_rate": TaxRate,
    "register": Register,
}
NAMES = {
    "product": "sku",
    "store": "code",
    "location": "code",
    "app_user": "email",
    "api_key": None,
    "tax_rate": None,
    "register": "code",
}
"""The field by which an active record of the kind is unique in its organisation."""

LABELS = {
    "organisation": "Organisation",
    "product": "Product",
    "store": "Store",
    "location": "Location",
    "app_user": "User",
    "api_key": "API key",
    "tax_rate": "Tax rate",
    "register": "Register",
}
MISSING_CODE = {
    "product": Code.PRODUCT_NOT_FOUND,
    "store": Code.STORE_NOT_FOUND,
    "location": Code.LOCATION_NOT_FOUND,
}


class Add(msgspec.Struct, frozen=True, gc=False):
    """A new record of a kind, with its fields in inner units."""

    kind: str
    fields: dict[str, Any]


class Change(msgspec.Struct, frozen=True, gc=False):
    """Change fields of a record; `reorder_points` of a location are merged (None removes one)."""

    kind: str
    record_id: str
    fields: dict[str, Any]


class Remove(msgspec.Struct, frozen=True, gc=False):
    """Make a record inactive."""

    kind: str
    record_id: str


def add(stock: Stock, command: Add) -> Record | Rejected:
    """Decide an Add; the record."""
    kind, fields = command.kind, dict(command.fields)
    refused = (
        _reference_refusal(stock, kind, fields)
        or _name_refusal(stock, kind, fields, None)
        or _only_one_refusal(stock, kind, fields, None)
    )
    if refused is not None:
        return refused
    points = _points(stock, kind, fields, {})
    if isinstance(points, Rejected):
        return points
    new_id = stock.new_id()
    stock.born.add(new_id)
    record: Record = KINDS[kind](id=new_id, **{**fields, **points}, created_at=stock.now, updated_at=stock.now)
    put(stock, kind, record)
    if isinstance(record, Store):
        corner = Location(
            id=stock.new_id(),
            store_id=record.id,
            code=(record.code[: 64 - len(QUARANTINE_SUFFIX)] + QUARANTINE_SUFFIX),
            kind="quarantine",
            ships_online=False,
            created_at=stock.now,
            updated_at=stock.now,
        )
        clash = _name_refusal(stock, "location", {"code": corner.code}, None)
        if clash is not None:
            return clash
        put(stock, "location", corner)
    return record


def change(stock: Stock, command: Change) -> Record | Rejected:
    """Decide a Change; the record as it stands after it."""
    kind, fields = command.kind, dict(command.fields)
    record = _existing(stock, kind, command.record_id)
    if isinstance(record, Rejected):
        return record
    refused = (
        _reference_refusal(stock, kind, fields)
        or _name_refusal(stock, kind, fields, record.id)
        or _only_one_refusal(stock, kind, fields, record)
    )
    if refused is not None:
        return refused
    if isinstance(record, Settings):
        kept = _currency_refusal(stock, record, replace(record, **fields))
        if kept is not None:
            return kept
    if isinstance(record, User):
        left = _owner_refusal(stock, record, replace(record, **fields))
        if left is not None:
            return left
    if isinstance(record, Product):
        fixed = _fixed_refusal(stock, record, fields)
        if fixed is not None:
            return fixed
    if isinstance(record, Location):
        fixed = _location_refusal(stock, record, fields)
        if fixed is not None:
            return fixed
    points = _points(stock, kind, fields, record.reorder_points if isinstance(record, Location) else {})
    if isinstance(points, Rejected):
        return points
    changed: Record = replace(record, **{**fields, **points}, updated_at=stock.now)
    put(stock, kind, changed)
    if isinstance(changed, Store) and changed.timezone != record.timezone:
        follow_clock(stock, changed)
    return changed


def remove(stock: Stock, command: Remove) -> Record | Rejected:
    """Decide a Remove: a place with stock, an open till, what the organisation cannot do without, stays."""
    record = _existing(stock, command.kind, command.record_id)
    if isinstance(record, Rejected):
        return record
    assert not isinstance(record, Settings)
    if isinstance(record, Location):
        refused = _location_refusal(stock, record, {"active": False})
        if refused is not None:
            return refused
        put(stock, "location", replace(record, active=False, updated_at=stock.now))
    elif isinstance(record, User):
        left = _owner_refusal(stock, record, replace(record, active=False))
        if left is not None:
            return left
    elif isinstance(record, Store):
        here = [place for place in stock.catalog.locations.values() if place.store_id == record.id and place.active]
        here.sort(key=lambda place: place.code)
        used = stock.each(here, lambda _, place: _needed_refusal(place) or in_use(stock, place))
        for place, in_the_way in zip(here, used, strict=True):
            if in_the_way is not None:
                return in_the_way
            put(stock, "location", replace(stock.record("location", place.id), active=False, updated_at=stock.now))
        refused = _close_tills(stock, record)
        if refused is not None:
            return refused
    elif isinstance(record, Register):
        refused = _till_refusal(stock, record)
        if refused is not None:
            return refused
    removed: Record = replace(record, active=False, updated_at=stock.now)
    put(stock, command.kind, removed)
    return removed


def _existing(stock: Stock, kind: str, record_id: str) -> Any:
    record = stock.record(kind, record_id)
    if record is None or not (kind == "organisation" or kind == "product" or record.active):
        return not_found(MISSING_CODE.get(kind, Code.NOT_FOUND), LABELS[kind], record_id)
    return record


def put(stock: Stock, kind: str, record: Any) -> None:
    """Set the record and write down who changed what of it."""
    old = stock.records.get((kind, record.id))
    before = {} if old is None else msgspec.to_builtins(old)
    changes = {
        name: "(secret)" if name in SECRET else value
        for name, value in msgspec.to_builtins(record).items()
        if before.get(name) != value and name not in ("id", "created_at", "updated_at")
    }
    stock.put_record(kind, record.id, record)
    if kind in ("organisation", "product", "store", "location", "tax_rate"):
        stock.put_in_catalog(record)
    action = "add" if old is None else ("remove" if changes.get("active") is False else "change")
    audit_id = stock.new_id()
    stock.put_record(
        "audit",
        audit_id,
        Audit(
            id=audit_id,
            actor=stock.caller.actor,
            action=action,
            kind=kind,
            record_id=record.id,
            changes=changes,
            created_at=stock.now,
        ),
    )


def _currency_refusal(stock: Stock, settings: Settings, changed: Settings) -> Rejected | None:
    """Refuse another currency once books are kept in this one, and other places of money once there are products."""
    if changed.currency == settings.currency:
        return None
    booked = bool(stock.rows_of(Posting)) or bool(stock.require(AnyJournalEntry()))
    if booked:
        return invalid_state(f"The books are kept in {settings.currency} already.", field="currency")
    if changed.minor_digits != settings.minor_digits and (stock.require(AnyProduct()) or _written(stock, "product")):
        places = f"prices and costs are kept with the places of {settings.currency}."
        return invalid_state(f"There are products already: {places}", field="currency")
    return None


def _name_refusal(stock: Stock, kind: str, fields: dict[str, Any], own_id: str | None) -> Rejected | None:
    """Refuse a SKU, code or email that another active record has."""
    name = NAMES.get(kind)
    if name is None or name not in fields:
        return None
    value = fields[name]
    others = stock.unread(stock.require(RecordsNamed(kind, value)), kind)
    others.update(record.id for record in stock.records_of(kind) if getattr(record, name) == value and record.active)
    if others - {own_id}:
        return Rejected(Code.ALREADY_EXISTS, f"{LABELS[kind]} {value!r} exists already.", {"field": name})
    return None


def _only_one_refusal(stock: Stock, kind: str, fields: dict[str, Any], record: Any) -> Rejected | None:
    """Refuse a GTIN that another active product has, and a second transit location; `record` is as it was."""
    if kind == "product":
        gtin = fields.get("gtin", getattr(record, "gtin", None))
        active = fields.get("active", getattr(record, "active", True))
        same = record is not None and (record.gtin, record.active) == (gtin, active)
        return None if gtin is None or not active or same else _gtin_refusal(stock, gtin, getattr(record, "id", ""))
    if kind == "tax_rate":
        return _rate_refusal(stock, fields, record)
    if kind == "app_user" and fields.get("pin_hash"):
        return _pin_refusal(stock, fields["pin_hash"], getattr(record, "id", ""))
    if kind == "location" and fields.get("kind") == "transit" and getattr(record, "kind", None) != "transit":
        return _transit_refusal(stock)
    return None


def _rate_refusal(stock: Stock, fields: dict[str, Any], record: TaxRate | None) -> Rejected | None:
    """A class has one rate in a store, and one in the organisation; above 100 percent it is percents by mistake."""
    if not 0 <= fields.get("rate", 0) <= RATE_WHOLE:
        return Rejected(Code.INVALID_REQUEST, "A tax rate is 0 to 100 percent.", {"field": "rate"})
    _lock_organisation(stock)
    tax_class = fields.get("tax_class", getattr(record, "tax_class", None))
    store_id = fields.get("store_id", getattr(record, "store_id", None))
    for rate in stock.catalog.tax_rates.values():
        if rate.active and rate is not record and (rate.tax_class, rate.store_id) == (tax_class, store_id):
            if record is None or rate.id != record.id:
                return Rejected(
                    Code.ALREADY_EXISTS, f"There is a rate of the class {tax_class!r} already.", {"field": "tax_class"}
                )
    return None


def _transit_refusal(stock: Stock) -> Rejected | None:
    _lock_organisation(stock)
    there = stock.unread(stock.require(PlacesOfKind("transit")), "location")
    there.update(place.id for place in _written(stock, "location") if place.kind == "transit" and place.active)
    if not there:
        return None
    return Rejected(Code.ALREADY_EXISTS, "The organisation has its transit location already.", {"field": "kind"})


def _pin_refusal(stock: Stock, pin_hash: str, own_id: str) -> Rejected | None:
    """A PIN names one user: at a till nothing else does."""
    _lock_organisation(stock)
    others = stock.unread(stock.require(UsersOfPin(pin_hash)), "app_user")
    others.update(user.id for user in _written(stock, "app_user") if user.active and user.pin_hash == pin_hash)
    if not others - {own_id}:
        return None
    return Rejected(Code.ALREADY_EXISTS, "Another user has that PIN.", {"field": "pin"})


def _gtin_refusal(stock: Stock, gtin: str, own_id: str) -> Rejected | None:
    _lock_organisation(stock)
    others = stock.unread(stock.require(ProductsOfGtin(tuple(sorted(spellings(gtin))))), "product")
    others.update(
        product.id
        for product in _written(stock, "product")
        if product.active and product.gtin is not None and same_number(product.gtin, gtin)
    )
    others.discard(own_id)
    if not others:
        return None
    other = stock.catalog.product(min(others))
    assert other is not None
    return Rejected(Code.ALREADY_EXISTS, f"Product {other.sku!r} has the GTIN {gtin} already.", {"field": "gtin"})


def _owner_refusal(stock: Stock, user: User, changed: User) -> Rejected | None:
    """Refuse to take away the last owner of the whole organisation: nobody could give the role again."""
    if not _owns_all(user) or _owns_all(changed):
        return None
    _lock_organisation(stock)
    others = stock.unread(stock.require(Owners()), "app_user", "api_key")
    others.update(one.id for kind in ("app_user", "api_key") for one in _written(stock, kind) if _owns_all(one))
    if others - {user.id}:
        return None
    return invalid_state("The organisation would be left without an owner: make another user or key an owner first.")


def _owns_all(one: User | ApiKey) -> bool:
    return one.active and one.role == "owner" and not one.stores


def _written(stock: Stock, kind: str) -> list[Any]:
    """The records of the kind that this batch has read or written, as they stand now."""
    return stock.records_of(kind)


def _lock_organisation(stock: Stock) -> None:
    """Let no other batch change the organisation's records between a look at all of them and the write."""
    stock.record("organisation", stock.org_id)


def _reference_refusal(stock: Stock, kind: str, fields: dict[str, Any]) -> Rejected | None:
    """Refuse a store that does not exist."""
    own = fields.get("store_id")
    names = list(fields.get("stores", ())) if own is None else [own]
    for name in names:
        store = stock.catalog.stores.get(name)
        if store is None or not store.active:
            return not_found(Code.STORE_NOT_FOUND, "Store", name)
    return None


def _fixed_refusal(stock: Stock, product: Product, fields: dict[str, Any]) -> Rejected | None:
    """Refuse another precision or kind once the product has a ledger entry, or is in a sale without one."""
    for name in ("precision", "kind"):
        if name in fields and fields[name] != getattr(product, name):
            if _has_entries(stock, product):
                return invalid_state(f"The {name} of {product.sku} is fixed: it has ledger entries.", field=name)
            if _is_sold(stock, product):
                return invalid_state(f"The {name} of {product.sku} is fixed: it is in a sale.", field=name)
    return None


def _is_sold(stock: Stock, product: Product) -> bool:
    """Is the product, which needs no stock, in a sale? Units of a line are in its precision."""
    here = any(line.product_id == product.id for line in stock.rows_of(SaleLine))
    return here or bool(product.id not in stock.born and stock.require(ProductSoldUncounted(product.id)))


def _has_entries(stock: Stock, product: Product) -> bool:
    """Has the product a ledger entry, of this batch or before it?"""
    here = any(level.product_id == product.id and level.seq for level in stock.levels.values())
    return here or bool(product.id not in stock.born and stock.require(ProductInLedger(product.id)))


def _needed_refusal(place: Location) -> Rejected | None:
    """Refuse to remove the store of the transit location: the organisation needs it."""
    return invalid_state(f"{place.code} of the store is needed.") if place.kind == "transit" else None


def _close_tills(stock: Stock, store: Store) -> Rejected | None:
    """The registers of a removed store go with it, unless one has an open session."""
    written = [till.id for till in _written(stock, "register") if till.store_id == store.id]
    keys = sorted({*stock.require(RegistersOf(store.id)), *written})
    stock.require(*(RecordById("register", key) for key in keys if ("register", key) not in stock.records))
    stock.require(*(LastSession(key) for key in keys))
    for key in keys:
        till = stock.record("register", key)
        assert till is not None, key
        if till.active:
            refused = _till_refusal(stock, till)
            if refused is not None:
                return refused
            put(stock, "register", replace(till, active=False, updated_at=stock.now))
    return None


def _till_refusal(stock: Stock, till: Register) -> Rejected | None:
    """Refuse to take away a register (locked) whose drawer is open."""
    if any(session.status == "open" for session in sessions_of(stock, till.id)):
        return invalid_state(f"Register {till.code} has an open session: close it first.", register_id=till.id)
    return None


def _location_refusal(stock: Stock, place: Location, fields: dict[str, Any]) -> Rejected | None:
    """Refuse to move, turn or remove a location that holds stock, or the only transit or quarantine location."""
    turned = [
        name for name in ("kind", "store_id", "active") if name in fields and fields[name] != getattr(place, name)
    ]
    if not turned:
        return None
    used = in_use(stock, place)
    if used is not None:
        return replace(used, numbers={**used.numbers, "field": turned[0]})
    if not place.sellable:
        alike = [
            other
            for other in stock.catalog.locations.values()
            if other.active
            and other.kind == place.kind
            and (place.kind == "transit" or other.store_id == place.store_id)
        ]
        if len(alike) <= 1:
            return invalid_state(f"{place.code} is the only {place.kind} location: it is needed.")
    return None


def _points(stock: Stock, kind: str, fields: dict[str, Any], old: dict[str, int]) -> dict[str, Any] | Rejected:
    """`reorder_points` by product id in smallest units, merged with the old ones; given as {sku: quantity or None}."""
    given = fields.get("reorder_points")
    if kind != "location" or given is None:
        fields.pop("reorder_points", None)
        return {}
    merged = dict(old)
    stock.catalog.know_products(given)
    for reference, quantity in given.items():
        product = stock.catalog.product(reference)
        if product is None:
            return not_found(Code.PRODUCT_NOT_FOUND, "Product", reference)
        if quantity is None:
            merged.pop(product.id, None)
            continue
        units = product.units(quantity)
        if units is None or units < 0:
            return Rejected(
                Code.INVALID_QUANTITY,
                f"The reorder point of {product.sku} is not a quantity of it.",
                {"product_id": product.id},
            )
        merged[product.id] = units
    return {"reorder_points": merged}
