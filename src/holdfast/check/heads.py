"""Heads of ledgers as a file: written today, kept elsewhere, compared with the ledger one day.

    {"format": "holdfast heads 1", "at": "2026-11-29T23:00:00Z", "levels": [
    {"org_id": "...", "level_id": "...", "sku": "MUG-1", "location": "MAIN", "entries": 7, "head": "9f...", ...},
    ...
    ], "count": 2, "entries": 9, "signature": "..."}

It is one JSON document with a level a line, so that it is written and read in memory that does not grow. The signature
is HMAC-SHA256, with the bytes of a key file, over everything before it; null without a key. Whoever can write the
database and has no key cannot make a file that fits; whoever has the key can, so it does not belong on that machine.

Refused (`HeadsRefused`): another format, a file that was cut off or changed, a signature of another key.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from holdfast.core.records.learned_type import learned
from holdfast.db.audit_shapes import Head

T = TypeVar("T")

FORMAT = "holdfast heads 1"

KEY_BYTES_MIN = 16
"""Shortest key that is taken."""

LINE_BYTES_MAX = 10_000
"""Longest line that is read."""


class HeadsRefused(Exception):
    """The file, or the key, cannot be used; the message says why."""


class _Begin(msgspec.Struct):
    format: str
    at: str
    levels: list[Head]


class _End(msgspec.Struct):
    count: int
    entries: int
    signature: str | None


def key_of(path: Path | None) -> bytes | None:
    """The key in a file, white space around it left out; None without a file."""
    if path is None:
        return None
    key = path.read_bytes().strip()
    if len(key) < KEY_BYTES_MIN:
        raise HeadsRefused(f"{path}: a key has at least {KEY_BYTES_MIN} bytes.")
    return key


def heads_lines(heads: Iterable[Head], at: str, key: bytes | None) -> Iterator[str]:
    """The file's text, in parts."""
    mac = hmac.new(key or b"", digestmod="sha256")
    count = entries = 0
    begin = f'{{"format": "{FORMAT}", "at": "{at}", "levels": ['
    mac.update(begin.encode())
    yield begin
    for head in heads:
        line = f"{',' if count else ''}\n{msgspec.json.encode(head).decode()}"
        mac.update(line.encode())
        yield line
        count, entries = count + 1, entries + head.entries
    end = f'\n], "count": {count}, "entries": {entries}, "signature": '
    mac.update(end.encode())
    yield end + ("null" if key is None else f'"{mac.hexdigest()}"') + "}\n"


def read_heads(file: BinaryIO, key: bytes | None) -> Iterator[Head]:
    """The heads of a file, which is read once to its end before, to see that it is whole and signed with the key."""
    for _ in _heads(file, key):
        pass
    file.seek(0)
    return _heads(file, key)


def _heads(file: BinaryIO, key: bytes | None) -> Iterator[Head]:
    mac = hmac.new(key or b"", digestmod="sha256")
    count = entries = 0
    begin = _line(file)
    if _decoded(begin.rstrip(b"\n") + b"]}", _Begin).format != FORMAT:
        raise HeadsRefused(f"The heads are of another format than {FORMAT!r}.")
    mac.update(begin)
    while not (line := _line(file)).startswith(b"], "):
        mac.update(line)
        head = _decoded(line.rstrip(b",\n"), Head)
        count, entries = count + 1, entries + head.entries
        yield head
    end = _decoded(b"{" + line.removeprefix(b"], "), _End)
    signed, found, _ = line.rpartition(b'"signature": ')
    mac.update(signed + found)
    if (count, entries) != (end.count, end.entries):
        raise HeadsRefused(f"The heads are not whole: {end.count} levels were written, {count} are there.")
    if key is not None and not hmac.compare_digest(mac.hexdigest(), end.signature or ""):
        raise HeadsRefused("The heads are not signed with this key, or were changed since.")


def _line(file: BinaryIO) -> bytes:
    line = file.readline(LINE_BYTES_MAX)
    if not line.endswith(b"\n"):
        raise HeadsRefused("The heads were cut off, or are no file of `holdfast export heads`.")
    return line


def _decoded(text: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=learned(kind))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HeadsRefused("This is no file of `holdfast export heads`.") from error
