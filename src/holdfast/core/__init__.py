"""The business of Holdfast, pure: what may happen to stock, and why.

Nothing here reads a clock, a database, a file or a random source; ids and time come in from outside. Six rooms
stand one above another, and each may use those below it; `decide`, `answer` and `fingerprint` stand above them:

    organisation    who and what a shop consists of: users, keys, places, products, accounts
    sales           carts, orders, payments, shipments, returns, gift cards, license keys, tills
    reservations    promises that are asked for: reserve, amend, by order, appointments
    warehouse       goods that come in, are counted, moved, recalled
    stock           how units move: the working set, lots, holds, which hold waits, which gives way
    records         what exists, as it is kept: products, levels, lots, sales, numbers, refusals

A newcomer reads `records.stock` (a level, a lot, a hold), `records.command` (a command and its decision),
`stock.posting` (the one way to change stock), `reservations.reserve` (how a hold is made; `consume` is a whole
decision), and then `decide` (which decision belongs to a command, and a guess of what it looks at).
"""
