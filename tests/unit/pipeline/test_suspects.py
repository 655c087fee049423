"""worker/pipeline/suspects.py: who is suspected, when that is told, and what becomes of a suspect."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from repository.database import ConnectionLost, Database
from tests.deliveries import context_of, delivery
from worker.broker.messages import Delivery, Trail
from worker.intake.edge import Reading
from worker.pipeline import outcomes, suspects
from worker.pipeline.context import Context
from worker.pipeline.outcomes import Outcome, OutcomeKind
from worker.pipeline.suspects import (
    DELIVERIES_MAX,
    KILLED,
    SUSPECT_DELIVERIES_MAX,
    carry_out_suspect,
    carry_out_unsuspected,
)


class Postgres:
    """Is there, or away. Nothing is asked of it."""

    def __init__(self) -> None:
        self.is_away = False
        self.probes = 0

    async def probe(self) -> None:
        self.probes += 1
        if self.is_away:
            raise ConnectionLost

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        yield None


class Line:
    """Stands in for carry_out: lets everything wait for another try."""

    def __init__(self, postgres: Postgres) -> None:
        self.batches: list[list[int]] = []
        self._postgres = postgres

    async def carry_out(self, batch: Sequence[Delivery], context: Context, _unverified: object = None) -> list[Outcome]:
        self.batches.append([one.tag for one in batch])
        if self._postgres.is_away:
            raise ConnectionLost
        return [outcomes.retried(Reading(one), "OfTheTest", 1, context.now()) for one in batch]


@pytest.fixture
def postgres() -> Postgres:
    return Postgres()


@pytest.fixture
def context(postgres: Postgres) -> Context:
    return context_of(cast("Database", postgres))


@pytest.fixture
def line(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Line:
    made = Line(postgres)
    monkeypatch.setattr(suspects, "carry_out", made.carry_out)
    return made


def handed_over(tag: int, before: int, message_id: str = "", **changes: Any) -> Delivery:
    """Make a delivery that the broker has handed over so often before."""
    return replace(delivery(tag, message_id, {}), deliveries_before=before, **changes)


def kinds(ended: Sequence[Outcome]) -> list[tuple[int, OutcomeKind]]:
    return [(one.reading.delivery.tag, one.kind) for one in ended]


# ---------------------------------------------------------------- in a batch


async def test_nobody_is_suspected_before_the_third_time_and_then_the_database_is_not_asked(
    context: Context, line: Line, postgres: Postgres
) -> None:
    batch = [handed_over(1, 0), handed_over(2, DELIVERIES_MAX - 1)]

    ended = await carry_out_unsuspected(batch, context, [])

    assert kinds(ended) == [(1, OutcomeKind.RETRIED), (2, OutcomeKind.RETRIED)]
    assert (line.batches, postgres.probes) == ([[1, 2]], 0)


async def test_who_is_handed_over_for_the_third_time_is_moved_and_the_others_are_carried_out(
    context: Context, line: Line
) -> None:
    batch = [handed_over(1, 0), handed_over(2, DELIVERIES_MAX), handed_over(3, 9), handed_over(4, 1)]

    ended = await carry_out_unsuspected(batch, context, [])

    assert kinds(ended) == [
        (2, OutcomeKind.SUSPECTED),
        (3, OutcomeKind.SUSPECTED),
        (1, OutcomeKind.RETRIED),
        (4, OutcomeKind.RETRIED),
    ]
    assert line.batches == [[1, 4]]
    assert [one.moved.routing_key for one in ended[:2] if one.moved] == ["orders.suspects"] * 2


async def test_of_suspects_alone_nothing_is_carried_out(context: Context, line: Line) -> None:
    ended = await carry_out_unsuspected([handed_over(1, DELIVERIES_MAX)], context, [])

    assert kinds(ended) == [(1, OutcomeKind.SUSPECTED)]
    assert line.batches == []


async def test_while_the_database_is_away_nobody_is_suspected(context: Context, line: Line, postgres: Postgres) -> None:
    postgres.is_away = True

    with pytest.raises(ConnectionLost):
        await carry_out_unsuspected([handed_over(1, DELIVERIES_MAX), handed_over(2, 0)], context, [])

    assert line.batches == []


# ---------------------------------------------------------------- alone


async def test_a_suspect_has_as_many_chances_as_the_rule_says(context: Context, line: Line) -> None:
    outcome, fault = await carry_out_suspect(handed_over(1, SUSPECT_DELIVERIES_MAX - 1), context)

    assert (outcome.kind, fault) == (OutcomeKind.RETRIED, None)
    assert line.batches == [[1]]


async def test_one_that_has_had_them_is_set_aside_and_not_read_again(context: Context, line: Line) -> None:
    suspect = handed_over(1, SUSPECT_DELIVERIES_MAX, trail=Trail(attempts=2))

    outcome, fault = await carry_out_suspect(suspect, context)

    assert (outcome.kind, fault) == (OutcomeKind.FAILED, None)
    assert (outcome.log_fields["reason"], outcome.log_fields["attempts"]) == (KILLED, 2)
    assert outcome.moved is not None
    assert outcome.moved.is_dead_letter
    assert line.batches == []


async def test_a_suspect_that_finds_the_database_away_goes_back_as_one_that_was_never_handed_over(
    context: Context, line: Line, postgres: Postgres
) -> None:
    postgres.is_away = True

    outcome, fault = await carry_out_suspect(handed_over(1, SUSPECT_DELIVERIES_MAX - 1), context)

    assert outcome.kind is OutcomeKind.SUSPECTED
    assert isinstance(fault, ConnectionLost)
    assert line.batches == [[1]]


def test_a_suspect_is_given_more_chances_than_it_took_to_be_suspected() -> None:
    # In orders.suspects a broker that dies counts as well.
    assert SUSPECT_DELIVERIES_MAX > DELIVERIES_MAX >= 2
