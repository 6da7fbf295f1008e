"""Files in and out: products and opening stock are imported, stock, ledger and journal exported.

    import_products(shop, actor, organisation, file)     sku,title,price,...   or a product export of Shopify
    import_stock(shop, actor, file)                      sku,location,quantity[,unit_cost,lot_code,expires_at]
    import_orders(shop, actor, organisation, file)       order_number,sku,quantity,... or one of `order_formats`
    import_license_keys(shop, actor, file)               sku,license_key
    write_csv(export_ledger(database, organisation), LEDGER_EXPORT, sys.stdout)
    for piece in beancount(database, organisation): ...  the journal for an accountant

Every line of an import stands for itself: a bad one is named with its number and the others are taken. Importing a file
again is safe: a product that exists is changed to what the file says, and a line of stock that the books have already
is skipped, however it is written. Refused as a whole: what is not CSV in UTF-8 with columns that are known.
"""

from holdfast.import_export.export import (
    LEDGER_EXPORT,
    STOCK_EXPORT,
    export_ledger,
    export_stock,
    write_csv,
    write_json,
)
from holdfast.import_export.journal import JOURNAL_EXPORT, beancount, export_journal
from holdfast.import_export.license_keys import import_license_keys
from holdfast.import_export.order_formats import OrderFormat
from holdfast.import_export.order_names import NameMap
from holdfast.import_export.orders import Choices, OrdersOutcome, import_orders
from holdfast.import_export.products import import_products
from holdfast.import_export.stock import StockMode, import_stock
from holdfast.import_export.table import FileRefused, Named, Outcome

__all__ = [
    "JOURNAL_EXPORT",
    "LEDGER_EXPORT",
    "STOCK_EXPORT",
    "Choices",
    "FileRefused",
    "NameMap",
    "Named",
    "OrderFormat",
    "OrdersOutcome",
    "Outcome",
    "StockMode",
    "beancount",
    "export_journal",
    "export_ledger",
    "export_stock",
    "import_license_keys",
    "import_orders",
    "import_products",
    "import_stock",
    "write_csv",
    "write_json",
]
