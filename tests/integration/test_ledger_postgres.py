"""On PostgreSQL the ledger promises the same as in a file: exact, append-only, verifiable, clear when out of reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import psycopg2
import pytest
from ledger_examples import Clock, kept_in, measured, plan, postgres, reserve
from sqlalchemy import Connection, make_url, text
from sqlalchemy.pool import NullPool

from dp_stats.catalogue.models import Organisation
from dp_stats.errors import BudgetError, LedgerError
from dp_stats.ledger import Ledger
from dp_stats.ledger.database import Database


@pytest.fixture(scope="module")
def server() -> Iterator[Callable[[], str]]:
    with postgres() as database:
        yield database


@pytest.fixture
def url(server: Callable[[], str]) -> str:
    return server()


def run(url: str, *statements: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    for statement in statements:
        connection.cursor().execute(statement)
    connection.close()


def test_an_edition_is_reserved_measured_and_verified(url: str) -> None:
    ledger = Ledger.open(url, clock=Clock())
    made = measured(ledger, plan(series="weekly"), bytes(range(256)))
    kept = ledger.measurements(made.edition)
    assert kept is not None
    assert kept.stored == bytes(range(256))
    with pytest.raises(BudgetError):
        reserve(ledger, plan("2021-W09", rho="0.016"))
    head = ledger.verify().head
    viewer = Ledger.open(url, read_only=True)
    assert viewer.verify(head).head == head
    assert viewer.blocks()[0].spent == Fraction("0.005")
    with pytest.raises(LedgerError, match="opened for reading"):
        viewer.void(made, "no")


def test_a_web_server_appends_what_it_hands_out_and_the_database_refuses_it_all_else(url: str) -> None:
    run(url, "DO $$ BEGIN CREATE ROLE ledger_web; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    own = Ledger.open(url, clock=Clock())
    made = measured(own, plan(series="weekly"))
    separator = "&" if "?" in url else "?"
    as_web = f"{url}{separator}options=-crole%3Dledger_web"
    web = Ledger.open(as_web, create=False, clock=Clock())
    organisation = Organisation.model_validate(COUNTY)
    accepted = web.accept(organisation, user="dana")
    assert own.acceptances() == [accepted]
    assert web.blocks() == own.blocks()
    before = own.head()
    for refused in (
        lambda: reserve(web, plan("2021-W09")),
        lambda: web.approve(made.plan_hash, "custodian", "refused", "no", None, {}),
        lambda: web.void(reserve(own, plan("2021-W10", release="other")), "no"),
    ):
        head = own.head()
        with pytest.raises(LedgerError):
            refused()
        assert own.head().sequence <= head.sequence + 1, "only what the ledger itself reserved"
    for statement in (
        "UPDATE ledger_charges SET rho = '0'",
        "DELETE FROM ledger_acceptances",
        "UPDATE ledger_entries SET payload = '{}'",
        "INSERT INTO ledger_entries SELECT sequence + 100, hash, reverse(hash), at, 'approved', payload FROM ledger_entries "
        "LIMIT 1",
    ):
        with pytest.raises(psycopg2.Error):
            run(as_web, statement)
    assert own.problems() == []
    assert own.head().sequence == before.sequence + 1


COUNTY = {
    "id": "county",
    "name": "The county",
    "basis": "A contract",
    "users": ["dana"],
    "terms": {"version": 1, "text": "Do not pass these figures on."},
    "starts": "2020-01-01",
    "ends": "2198-12-31",
}


def test_a_ledger_may_share_its_database_with_others(url: str) -> None:
    run(url, "CREATE TABLE alembic_version (version_num text)", "INSERT INTO alembic_version VALUES ('of another')")
    Ledger.open(url)
    assert Ledger.open(url, create=False).head().sequence == 1


def test_a_missing_ledger_is_created_only_where_that_is_wanted(url: str) -> None:
    for options in ({"read_only": True}, {"create": False}):
        with pytest.raises(LedgerError, match="There is no ledger"):
            Ledger.open(url, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("table", ["ledger_entries", "ledger_measurements"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET at = ''", "TRUNCATE {}"])
def test_a_mistaken_statement_is_stopped_by_the_database(url: str, table: str, statement: str) -> None:
    measured(Ledger.open(url, clock=Clock()), plan())
    with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
        run(url, statement.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger_entries WHERE sequence = 3",
        "UPDATE ledger_entries SET payload = replace(payload, '1/200', '1/900')",
        "UPDATE ledger_charges SET state = 'void'",
        "UPDATE ledger_measurements SET content = 'x'",
        "DELETE FROM ledger_head",
    ],
)
def test_an_intended_change_is_found(url: str, statement: str) -> None:
    ledger = Ledger.open(url, clock=Clock())
    measured(ledger, plan())
    run(url, "SET session_replication_role = replica", statement)
    assert ledger.problems()


def test_a_server_that_is_not_there(url: str) -> None:
    for gone in (
        "postgresql://x@127.0.0.1:1/ledger",
        "postgresql://x@/ledger?host=/nowhere",
        url.replace("ledger", "no"),
    ):
        with pytest.raises(LedgerError, match="Check"):
            Ledger.open(gone)


def test_a_server_that_goes_away_while_in_use(url: str) -> None:
    ledger = Ledger.open(url, clock=Clock())

    def hang_up_in_mid_transaction() -> None:
        with ledger._database.write() as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            run(url, f"SELECT pg_terminate_backend({pid})")
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(LedgerError, match="cannot be reached"):
        hang_up_in_mid_transaction()
    assert ledger.verify().entries == 1


def test_a_read_only_database(url: str) -> None:
    ledger = Ledger.open(url, clock=Clock())
    name = url.split("?")[0].rsplit("/", 1)[1]
    run(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(LedgerError, match="read-only"):
        reserve(ledger, plan())
    assert ledger.verify().entries == 1


def test_a_locked_ledger_gives_up_after_a_while(url: str) -> None:
    Ledger.open(url)
    ledger = Ledger.open(url, lock_seconds=0.05, clock=Clock())
    other = psycopg2.connect(url)
    other.cursor().execute("SELECT * FROM ledger_head FOR UPDATE")
    with pytest.raises(LedgerError, match="lock for too long"):
        ledger.approve(plan().hash, "custodian", "refused", "", None, {})
    other.rollback()
    other.close()


def test_a_newer_schema_is_refused(url: str) -> None:
    Ledger.open(url)
    run(url, "UPDATE ledger_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match="newer"):
        Ledger.open(url)


def test_a_restored_backup_or_an_empty_database_is_refused_by_the_kept_heads(
    server: Callable[[], str], tmp_path: Path
) -> None:
    url, other = server(), server()
    name = str(make_url(url).database)
    reserve(Ledger.open(url, clock=Clock(), witnesses=kept_in(tmp_path)), plan("2021-W05"))
    run(other, f"CREATE DATABASE {name}_backup TEMPLATE {name}")
    measured(Ledger.open(url, clock=Clock(), witnesses=kept_in(tmp_path)), plan())
    run(other, f"DROP DATABASE {name}", f"ALTER DATABASE {name}_backup RENAME TO {name}")
    with pytest.raises(LedgerError, match=r"(?s)knows less.*entries up to 5:.*ends at 2"):
        Ledger.open(url, clock=Clock(), witnesses=kept_in(tmp_path))
    with pytest.raises(LedgerError, match=r"There is no ledger.*something was released"):
        Ledger.open(other, clock=Clock(), witnesses=kept_in(tmp_path))
    assert Ledger.open(other, clock=Clock(), witnesses=kept_in(tmp_path), new=True).head().sequence == 1


def test_transactions_are_what_the_ledger_rests_on(url: str) -> None:
    Ledger.open(url)
    names = ("transaction_isolation", "transaction_read_only", "lock_timeout", "synchronous_commit", "application_name")

    def asked(connection: Connection) -> list[str]:
        return [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]

    otherwise = make_url(url).update_query_dict({"options": "-c default_transaction_isolation=serializable"})
    served = otherwise.render_as_string(hide_password=False)  # by a server with other ideas
    reader, writer = Database(served, read_only=True), Database(served, read_only=False, lock_seconds=1.5)
    with reader.read() as connection:
        assert asked(connection)[:2] == ["repeatable read", "on"]
        assert asked(connection)[4] == "dp_stats ledger"
    for migrating in (False, True):
        with writer.write(migrating=migrating) as connection:
            assert asked(connection) == ["read committed", "off", "1500ms", "on", "dp_stats ledger"]
            with pytest.raises(LedgerError, match="lock"), writer.write(migrating=migrating):
                pass
    assert isinstance(writer.engine.pool, NullPool)
    assert writer.engine.hide_parameters


def test_a_reader_on_postgres_sees_one_moment(url: str) -> None:
    ledger = Ledger.open(url, clock=Clock())
    with Database(url, read_only=True).read() as connection:
        count = text("SELECT COUNT(*) FROM ledger_entries")
        before = connection.execute(count).scalar_one()
        reserve(ledger, plan())
        assert connection.execute(count).scalar_one() == before
    with Database(url, read_only=True).read() as connection:
        assert connection.execute(count).scalar_one() > before
