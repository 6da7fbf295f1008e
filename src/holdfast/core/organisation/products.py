"""Products: what may change when.

    AddProduct(sku="MUG-1", title="Mug", price="19.99")       -> a product
    ChangeProduct("MUG-1", price=None)                        -> it has no price any more
    ChangeProduct("MUG-1", precision=2)                       -> its reorder points follow; refused once it has entries
    AddProduct(sku="CARD", kind="gift_card", tax_class="std") -> refused: who buys a gift card has bought nothing yet

Values come in as they are written outside: a price is a decimal string, a quantity a number, an instant microseconds
since 1970; in a change `UNSET` leaves a field as it is. What is refused here needs the other records: a SKU or GTIN
that another product has, an amount that the currency has no places for. Nothing is deleted: a product that is not sold
any more is not `active`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.core.organisation.changes import existing, lock_organisation, put, refuse_taken_name, written
from holdfast.core.records.command import Command, Decision, given
from holdfast.core.records.field import Gtin, Instant, Places, Sku, Text
from holdfast.core.records.gtin import same_number, spellings
from holdfast.core.records.ledger import Entry
from holdfast.core.records.number import Number, from_minor, to_minor, to_units
from holdfast.core.records.organisation import Settings
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import DigitalDelivery, Oversell, PriceBreak, Product, ProductKind
from holdfast.core.records.rejection import Code, Refused, invalid_state, malformed, not_found
from holdfast.core.records.sale import SaleLine
from holdfast.core.records.wants import ProductInLedger, ProductMoved, ProductsOfGtin, ProductSoldUncounted
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

GROUP_MAX = 1_000_000
"""Most units that have a price together."""

BREAKS_MAX = 20
"""Most prices of so many units together that a product has."""

_EXAMPLE_MINOR = 1050
"""An amount to show how one is written."""


class PriceBreakRequest(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """So many whole units together cost `price`, a decimal string."""

    quantity: Annotated[int, Meta(ge=2, le=GROUP_MAX)]
    price: Text


PriceBreaks = Annotated[tuple[PriceBreakRequest, ...], Meta(max_length=BREAKS_MAX)]


class AddProduct(Command, frozen=True, gc=False, forbid_unknown_fields=True):
    """A product; what is not given takes its default, the title that of the SKU."""

    sku: Sku
    title: Text | None = None
    kind: ProductKind = "physical"
    price: Text | None = None
    tax_class: Text | None = None
    gtin: Gtin | None = None
    precision: Places = 0
    reorder_point: Number | None = None
    oversell: Oversell = "deny"
    preorder_limit: Number | None = None
    available_from: Instant | None = None
    track_expiry: bool = False
    dropship: bool = False
    supplier: Text | None = None
    active: bool = True
    price_breaks: PriceBreaks = ()
    digital_delivery_method: DigitalDelivery | None = None
    download_url: Text | None = None


class ProductChanges(Command, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What to change of a product."""

    sku: Sku | UnsetType = UNSET
    title: Text | UnsetType = UNSET
    kind: ProductKind | UnsetType = UNSET
    price: Text | UnsetType | None = UNSET
    tax_class: Text | UnsetType | None = UNSET
    gtin: Gtin | UnsetType | None = UNSET
    precision: Places | UnsetType = UNSET
    reorder_point: Number | UnsetType | None = UNSET
    oversell: Oversell | UnsetType = UNSET
    preorder_limit: Number | UnsetType | None = UNSET
    available_from: Instant | UnsetType | None = UNSET
    track_expiry: bool | UnsetType = UNSET
    dropship: bool | UnsetType = UNSET
    supplier: Text | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET
    price_breaks: PriceBreaks | UnsetType = UNSET
    digital_delivery_method: DigitalDelivery | UnsetType | None = UNSET
    download_url: Text | UnsetType | None = UNSET


class ChangeProduct(ProductChanges, frozen=True, gc=False):
    """Change a product (id or SKU)."""

    product_id: str


class TakeBackProduct(ProductChanges, frozen=True, gc=False):
    """Change a product back, if it is as it was `seen` (`seen_as`), and where that is said only if it is `unused`."""

    product_id: str
    seen: Text
    unused: bool = False


def add_product(stock: Stock, command: AddProduct) -> Product:
    """Decide an AddProduct."""
    fields = msgspec.structs.asdict(command)
    inner = _inner(stock, fields, command.precision)
    refuse_taken_name(stock, "product", command.sku, None)
    if command.gtin is not None and command.active:
        _refuse_taken_gtin(stock, command.gtin, "")
    product_id = stock.new_id()
    stock.born.add(product_id)
    inner["title"] = command.title or command.sku
    product = Product(id=product_id, **inner, created_at=stock.now, updated_at=stock.now)
    _refuse_delivery(product)
    _refuse_on_gift_card(product)
    put(stock, "product", product)
    return product


