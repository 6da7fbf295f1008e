"""A process that works on imports: `python -m tests.faults.importing {"url": ...}`; it says "ready" and goes on."""

from __future__ import annotations

import json
import sys

from holdfast.app import Holdfast
from holdfast.import_export.jobs import ImportWorker


def main() -> None:
    """Work until somebody kills it, or says something."""
    order = json.loads(sys.argv[1])
    with Holdfast.open(order["url"]) as shop:
        shop.before_close(ImportWorker(shop, seconds=0.05).stop)
        print("ready", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
