"""One server process to one SQLite file: a lock of the operating system on a file beside the database.

    with serving_alone("/srv/shop.db"): ...       -> AlreadyServed when another process is in there

The lock ends with the process, however it ends. Nothing but a server asks for it: commands work beside one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

SUFFIX = "-server"
"""What the lock file is called, behind the name of the database (as SQLite calls its own `-wal`)."""


class AlreadyServed(Exception):
    """Another server process has the SQLite file."""


@contextmanager
def serving_alone(path: str) -> Iterator[None]:
    """Hold the lock of the SQLite database at `path` meanwhile."""
    real = Path(path).resolve()
    if real.exists() and real.stat().st_nlink > 1:
        raise AlreadyServed(
            f"{path} has another name as well (a hard link), under which another process could serve it: remove one."
        )
    with open(real.with_name(real.name + SUFFIX), "a+b", opener=_private) as file:
        if not _try_lock(file):
            raise AlreadyServed(
                f"Another process serves {path}. One server process is all that SQLite can have; PostgreSQL any number."
            )
        yield


def _private(path: str, flags: int) -> int:
    """Open the file for its owner alone, as the database is: who can open it can hold the lock, and no server starts.

    One that an older version has made for everybody is closed to others, where it is ours.
    """
    number = os.open(path, flags, 0o600)
    if sys.platform != "win32":
        with suppress(PermissionError):
            os.fchmod(number, 0o600)
    return number


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        os.set_inheritable(file.fileno(), False)
        return True
