"""What is sold: carts and orders, their money, shipments, returns, and the tills where it happens.

    OpenSale("MAIN", lines=(LineRequest("MUG-1", 2),))      a cart that holds 2 units
    Checkout(...)                                         sold, paid and shipped at once

A sale is priced by `core.records.totals` alone. It may import the rooms below, `core.reservations` first.
"""
