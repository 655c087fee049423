"""An act is two lines (repository/audit.py), and what the version before wrote is taken over."""

import asyncpg
import pytest
from alembic import command

from repository import audit, migrate
from repository.audit import Line
from repository.database import Database

OLD_LINE = """
    INSERT INTO audit (
        operator, action, because, queue, publisher, message_id, reason, code, body_sha256, new_message_id, changes
    )
    VALUES ('alice as operator', 'edit', 'renamed', 'orders.dead', 'storefront', 'mine', 'rejected', 'x', 'ab', 'new',
        '[{"parameter": "paymentmethod", "before": "bitcoin", "after": "paypal"}]')
"""


async def test_an_act_is_two_lines_and_one_alone_has_no_known_end(shop_url: str) -> None:
    async with Database(shop_url) as database, database.connection() as connection:
        lines = [Line("discard", f"m-{number}", "asked again", details={"code": "x"}) for number in range(3)]
        ids = await audit.begin(connection, "alice", "operator", lines)
        await audit.end(connection, [(ids[0], {"done": True}), (ids[2], {"done": False})])

        found = await audit.acts(connection, most=10)

    assert [(act.thing, act.actor, act.by, act.act, act.why) for act in found] == [
        (thing, "alice", "operator", "discard", "asked again") for thing in ("m-2", "m-1", "m-0")
    ]
    assert [(act.ended_at is not None, act.outcome) for act in found] == [
        (True, {"done": False}),
        (False, None),
        (True, {"done": True}),
    ]


async def test_an_act_ends_once(shop_url: str) -> None:
    async with Database(shop_url) as database, database.connection() as connection:
        [begun] = await audit.begin(connection, "alice", "operator", [Line("discard", "m", "asked again")])
        await audit.end(connection, [(begun, {})])

        with pytest.raises(asyncpg.UniqueViolationError):
            await audit.end(connection, [(begun, {})])


async def test_parts_of_a_run_are_found_by_what_they_were_done_to(shop_url: str) -> None:
    async with Database(shop_url) as database, database.connection() as connection:
        [run] = await audit.begin(connection, "alice", "operator", [Line("replay", "orders.dead", "")])
        await audit.begin(connection, "alice", "operator", [Line("replay", "mine", "")], run)
        await audit.begin(connection, "bob", "operator", [Line("edit", "mine", "renamed", "new")])

        told = [(act.actor, act.thing) for act in await audit.acts(connection, most=10)]
        of_mine, of_new = [await audit.about(connection, [thing]) for thing in ("mine", "new")]

    assert told == [("bob", "mine"), ("alice", "orders.dead")]
    assert [act.act for act in of_mine] == ["replay", "edit"]
    assert [(act.thing, act.new_message_id) for act in of_new] == [("mine", "new")]


async def test_who_is_at_it_is_the_newest_act_without_an_end(shop_url: str) -> None:
    async with Database(shop_url) as database, database.connection() as connection:
        [first] = await audit.begin(connection, "alice", "operator", [Line("replay", "orders.dead", "")])
        [second] = await audit.begin(connection, "bob", "operator", [Line("discard", "mine", "not needed")])
        await audit.end(connection, [(second, {})])

        going_on = await audit.going_on(connection)
        await audit.end(connection, [(first, {})])
        nobody = await audit.going_on(connection)

    assert going_on is not None
    assert (going_on.actor, going_on.id) == ("alice", first)
    assert nobody is None


async def test_lines_of_the_version_before_are_taken_over_those_that_it_still_writes_too(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade
    with monkeypatch.context() as before:
        before.setattr(command, "upgrade", lambda config, _: upgrade(config, "0005"))
        await migrate.migrate(database_url)
    await execute(database_url, OLD_LINE)
    await migrate.migrate(database_url)
    await execute(database_url, OLD_LINE)

    async with Database(database_url) as database, database.connection() as connection:
        found = await audit.about(connection, ["mine"])
        going_on = await audit.going_on(connection)

    assert len(found) == 2
    for act in found:
        assert (act.actor, act.by, act.act, act.thing) == ("alice", "operator", "edit", "mine")
        assert (act.why, act.new_message_id, act.ended_at) == ("renamed", "new", None)
        assert act.details == {
            "queue": "orders.dead",
            "publisher": "storefront",
            "reason": "rejected",
            "code": "x",
            "body_sha256": "ab",
            "changes": [{"parameter": "paymentmethod", "before": "bitcoin", "after": "paypal"}],
        }
    assert going_on is None


async def execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
