"""What exists, as it is kept: Structs, numbers, texts, refusals, questions.

    Level(on_hand=5, reserved=2, ...)      a product at a location
    Product(sku="MUG-1", precision=0, ...)
    Rejected(Code.INSUFFICIENT_STOCK, "5 are available.")

A module here tells what something is and what a value of it may be; nothing here moves a unit or decides a command.
It may import nothing else of Holdfast.
"""