def change_product(stock: Stock, command: ChangeProduct) -> Product:
    """Decide a ChangeProduct: what is kept in smallest units follows another precision."""
    found = stock.catalog.product(command.product_id)
    if found is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", command.product_id)
    product: Product = existing(stock, "product", found.id)
    fields = given(command, "product_id")
    precision = fields.get("precision", product.precision)
    inner = _inner(stock, fields, precision)
    if "sku" in inner:
        refuse_taken_name(stock, "product", inner["sku"], product.id)
    gtin, active = inner.get("gtin", product.gtin), inner.get("active", product.active)
    if gtin is not None and active and (gtin, active) != (product.gtin, product.active):
        _refuse_taken_gtin(stock, gtin, product.id)
    _refuse_fixed(stock, product, inner)
    if precision != product.precision:
        inner = _rescaled(stock, product, precision, inner)
    changed = replace(product, **inner, updated_at=stock.now)
    _refuse_delivery(changed)
    _refuse_on_gift_card(changed)
    put(stock, "product", changed)
    return changed


def take_back_product(stock: Stock, command: TakeBackProduct) -> Product:
    """Decide a TakeBackProduct."""
    found = stock.catalog.product(command.product_id)
    if found is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", command.product_id)
    product: Product = existing(stock, "product", found.id)
    if command.seen != seen_as(product):
        raise invalid_state(f"Product {product.sku} was changed since.")
    if command.unused and _is_used(stock, product):
        raise invalid_state(f"Product {product.sku} has stock, is promised to somebody, or was moved or sold.")
    return change_product(stock, ChangeProduct(product.id, **given(command, "product_id", "seen", "unused")))


def seen_as(product: Product) -> str:
    """What tells a product as it stands from any other way in which it may stand: a SHA-256 in hexadecimal digits."""
    said = msgspec.structs.asdict(product).items()
    fields = {name: value for name, value in said if name != "updated_at" and value not in (None, (), [])}
    return sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()


def _is_used(stock: Stock, product: Product) -> bool:
    """Has the product stock, promises or sales, or moves beside opening stock that was taken back?"""
    levels = [level for level in stock.levels.values() if level.product_id == product.id]
    if any(level.on_hand or level.reserved or level.backordered for level in levels):
        return True
    if any(_moves(entry) for entry in stock.entries if entry.product_id == product.id):
        return True
    before = bool(product.id not in stock.born and stock.require(ProductMoved(product.id)))
    return before or _is_sold(stock, product)


def _moves(entry: Entry) -> bool:
    """Is the entry more than a promise, or opening stock that came or was taken back?"""
    return bool(entry.qty_delta) and entry.source != "opening"


def _refuse_delivery(product: Product) -> None:
    """Refuse a way of delivery that does not fit the product."""
    method, url = product.digital_delivery_method, product.download_url
    if method is not None and product.kind != "digital":
        raise malformed("digital_delivery_method", f"is for digital products; this one is {product.kind}.")
    if (url is None) == (method == "download"):
        words = "is required: from where is it downloaded?" if url is None else "is for the method download alone."
        raise malformed("download_url", words)
    if url is not None and not url.startswith(("https://", "http://")):
        raise malformed("download_url", "must begin with https:// or http://.")
    if method == "license_key" and product.precision:
        raise malformed("digital_delivery_method", "license keys are for whole units: the precision must be 0.")


def _refuse_on_gift_card(product: Product) -> None:
    """Refuse what a gift card cannot have: parts of one, tax, and a price of several together. It is money that is
    owed: tax is paid on what is bought with it, and each card has an amount of its own."""
    if product.kind != "gift_card":
        return
    if product.precision:
        raise malformed("precision", "of a gift card must be 0: it is sold whole.")
    if product.tax_class is not None:
        raise malformed("tax_class", "of a gift card must be null: tax is paid on what is bought with it.")
    if product.price_breaks:
        raise malformed("price_breaks", "of a gift card must be empty: each card has its own amount.")


def _inner(stock: Stock, fields: dict[str, Any], precision: int) -> dict[str, Any]:
    """A product's fields in inner units: minor units, and smallest units of the precision."""
    inner = dict(fields)
    if inner.get("price") is not None:
        inner["price"] = amount_of(stock.settings, "price", inner["price"])
    if "price_breaks" in inner:
        inner["price_breaks"] = _price_breaks(stock, inner["price_breaks"])
    for name in ("reorder_point", "preorder_limit"):
        if inner.get(name) is not None:
            inner[name] = _units_of(name, inner[name], precision)
    return inner


def _price_breaks(stock: Stock, asked: tuple[PriceBreakRequest, ...]) -> tuple[PriceBreak, ...]:
    """Prices of so many units together, the fewest first; one for each number of units."""
    groups: dict[int, PriceBreak] = {}
    for index, group in enumerate(asked):
        if group.quantity in groups:
            raise malformed(f"price_breaks.{index}.quantity", "is there twice.")
        price = amount_of(stock.settings, f"price_breaks.{index}.price", group.price)
        groups[group.quantity] = PriceBreak(group.quantity, price)
    return tuple(groups[quantity] for quantity in sorted(groups))


