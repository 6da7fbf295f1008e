"""Digital delivery: what a sale hands out for units that need no stock, and what becomes of it when they come back.

    deliver(stock, sale, line, 2)      two units have gone out: it gets a license key for each unit, each key once
    withdraw(stock, line, 2)           two of its units came back: the last keys it got are blocked, for good
    withdraw_open(stock, sale)         the sale is given up: whatever its lines got beyond what went out is blocked

`deliver` and `withdraw` answer the line, which their caller keeps; `withdraw_open` keeps its lines itself.

A product with a pool of keys takes one for each unit; without a pool nothing is counted. Where the pool is short the
product's `oversell` says what happens: `deny` refuses the sale, anything else completes it, and the keys follow when
some are added (`core.organisation.key_pool`). An order that somebody else has taken, and a shipment, are facts: their
keys follow as well. Whoever buys a key has seen it, so it is never handed out again, in whatever condition it comes
back.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.core.records.license_key import KEYS_MAX, LicenseKey
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, Refused, insufficient_stock
from holdfast.core.records.sale import NUMBERED_SOURCES, Sale, SaleLine
from holdfast.core.records.status import BLOCKED, FREE, SOLD
from holdfast.core.records.time import instant_text
from holdfast.core.records.wants import FreeKeys, KeysOfSale
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import lines_of, product_of_line

replace = msgspec.structs.replace

_BLOCKS = (8, 64, 512, 4096)
"""So many free keys are loaded at once, as many as are needed and a few for the next sale of the batch."""


def deliver(stock: Stock, sale: Sale, line: SaleLine, gone: int, *, fact: bool = False) -> SaleLine:
    """The line as it stands when what went out of it, `gone` units just now, is delivered; the caller keeps it.

    After a correction a line may have more keys than units; then nothing is delivered.
    """
    product = product_of_line(stock, line)
    if product.digital_delivery_method is None:
        return line
    units = line.fulfilled - len(line.key_ids or ()) - line.keys_owed
    if not product.takes_keys:
        tell_delivered(stock, sale, line, product, gone)
        return line
    if units <= 0:
        return line
    waits = may_wait(sale, product, fact=fact)
    keys = keys_for(stock, product, units, owing=waits)
    if len(keys) < units and not waits:
        raise insufficient_stock(product, units, len(keys))
    if len(keys) < units:
        _refuse_beyond_limit(product, line, units, len(keys))
    return hand_over(stock, sale, replace(line, keys_owed=line.keys_owed + units - len(keys)), product, keys)


def hand_over(stock: Stock, sale: Sale, line: SaleLine, product: Product, keys: Sequence[LicenseKey]) -> SaleLine:
    """The line with these free keys, each of which is its buyer's from now on."""
    for key in keys:
        stock.put_row(replace(key, status=SOLD, sale_id=sale.id, line_id=line.id, updated_at=stock.now))
    tell_delivered(stock, sale, line, product, len(keys))
    if not keys:
        return line
    return replace(line, key_ids=(*(line.key_ids or ()), *(key.id for key in keys)))


def ask_for_keys(
    stock: Stock, sale: Sale, line: SaleLine, units: int, wanted: dict[str, int], *, fact: bool = False
) -> None:
    """Ask for the keys that units of a line will take, so that `deliver` finds them: beside what is `wanted` by product
    for the lines before it, to which it adds its own. Refused when the pool is short and the line may not wait."""
    product = product_of_line(stock, line)
    need = line.fulfilled + units - len(line.key_ids or ()) - line.keys_owed
    if line.kind != "unlimited" or not product.takes_keys or need <= 0:
        return
    before = wanted.get(product.id, 0)
    waits = may_wait(sale, product, fact=fact)
    found = len(keys_for(stock, product, before + need, owing=waits)) - before
    if need > found and not waits:
        raise insufficient_stock(product, need, max(found, 0))
    wanted[product.id] = before + need


def may_wait(sale: Sale, product: Product, *, fact: bool) -> bool:
    """May units of the product be sold whose keys follow?"""
    return fact or product.oversell != "deny" or sale.source not in NUMBERED_SOURCES


