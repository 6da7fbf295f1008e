"""The business of Holdfast, pure: what may happen to stock and why.

Nothing here reads a clock, a database, a file or a random source; ids and time come in from outside.
Read in this order: product, ledger, rejection, stock, allocation, reservation, receiving, counting, transfer,
recall, decide.
"""
