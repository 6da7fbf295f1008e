"""Holdfast: inventory reservation and stock ledger for multi-channel retail.

>>> from holdfast.app import Holdfast
>>> shop = Holdfast.open("sqlite:///shop.db")        # doctest: +SKIP
"""

__version__ = "0.1.0"