def amount_of(settings: Settings, field: str, text: str) -> int:
    """An amount of money of 0 or more, in minor units."""
    minor = to_minor(text, settings.minor_digits)
    if minor is None or minor < 0:
        example = from_minor(_EXAMPLE_MINOR, settings.minor_digits)
        words = f"must be an amount of {settings.currency} of 0 or more, written like {example!r}."
        raise malformed(field, words, Code.INVALID_AMOUNT)
    return minor


def _units_of(field: str, quantity: Number, precision: int) -> int:
    """A quantity of 0 or more, in smallest units."""
    units = to_units(quantity, precision)
    if units is None or units < 0:
        places = "a whole number" if precision == 0 else f"a number of at most {precision} places"
        raise malformed(field, f"must be {places}, 0 or more.", Code.INVALID_QUANTITY)
    return units


def _rescaled(stock: Stock, product: Product, precision: int, inner: dict[str, Any]) -> dict[str, Any]:
    """The changes with what is kept in smallest units in those of the new precision; at the locations as well."""
    lock_organisation(stock)
    changes = dict(inner)
    for name in ("reorder_point", "preorder_limit"):
        old = getattr(product, name)
        if old is not None and name not in changes:
            units = _moved(old, product.precision, precision)
            if units is None:
                raise _does_not_fit(f"the {name} {product.number(old)}", name, precision)
            changes[name] = units
    places = [place.id for place in stock.catalog.locations.values() if product.id in place.reorder_points]
    for place in stock.each(sorted(places), lambda _, name: stock.record("location", name)):
        old = place.reorder_points.get(product.id)
        if old is None:
            continue
        units = _moved(old, product.precision, precision)
        if units is None:
            raise _does_not_fit(f"the reorder point {product.number(old)} at {place.code}", "precision", precision)
        points = {**place.reorder_points, product.id: units}
        put(stock, "location", replace(place, reorder_points=points, updated_at=stock.now))
    return changes


def _moved(units: int, before: int, after: int) -> int | None:
    """Smallest units of one precision in those of another; None when they are not whole there."""
    if after >= before:
        return to_units(units, after - before)
    whole, rest = divmod(units, 10 ** (before - after))
    return None if rest else whole


def _does_not_fit(what: str, field: str, precision: int) -> Refused:
    places = "whole numbers" if precision == 0 else f"{precision} decimal places"
    return malformed(field, f"{what} does not fit into {places}: change it first.", Code.INVALID_QUANTITY)


def _refuse_taken_gtin(stock: Stock, gtin: str, own_id: str) -> None:
    lock_organisation(stock)
    others = stock.unread(stock.require(ProductsOfGtin(tuple(sorted(spellings(gtin))))), "product")
    others.update(
        product.id
        for product in written(stock, "product")
        if product.active and product.gtin is not None and same_number(product.gtin, gtin)
    )
    others.discard(own_id)
    if not others:
        return
    other = stock.catalog.product(min(others))
    assert other is not None
    raise Refused(Code.ALREADY_EXISTS, f"Product {other.sku!r} has the GTIN {gtin} already.", {"field": "gtin"})


def _refuse_fixed(stock: Stock, product: Product, fields: dict[str, Any]) -> None:
    """Refuse another precision or kind once the product has a ledger entry, or is in a sale without one."""
    for name in ("precision", "kind"):
        if name in fields and fields[name] != getattr(product, name):
            if _has_entries(stock, product):
                raise invalid_state(f"The {name} of {product.sku} is fixed: it has ledger entries.", field=name)
            if _is_sold(stock, product):
                raise invalid_state(f"The {name} of {product.sku} is fixed: it is in a sale.", field=name)


def _is_sold(stock: Stock, product: Product) -> bool:
    """Is the product, which needs no stock, in a sale? Units of a line are in its precision."""
    here = any(line.product_id == product.id for line in stock.rows_of(SaleLine))
    return here or bool(product.id not in stock.born and stock.require(ProductSoldUncounted(product.id)))


def _has_entries(stock: Stock, product: Product) -> bool:
    """Has the product a ledger entry, of this batch or before it?"""
    here = any(level.product_id == product.id and level.seq for level in stock.levels.values())
    return here or bool(product.id not in stock.born and stock.require(ProductInLedger(product.id)))


DECISIONS = (
    Decision(AddProduct, add_product, Permission.MANAGE, changes_catalog=True),
    Decision(ChangeProduct, change_product, Permission.MANAGE, changes_catalog=True),
    Decision(TakeBackProduct, take_back_product, Permission.MANAGE, changes_catalog=True),
)
