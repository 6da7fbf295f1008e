"""The opponents: how inventory is reserved without Holdfast, each at its best.

Every yardstick has `setup(url, skus)` and `measure(url, *, skus, clients, seconds) -> Measurement`, and
checks its own books after the run. All are durable: fsync and synchronous_commit on (SQLite: FULL).

Kindnesses, so that nobody need say an opponent was hobbled: no foreign keys, one index on the ledger,
time-ordered ids and keys, fillfactor 50 on what is updated, statements prepared, connections warm, and for
each the client layout that was fastest. They also do less than Holdfast: no lots, no fingerprint of the
command, no replay of a stored answer.
"""
