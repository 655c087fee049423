"""Whose fault it is, as far as the fault alone tells it."""

import asyncpg
import pytest

from repository.faults import Blame, blame_of, fix_of, is_same_fault, says, sqlstate_of


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (ConnectionResetError(), Blame.SERVER),
        (TimeoutError(), Blame.SERVER),
        (asyncpg.DiskFullError(), Blame.SERVER),
        (asyncpg.LockNotAvailableError(), Blame.LOCK),
        (asyncpg.InsufficientPrivilegeError(), Blame.UNKNOWN),
        (asyncpg.UndefinedTableError(), Blame.UNKNOWN),
        (asyncpg.SequenceGeneratorLimitExceededError(), Blame.UNKNOWN),
        (asyncpg.IndexCorruptedError(), Blame.UNKNOWN),
        (asyncpg.DeadlockDetectedError(), Blame.UNKNOWN),
        (asyncpg.QueryCanceledError(), Blame.UNKNOWN),
        (asyncpg.NumericValueOutOfRangeError(), Blame.REQUEST),
        (asyncpg.ForeignKeyViolationError(), Blame.REQUEST),
        (KeyError("a bug"), Blame.REQUEST),
    ],
)
def test_a_fault_tells_whose_it_is_or_that_a_trial_must(error: Exception, blame: Blame) -> None:
    assert blame_of(error) is blame


def test_what_postgres_says_is_quoted_unless_it_may_quote_what_was_to_be_written() -> None:
    assert says(asyncpg.InsufficientPrivilegeError("permission denied\nfor table orders")) == (
        "permission denied for table orders"
    )
    assert says(asyncpg.InvalidTextRepresentationError('invalid input syntax: "hunter2"')) == ""
    assert says(asyncpg.UniqueViolationError("duplicate key")) == ""
    assert says(OSError("no route")) == ""


def test_a_fault_names_its_fix_by_its_own_state_before_its_class() -> None:
    assert sqlstate_of(asyncpg.UndefinedTableError()) == "42P01"
    assert "orders migrate" in fix_of(asyncpg.UndefinedTableError())
    assert fix_of(asyncpg.AdminShutdownError()).startswith("wait until Postgres has started")
    assert fix_of(asyncpg.SyntaxOrAccessError()) == ""


def test_two_faults_are_the_same_by_kind_and_state() -> None:
    one, other = asyncpg.UndefinedTableError("a"), asyncpg.UndefinedTableError("b")

    assert is_same_fault(one, other)
    assert not is_same_fault(one, asyncpg.InsufficientPrivilegeError("a"))
