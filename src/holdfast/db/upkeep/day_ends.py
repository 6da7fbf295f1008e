"""What each account had come to when a day had ended, kept aside: a trial balance then adds up days, not years.

    keep_day_ends(database, now)      -> how many days that were over were added up

Days end without anybody closing them, and nothing here forbids anything: a posting on an earlier day (a batch that took
its time at midnight, a clock that was put back, an organisation that moved to the west) takes away what was kept of
that day and the days after it, in its own transaction (`save`), and they are added up again. So that none slips through
between reading and writing, the row is there, still without balances, before they are read: whoever commits after that
finds it and takes it away, and whoever came before has committed once the organisation's row could be locked. When it
was made tells the row from one that somebody else has put there since.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from holdfast.core.records.time import day_at, end_of_day
from holdfast.core.stock.journal import ACCOUNTS
from holdfast.db import schema
from holdfast.db.engine import Database
from holdfast.db.exact_sum import exact_sum

DAY = 86_400 * 1_000_000
"""Microseconds."""

SLACK = 2 * DAY
"""How far the day of a posting may be from its instant by the clocks of all time zones; it only narrows a search."""

LATE = 600 * 1_000_000
"""A day is added up so many microseconds after it ended: what began before midnight has mostly been written by then."""

log = structlog.get_logger("holdfast.sweeper")

Balances = list[tuple[str, int, int]]
"""(account, debits, credits), minor units, all from the beginning."""

_end, _posting, _organisation = schema.day_end.c, schema.posting.c, schema.organisation.c


class _Due(NamedTuple):
    """A day of an organisation that is over in all its stores and was not added up."""

    org_id: str
    timezone: str
    day: str


def keep_day_ends(database: Database, now: int) -> int:
    """Add up the days that have ended, of every organisation; how many organisations that were.

    One whose days cannot be added up is told in the log, and keeps no other waiting. Raises where the database
    is away.
    """
    kept = 0
    for due in _due(database, now):
        try:
            kept += _keep(database, due, now)
        except Exception as error:
            if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
                raise
            log.warning("day_not_added_up", org_id=due.org_id, day=due.day, error=str(error))
    return kept


def _due(database: Database, now: int) -> list[_Due]:
    kept = sa.select(sa.func.max(_end.id)).where(_end.org_id == _organisation.org_id, _end.balances.is_not(sa.null()))
    asked = sa.select(_organisation.org_id, _organisation.timezone, kept.scalar_subquery())
    store = schema.store.c
    with database.reading() as connection:
        rows = connection.execute(asked.where(sa.exists().where(_posting.org_id == _organisation.org_id))).all()
        zones: dict[str, set[str]] = {}
        for org_id, timezone in connection.execute(sa.select(store.org_id, store.timezone).distinct()):
            zones.setdefault(org_id, set()).add(timezone)
    found = []
    for org_id, timezone, last in rows:
        today = min(day_at(now - LATE, zone) for zone in {timezone, *zones.get(org_id, ())})
        day = (date.fromisoformat(today) - timedelta(days=1)).isoformat()
        if last is None or last < day:
            found.append(_Due(org_id, timezone, day))
    return found


def _keep(database: Database, due: _Due, now: int) -> bool:
    """Add up one organisation's days; False when something was posted on them meanwhile: the next time will do."""
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    row = {"org_id": due.org_id, "id": due.day, "balances": sa.null(), "created_at": now}
    this = (_end.org_id == due.org_id, _end.id == due.day, _end.balances.is_(sa.null()))
    with database.writing() as connection:
        connection.execute(insert(schema.day_end).values(**row).on_conflict_do_nothing())
        made_at = connection.execute(sa.select(_end.created_at).where(*this)).scalar()
    if made_at is None:
        return False  # another process has added it up
    with database.writing() as connection:
        _lock(database, connection, due.org_id)
    ends = _ends(database, due)
    with database.writing() as connection:
        _lock(database, connection, due.org_id)
        ours = sa.update(schema.day_end).where(*this, _end.created_at == made_at)
        changed = connection.execute(ours.values(balances=ends.pop(due.day)))
        if not changed.rowcount:
            return False
        for day, sums in ends.items():
            made = insert(schema.day_end).values(**row | {"id": day, "balances": sums})
            again = made.on_conflict_do_update(
                index_elements=["org_id", "id"], set_={"balances": made.excluded.balances}
            )
            connection.execute(again)
    return True


def _lock(database: Database, connection: sa.Connection, org_id: str) -> None:
    """Wait for the batches that post for the organisation, and keep others waiting until the end of the transaction.

    On SQLite there is nothing to wait for: a batch has the whole file to itself.
    """
    if not database.is_sqlite:
        asked = sa.select(_organisation.org_id).where(_organisation.org_id == org_id)
        connection.execute(asked.with_for_update(key_share=True))


def _ends(database: Database, due: _Due) -> dict[str, Balances]:
    """The balances at the end of the due day, and of each before it, since the last one added up, that was posted on.

    What is kept of the last one is read in the same view as what was posted since: it may have been taken away.
    """
    kept = sa.select(_end.id, _end.balances).where(
        _end.org_id == due.org_id, _end.id < due.day, _end.balances.is_not(sa.null())
    )
    where = [_posting.org_id == due.org_id, _posting.day <= due.day]
    sums: dict[str, tuple[int, int]] = {}
    credits = exact_sum(sa.case((_posting.amount < 0, -_posting.amount), else_=0))
    asked = sa.select(_posting.day, _posting.account, exact_sum(_posting.amount), credits)
    with database.reading() as connection:
        last = connection.execute(kept.order_by(_end.id.desc()).limit(1)).first()
        if last is not None:
            where += [_posting.day > last.id, _posting.at >= end_of_day(last.id, due.timezone) - SLACK]
            sums = {account: (debit, credit) for account, debit, credit in last.balances}
        where.append(_posting.account.in_(_accounts(connection, due.org_id)))  # as the index has it that knows it all
        found = connection.execute(asked.where(*where).group_by(_posting.day, _posting.account))
        rows = sorted((day, account, int(balance), int(credit)) for day, account, balance, credit in found)
    ends = {}
    for day, of_day in groupby(rows, key=itemgetter(0)):
        for _, account, balance, credit in of_day:
            before = sums.get(account, (0, 0))
            sums[account] = (before[0] + balance + credit, before[1] + credit)
        ends[day] = _balances(sums)
    return {**ends, due.day: _balances(sums)}


def _balances(sums: dict[str, tuple[int, int]]) -> Balances:
    return [(account, debit, credit) for account, (debit, credit) in sorted(sums.items())]


def _accounts(connection: sa.Connection, org_id: str) -> list[str]:
    account = schema.account.c
    return [*ACCOUNTS, *connection.execute(sa.select(account.id).where(account.org_id == org_id)).scalars()]
