"""How units move: one working set for a batch, one way to post, and what follows when units come or go.

    stock.post(cause, level, lot, "RESERVE", reserved=2, ...)      level, lot and ledger, together
    release_units(stock, hold, 2, "cancelled")                     2 units go back, and serve the holds that wait

What commands of all rooms have in common is here; no command is. The class `Stock` is in `posting`. It may import
`core.records`.
"""
