"""The pool of a product's license keys: keys are added, and sales that wait for some get them, the oldest first.

    AddLicenseKeys("GAME-1", (EncryptedKey(...), ...))     -> 2 added, 1 known already, 1 handed to a sale that waited

A key that the product has had, in whatever status, is known by its digest and never added again. The keys come
encrypted: nothing here can read one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.core.organisation.changes import existing, note, put
from holdfast.core.records.command import Command, Decision
from holdfast.core.records.license_key import KEYS_MAX, EncryptedKey, LicenseKey
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, invalid_state, malformed, not_found
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.status import FREE
from holdfast.core.records.wants import KnownKeys, LinesWaitingForKeys, SaleById
from holdfast.core.sales.license_keys import hand_over, keys_for
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace


class AddLicenseKeys(Command, frozen=True, gc=False):
    """More license keys of a product (id or SKU), encrypted."""

    product_id: str
    keys: Annotated[tuple[EncryptedKey, ...], Meta(min_length=1, max_length=KEYS_MAX)]


class AddedKeysDocument(msgspec.Struct, frozen=True, gc=False):
    """How many keys were new, how many the product has had before, and how many went to sales that waited."""

    product_id: str
    sku: str
    added: int
    known: int
    delivered: int


def add_license_keys(stock: Stock, command: AddLicenseKeys) -> AddedKeysDocument:
    """Decide an AddLicenseKeys."""
    found = stock.catalog.product(command.product_id)
    if found is None:
        raise not_found(Code.PRODUCT_NOT_FOUND, "Product", command.product_id)
    product: Product = existing(stock, "product", found.id)  # no sale begins to wait meanwhile
    if product.digital_delivery_method != "license_key":
        raise invalid_state(f"{product.sku} is not delivered by license keys: set its digital_delivery_method.")
    if not 1 <= len(command.keys) <= KEYS_MAX:
        raise malformed("keys", f"give 1 to {KEYS_MAX:,} keys at once.")
    added = _add(stock, product, command.keys)
    if added and not product.pooled:
        product = replace(product, pooled=True, updated_at=stock.now)
        put(stock, "product", product)
    if added:
        note(stock, "add", "license_key", product.id, {"added": added})
    delivered = _serve(stock, product) if added else 0
    return AddedKeysDocument(product.id, product.sku, added, len(command.keys) - added, delivered)


def _add(stock: Stock, product: Product, keys: Sequence[EncryptedKey]) -> int:
    """Keep the keys that the product never had; how many those are."""
    asked = [KnownKeys(product.id, digest) for key in keys for digest in key.digests]
    stock.require(*asked)
    seen = {want.digest for want in asked if stock.answers.get(want)}
    seen.update(key.digest for key in stock.rows_of(LicenseKey) if key.product_id == product.id)
    added = 0
    for key in keys:
        if seen.isdisjoint(key.digests):
            stock.put_row(
                LicenseKey(
                    id=stock.new_id(),
                    product_id=product.id,
                    digest=key.digests[0],
                    encrypted=key.encrypted,
                    hint=key.hint,
                    status=FREE,
                    sale_id=None,
                    line_id=None,
                    actor=stock.caller.actor,
                    created_at=stock.now,
                    updated_at=stock.now,
                )
            )
            added += 1
        seen.update(key.digests)
    return added


def _serve(stock: Stock, product: Product) -> int:
    """Hand free keys to the sales that wait for some, in whichever store, the oldest line first; how many keys."""
    named = list(stock.require(LinesWaitingForKeys(product.id)))
    named += [line.sale_id for line in stock.rows_of(SaleLine) if _waits(line, product)]
    stock.require(*(SaleById(name) for name in dict.fromkeys(named)))
    lines = [line for line in stock.rows_of(SaleLine) if _waits(line, product)]
    delivered = 0
    with stock.consequences():  # a sale of another store gets its key as well
        for line in sorted(lines, key=lambda line: (line.created_at, line.id)):
            sale = stock.row(Sale, line.sale_id)
            assert sale is not None, line
            keys = keys_for(stock, product, line.keys_owed, owing=False)
            if not keys:
                break
            owed = replace(line, keys_owed=line.keys_owed - len(keys), updated_at=stock.now)
            stock.put_row(hand_over(stock, sale, owed, product, keys))
            delivered += len(keys)
    return delivered


def _waits(line: SaleLine, product: Product) -> bool:
    return line.product_id == product.id and line.keys_owed > 0


DECISIONS = (Decision(AddLicenseKeys, add_license_keys, Permission.MANAGE, changes_catalog=True),)
