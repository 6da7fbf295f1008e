"""Goods that come in, are counted, moved between locations, and recalled.

    Receive("MAIN", (ReceiptLine("MUG-1", 10, "3.50"),))
    Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 4),))

Each module has its commands, their decisions and the documents that they leave. It may import `core.stock` and
`core.records`.
"""
