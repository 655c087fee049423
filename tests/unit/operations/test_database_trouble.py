"""worker/operations/database_trouble.py: what is seen in the database, as findings."""

from repository.trouble import Prepared, Session, Trouble, Waiting
from worker.operations.database_trouble import found_in
from worker.operations.findings import Level

WELL = Trouble(waiting=(), idle=(), prepared=(), transaction_ids=200_000_000, rights=())
REPORT = Session(99, "bob", "psql")


def test_a_database_that_is_well_has_nothing_to_tell() -> None:
    assert list(found_in(WELL)) == []


def test_who_holds_what_others_need_is_named_with_its_end() -> None:
    seen = Trouble(
        waiting=(
            Waiting(Session(12, "shop", "orders"), 5.0, REPORT),
            Waiting(Session(13, "", ""), 65.0, Session(0, "", "")),
        ),
        idle=((REPORT, 3_600.0),),
        prepared=(Prepared("x", "ann", 120.0),),
        transaction_ids=0,
        rights=(),
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
    warned, wrong = (next(found_in(Trouble((), (), (), ids, ()))) for ids in (1_500_000_000, 1_950_000_000))

    assert (warned.level, wrong.level) == (Level.WARNING, Level.WRONG)
    assert warned.says.startswith("1,500,000,000 transaction ids are in use")


def test_rights_that_are_missing_are_named_by_table() -> None:
    [found] = found_in(Trouble((), (), (), 0, (("orders", ("INSERT", "UPDATE")),)))

    assert (found.level, found.says) == (Level.WRONG, "this user lacks INSERT and UPDATE on table orders")
