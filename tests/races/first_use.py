"""The first use of every command, by eight threads at the same moment: `python -m tests.races.first_use`.

Who runs it starts a process of its own for that: a type is new only once.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import msgspec

from holdfast.core.decide import DECISIONS
from holdfast.core.records.command import Command
from holdfast.core.records.shape import shaped

THREADS = 8


def main() -> None:
    """Let them all go at once, and count who came through."""
    sys.setswitchinterval(1e-6)  # threads take turns as often as they can
    commands = [_unusual(kind) for kind in DECISIONS]
    gate = threading.Barrier(THREADS)
    through = []

    def giver() -> None:
        for command in commands:
            gate.wait(30)
            shaped(command)
        through.append(1)

    threads = [threading.Thread(target=giver) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    print(f"{len(through)} threads were answered.")


def _unusual(kind: type[Any]) -> Command:
    """A command whose values are not plain, so that its type has to be learned."""
    fields = msgspec.structs.fields(kind)
    made: Command = kind(**{field.name: frozenset() for field in fields if field.required or field is fields[-1]})
    return made


if __name__ == "__main__":
    main()