def keys_for(stock: Stock, product: Product, units: int, *, owing: bool) -> list[LicenseKey]:
    """Free keys for so many units, the oldest first; fewer when there are no more of them.

    Where the rest would be owed (`owing`) the product is locked and asked once more: who adds keys meanwhile waits, and
    then finds the line.
    """
    keys = free_keys(stock, product, units, owing=False)
    if len(keys) < units and owing:
        stock.record("product", product.id)
        keys = free_keys(stock, product, units, owing=True)
    return keys[:units]


def free_keys(stock: Stock, product: Product, units: int, *, owing: bool) -> list[LicenseKey]:
    """The free keys of the product that are loaded, in their order: at least so many, or all that there are."""
    if units > KEYS_MAX:
        words = f"A line takes at most {KEYS_MAX:,} license keys: {product.sku} needs more lines."
        raise Refused(Code.INVALID_QUANTITY, words, {"product_id": product.id})
    wants = [FreeKeys(product.id, block, owing) for block in _BLOCKS]
    all_known = any(want in stock.loaded and len(stock.answers[want]) < want.most for want in wants)
    for want in wants:
        keys = [key for key in stock.rows_of(LicenseKey) if key.product_id == product.id and key.status == FREE]
        if all_known or len(keys) >= units:
            break
        if want.most >= units:
            all_known = len(stock.require(want)) < want.most
    return sorted(keys, key=lambda key: key.id)


def _refuse_beyond_limit(product: Product, line: SaleLine, units: int, found: int) -> None:
    """Refuse more units to follow than a pre-order of the product may have, on this line."""
    limit = product.preorder_limit
    if product.oversell == "preorder" and limit is not None and line.keys_owed + units - found > limit:
        raise insufficient_stock(product, units, found)


def tell_delivered(stock: Stock, sale: Sale, line: SaleLine, product: Product, units: int) -> None:
    """Tell that units were delivered, or that keys are to follow; never what the keys are."""
    if units <= 0 and not line.keys_owed:
        return
    stock.tell(
        "DigitalDelivered",
        product.id,
        {
            "sale_id": sale.id,
            "line_id": line.id,
            "order_number": sale.order_number,
            "source": sale.source,
            "store_id": sale.store_id,
            "product_id": product.id,
            "sku": product.sku,
            "method": product.digital_delivery_method,
            "quantity": product.number(max(units, 0)),
            "waiting": line.keys_owed,
            "timestamp": instant_text(stock.now),
        },
    )


# Taking back ---------------------------------------------------------------------------------------------------------


def withdraw(stock: Stock, line: SaleLine, units: int) -> SaleLine:
    """The line when so many of its units came back: first those whose keys were to follow, then the last it got."""
    if not line.key_ids and not line.keys_owed:
        return line
    owed = min(units, line.keys_owed)
    _block(stock, line, units - owed)
    return replace(line, keys_owed=line.keys_owed - owed)


def withdraw_open(stock: Stock, sale: Sale) -> None:
    """Block the keys that lines of a sale got for units which count as open again."""
    over = [(line, len(line.key_ids or ()) + line.keys_owed - line.fulfilled) for line in lines_of(stock, sale)]
    for line, units in over:
        if units > 0 and (line.key_ids or line.keys_owed):
            stock.put_row(withdraw(stock, line, units))


def _block(stock: Stock, line: SaleLine, units: int) -> None:
    """Block the last keys of the line that are the buyer's."""
    if units <= 0 or not line.key_ids:
        return
    for key in [key for key in keys_of_line(stock, line)[::-1] if key.status == SOLD][:units]:
        stock.put_row(replace(key, status=BLOCKED, updated_at=stock.now))


def keys_of_line(stock: Stock, line: SaleLine) -> list[LicenseKey]:
    """The keys that the line got, in the order in which it got them."""
    known = {name: stock.row(LicenseKey, name) for name in line.key_ids or ()}
    if any(key is None for key in known.values()):
        stock.require(KeysOfSale(line.sale_id))
        known = {name: stock.row(LicenseKey, name) for name in known}
    return [key for key in known.values() if key is not None]


def keys_of(stock: Stock, lines: Sequence[SaleLine]) -> dict[str, LicenseKey]:
    """The keys that the lines of a sale got, by id."""
    return {key.id: key for line in lines if line.key_ids for key in keys_of_line(stock, line)}
