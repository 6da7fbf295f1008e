"""The chain of each level's ledger: what was written once and rewritten since does not fit any more.

    link_of(begin(org_id, level_id), [content of 1, of 2])      -> the link after entry 2
    link_of(link after 2, [content of 3])                       -> the link after entry 3

The entries that one transaction writes at a level are a run. A run ends with a link: SHA-256 of the link before it and
of the run's entries as JSON, one after the other. The last entry of a run keeps it, the others keep `WITHIN`; entries
from before there was a chain keep none (NULL). A level knows its last link, its head, so that a batch need not look for
it. (A link for each entry was measured: three times the cost, decision 0026.)

The first run follows upon the ids of organisation and level: an entry that is put into another ledger does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from holdfast.core.records.ledger import Entry
from holdfast.core.records.stock import Level

WITHIN = b""
"""What entries of a run keep before its last one."""

_begun = sha256()


def begin(org_id: str, level_id: str) -> bytes:
    """What stands where the first link of a level's ledger has the link before it."""
    return f"{org_id} {level_id} ".encode()


def link_of(before: bytes, contents: Iterable[bytes]) -> bytes:
    """The link of a run of entries, each as JSON, after the link `before`: 32 bytes."""
    link = _begun.copy()  # a third cheaper than beginning anew
    update = link.update
    update(before)
    for content in contents:  # one by one: for more than 2,047 bytes Python lets other threads run, and waits for them
        update(content)
    return link.digest()


def chained(
    org_id: str, levels: Mapping[str, Level], entries: Sequence[Entry], contents: Sequence[bytes]
) -> list[bytes]:
    """What each entry of a transaction keeps; the levels (by id) get their new heads. `contents` are their JSON."""
    runs: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        run = runs.get(entry.level_id)
        if run is None:
            runs[entry.level_id] = [index]
        else:
            run.append(index)
    kept = [WITHIN] * len(entries)
    for level_id, run in runs.items():
        level = levels[level_id]
        before = level.head or begin(org_id, level_id)
        kept[run[-1]] = level.head = link_of(before, [contents[index] for index in run])
    return kept
