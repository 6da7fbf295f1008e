"""Promises that are asked for: units are held for an order, a sale line, an appointment.

    Reserve("MUG-1", 2, target=Target("102"))                     2 units are held, or wait
    Release(reservation_id)                                       they go back

Where units come from when several places have some is `sourcing`. It may import the rooms below: `core.warehouse`,
`core.stock`, `core.records`.
"""
