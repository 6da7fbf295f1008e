"""PostgreSQL answers COMMIT with an error although it went through, as Citus does when a worker does not answer."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.pq import PipelineStatus, TransactionStatus

from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.batch import session
from tests.races.stand import Tally, assert_books, buy, found, open_shop, outcome_of, stock_up


def _answer_with_an_error(monkeypatch: pytest.MonkeyPatch, error: type[psycopg.Error]) -> list[str]:
    """The next commit goes through and is answered with the error; where it was sent is kept in the list."""
    sent: list[str] = []
    real_received, real_execute = session.PostgresBatchSession._received, psycopg.Connection.execute

    def received(self):
        real_received(self)
        if not sent and self.connection.info.transaction_status == TransactionStatus.IDLE:
            sent.append("with the writes")
            raise error("could not commit transaction for shard 102313 on at least one active node")

    def execute(self, query, *arguments, **options):
        cursor = real_execute(self, query, *arguments, **options)
        if not sent and query == "COMMIT" and self.pgconn.pipeline_status == PipelineStatus.OFF:
            sent.append("alone")
            raise error("could not commit transaction for shard 102313 on at least one active node")
        return cursor

    monkeypatch.setattr(session.PostgresBatchSession, "_received", received)
    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    return sent


ERRORS = [psycopg.errors.InternalError_, psycopg.errors.StatementCompletionUnknown, psycopg.errors.DiskFull]


@pytest.mark.parametrize("error", ERRORS)
def test_holds_are_not_made_twice(postgres_url, monkeypatch, error):
    """The connection lives, the commands have no key: what was done is found by the batch's row of events."""
    with open_shop(postgres_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 1000)
        sent = _answer_with_an_error(monkeypatch, error)
        names = [f"o-{n}" for n in range(8)]

        outcomes = [outcome_of(future) for future in [shop.submit(actor, buy("MUG-1", name)) for name in names]]

        assert sent == ["with the writes"]
        assert Tally(outcomes).accepted == 8, Tally(outcomes).failed[:3]
        assert assert_books(shop, actor).orders() == dict.fromkeys(names, 1)


@pytest.mark.parametrize("error", ERRORS)
def test_goods_are_not_received_twice(postgres_url, monkeypatch, error):
    """The same where the commit is sent alone: a level's first row waits to see that the catalog has not changed."""
    with open_shop(postgres_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 1)
        stock_up(shop, actor, "TEE-1", 0)
        sent = _answer_with_an_error(monkeypatch, error)

        outcome = outcome_of(shop.submit(actor, Receive("MAIN", (ReceiptLine("TEE-1", 5, "1.00"),))))

        assert sent == ["alone"]
        assert Tally([outcome]).accepted == 1, outcome
        assert [level["on_hand"] for level in assert_books(shop, actor).levels] == [1, 5]


REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
AS $$BEGIN RAISE EXCEPTION 'says no' USING ERRCODE = 'foreign_key_violation'; END$$;
CREATE CONSTRAINT TRIGGER refusing AFTER INSERT ON reservation DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION refuse()
"""


def test_a_constraint_that_refuses_the_commit_leaves_no_doubt(postgres_url):
    """A deferred constraint says no for certain: nothing was done, and nobody looks for it."""
    with open_shop(postgres_url) as shop:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 1000)
        with psycopg.connect(postgres_url) as connection:
            connection.execute(REFUSING)

        outcome = outcome_of(shop.submit(actor, buy("MUG-1", "o-1")))

        assert isinstance(outcome, psycopg.errors.ForeignKeyViolation), outcome
        assert assert_books(shop, actor).orders() == {}
