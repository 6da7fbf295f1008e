"""Low stock: `LowStock` is told once, when a level's units on hand fall to its threshold.

    threshold 5, on hand 6, 2 sold     -> told; the next sale tells nothing

The threshold is the location's reorder point for the product, else the product's, else the organisation's default.
"""

from __future__ import annotations

from holdfast.core.records.product import reorder_threshold
from holdfast.core.records.stock import Level
from holdfast.core.stock.posting import Stock


def tell_low_stock(stock: Stock, level: Level, before: int) -> None:
    """Tell `LowStock` when the level's units on hand fell from above its threshold to it or below it."""
    product = stock.product_of(level)
    location = stock.catalog.locations[level.location_id]
    threshold = reorder_threshold(product, location, stock.settings)
    if threshold is not None and location.sellable and level.on_hand <= threshold < before:
        stock.tell(
            "LowStock",
            product.id,
            {
                "product_id": product.id,
                "sku": product.sku,
                "location": location.code,
                "store_id": location.told_to,
                "quantity": product.number(level.on_hand),
                "threshold": product.number(threshold),
            },
        )
