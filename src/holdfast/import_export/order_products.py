"""The products that the lines of order files are: by the file's SKUs, or by a map of what it calls them.

products.look_up(items)      what a few items may mean is read at once
products.mapped(order)       the order with its products; a line that is none of them waits, or needs no stock
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.organisation.products import AddProduct
from holdfast.core.records.product import Product
from holdfast.core.sales.order_facts import OrderedLine
from holdfast.db.bulk import products_by_sku
from holdfast.import_export.order_file import FileOrder, Item, LineName, Passed, Unread
from holdfast.import_export.order_names import CUSTOM, CUSTOM_SKU, NameMap

replace = msgspec.structs.replace

PRODUCTS_KEPT_MAX = 50_000
"""Products that are remembered while a file is read."""


class FileProducts:
    """The products that a file's lines may be. `unknown` counts the lines of names that no SKU tells."""

    def __init__(
        self, shop: Holdfast, actor: Actor, names: NameMap, unknown: dict[LineName, int], *, custom_lines: bool
    ) -> None:
        self._shop = shop
        self._actor = actor
        self._names = names
        self._unknown = unknown
        self._custom_lines = custom_lines
        self._known: dict[str, Product | None] = {}

    def of(self, sku: str) -> Product | None:
        """The product of a SKU that was looked up."""
        return self._known[sku]

    def look_up(self, items: Sequence[Item]) -> None:
        """Read the products that items may mean."""
        wanted = {sku for item in items for sku in self._skus(item)}
        if wanted <= self._known.keys():
            return
        if len(self._known) > PRODUCTS_KEPT_MAX:
            self._known.clear()
        self._read(wanted - self._known.keys())

    def mapped(self, item: FileOrder) -> FileOrder:
        """The order with the products that its lines are here; a line that is none of them waits."""
        if not item.names:
            return item
        lines = tuple(map(self._line, item.command.lines, item.names))
        return item._replace(command=replace(item.command, lines=lines))

    def _skus(self, item: Item) -> list[str]:
        """The SKUs that the item may mean: the file's own, and what the map says instead."""
        if isinstance(item, FileOrder):
            mapped = [self._names.sku_of(name) for name in item.names]
            return [*filter(None, [*(line.product for line in item.command.lines), *mapped]), CUSTOM_SKU]
        return [] if isinstance(item, Unread | Passed) else [row.sku for row in item.rows]

    def _read(self, skus: set[str]) -> None:
        self._known.update(dict.fromkeys(skus))
        self._known.update(products_by_sku(self._shop.database, self._actor.org_id, skus))

    def _line(self, line: OrderedLine, name: LineName) -> OrderedLine:
        if line.product is not None and self._known[line.product] is not None:
            return line
        chosen = self._names.sku_of(name)
        if chosen and self._known[chosen] is not None:
            return replace(line, product=chosen)
        self._unknown[name] = self._unknown.get(name, 0) + 1
        title = name.words or None
        if chosen == CUSTOM or (self._custom_lines and not chosen and not name.sku):
            self._need_custom_product()
            return replace(line, product=CUSTOM_SKU, title=title)
        return replace(line, product=None, title=title, sku=name.sku or None)

    def _need_custom_product(self) -> None:
        """Add the service that lines without stock are lines of, where it is not there yet."""
        if self._known[CUSTOM_SKU] is None:
            adding = AddProduct(sku=CUSTOM_SKU, title="Custom line", kind="service")
            self._shop.submit(self._actor, adding).result()
            self._read({CUSTOM_SKU})
