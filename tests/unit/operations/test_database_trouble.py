"""worker/operations/database_trouble.py: what is seen in the database, as findings."""

from dataclasses import replace
from datetime import UTC, datetime

from repository.processes import Identity, Kind, Process
from repository.trouble import Lacking, Prepared, Room, Session, Standbys, Trouble, Waiting
from worker.operations.database_trouble import connections, found_in
from worker.operations.findings import Level

WELL = Trouble(
    waiting=(), idle=(), prepared=(), transaction_ids=200_000_000, rights=(), sequences=(), standbys=Standbys("", 0, 0)
)
REPORT = Session(99, "bob", "psql")


def test_a_database_that_is_well_has_nothing_to_tell() -> None:
    assert list(found_in(WELL)) == []


def test_who_holds_what_others_need_is_named_with_its_end() -> None:
    seen = replace(
        WELL,
        waiting=(
            Waiting(Session(12, "shop", "orders"), 5.0, REPORT),
            Waiting(Session(13, "", ""), 65.0, Session(0, "", "")),
        ),
        idle=((REPORT, 3_600.0),),
        prepared=(Prepared("x", "ann", 120.0),),
    )

    found = list(found_in(seen))

    assert {one.level for one in found} == {Level.WARNING}
    assert [one.says for one in found] == [
        "pid 12 (user shop, orders) waits for 5 s for what pid 99 (user bob, psql) holds",
        "pid 13 waits for 65 s for what a prepared transaction holds",
        "pid 99 (user bob, psql) is in a transaction and has done nothing for 60 min: what it has locked stays locked",
        "transaction x of ann was prepared 2 min ago and never ended: what it has locked stays locked",
    ]
    assert found[0].fix == "Let it end, or end it: SELECT pg_terminate_backend(99)."
    assert found[3].fix == "ROLLBACK PREPARED 'x', or COMMIT PREPARED."


def test_transaction_ids_are_told_before_postgres_stops() -> None:
    warned, wrong = (next(found_in(replace(WELL, transaction_ids=ids))) for ids in (1_500_000_000, 1_950_000_000))

    assert (warned.level, wrong.level) == (Level.WARNING, Level.WRONG)
    assert warned.says.startswith("1,500,000,000 transaction ids are in use")


def test_rights_that_are_missing_are_named_by_table_and_sequence() -> None:
    rights = (Lacking("orders", "table", ("INSERT", "UPDATE")), Lacking("orders_id_seq", "sequence", ("USAGE",)))
    found = list(found_in(replace(WELL, rights=rights)))

    assert {one.level for one in found} == {Level.WRONG}
    assert [one.says for one in found] == [
        "this user lacks INSERT and UPDATE on table orders",
        "this user lacks USAGE on sequence orders_id_seq",
    ]
    assert found[1].fix == "GRANT USAGE ON SEQUENCE orders_id_seq TO the user of a worker."


def test_a_standby_that_commits_wait_for_and_that_is_gone_is_told_with_the_way_on() -> None:
    [gone] = found_in(replace(WELL, standbys=Standbys("s1", 0, 0)))
    [another] = found_in(replace(WELL, standbys=Standbys("s1", 1, 0)))

    assert gone.level is Level.WRONG
    assert gone.says == "each commit waits for a standby, synchronous_standby_names is 's1', and no standby is there"
    assert another.says.endswith("is 's1', and of 1 standbys none is one of them")
    assert "ALTER SYSTEM SET synchronous_standby_names = ''" in gone.fix
    assert list(found_in(replace(WELL, standbys=Standbys("s1", 1, 1)))) == []


AT = datetime(2026, 5, 1, tzinfo=UTC)
WORKER = Process(Identity("run", Kind.WORKER, "host", 1, "1", "", ()), 0, "", AT, AT, 0.0)


def test_the_connections_of_all_workers_are_reckoned_against_the_limit() -> None:
    """Each wants five, and works with two."""
    limit = Room("max_connections", 17, 3)
    [fits], [tight], [none] = (list(connections([WORKER] * count, limit)) for count in (2, 4, 8))

    assert (fits.level, fits.says) == (Level.OK, "2 workers want 10, and there is room for 14")
    assert tight.level is Level.WARNING
    assert tight.says == "4 workers want 20, and there is room for 14: max_connections allows 17, and others have 3"
    assert none.level is Level.WRONG
    assert list(connections([], limit)) == []
