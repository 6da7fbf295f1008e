"""A process that sells until there is no room, and again when there is: `python -m tests.faults.filling '{...}'`.

`how` is "limit" (files of this process may not grow beyond what they are now and a little) or "ballast" (a file takes
all space that is left but a little on the disk `place`). It prints what every order was told as one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from holdfast import executor
from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.executor import batch
from tests.races.stand import Outcome, Tally, buy, rush

SPARE_BYTES = 150_000
"""Room that is left for a few batches."""

ORDERS_MAX = 4000


def main() -> None:
    """Sell, run out of room, get room, repeat what was not done, sell on."""
    order = json.loads(sys.argv[1])
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is logged goes with the errors
    batch.AWAY_PAUSE_SECONDS = 0.002  # its pauses add up to half a minute; nothing comes back here while it waits
    with Holdfast.open(order["url"], batch_max=25) as shop:
        actor = Actor(order["org_id"], "key:race", Role.OWNER)
        accepted, unavailable, strange = [], [], []

        def buy_all(names: list[str]) -> list[str]:
            done = []
            for name, one in zip(names, rush(shop, actor, [buy("MUG-1", name) for name in names]), strict=True):
                if Tally([one]).accepted:
                    done.append(name)
                elif isinstance(one, executor.Unavailable):
                    unavailable.append(name)
                else:
                    strange.append(f"{name}: {one!r}")
            return done

        accepted += buy_all([f"warm-{n}" for n in range(50)])
        make_room = HOW[order["how"]](Path(order["place"]))
        for turn in range(ORDERS_MAX // 100):
            accepted += buy_all([f"o-{turn}-{n}" for n in range(100)])
            if len(unavailable) > 100:
                break
        make_room()
        later = buy_all([f"later-{n}" for n in range(50)])
        commands = [buy("MUG-1", name) for name in unavailable]
        outcomes: list[Outcome] = rush(shop, actor, commands, keys=unavailable)
        repeated = [name for name, one in zip(unavailable, outcomes, strict=True) if Tally([one]).accepted]
    found = {
        "accepted": accepted,
        "unavailable": unavailable,
        "strange": strange,
        "later": later,
        "repeated": repeated,
    }
    print(json.dumps(found), file=told, flush=True)


def _limit(place: Path) -> Callable[[], None]:
    """No file of this process may become larger than the largest is now and a little."""
    largest = max(path.stat().st_size for path in place.iterdir() if path.is_file())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + SPARE_BYTES, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def _ballast(place: Path) -> Callable[[], None]:
    """A file takes what is left of the disk but a little."""
    room = os.statvfs(place)
    ballast = place / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, room.f_bavail * room.f_frsize - SPARE_BYTES))
    return ballast.unlink


HOW = {"limit": _limit, "ballast": _ballast}

if __name__ == "__main__":
    main()
