"""Oracles: published numbers of other systems, and barcodes read by another program (see README.md).

oracle("tax")      -> the rows of tax.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def oracle(name: str) -> Any:
    """The rows of an oracle."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
