"""The two servers, as operations come to them: what goes wrong with one is an exception whose text says so."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from repository.database import Connection, Database, DatabaseFault
from repository.faults import POSTGRES_FAULTS, fix_of, says, sqlstate_of
from repository.revisions import PERMISSION_FAULTS, NotMigrated, check_migrated
from worker.broker.connection import (
    BROKER_FAULTS,
    BrokerConnection,
    BrokerUnusable,
    TakesNothing,
    Untrusted,
    Unwelcome,
    connect,
)
from worker.broker.dead_letters import AnotherOperator
from worker.broker.topology import TopologyError
from worker.operations.faults import OperationFault, Unavailable


class _Archive(Database):
    """The database. Its faults are told where they arise: further out they could be taken for the broker's."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        with postgres_in_words():
            async with super().connection() as connection:
                yield connection


@asynccontextmanager
async def archive(url: str) -> AsyncIterator[Database]:
    """Open the database, whose schema is up to date.

    Raises:
        OperationFault: it is not there, or its schema is older than this program.
    """
    async with _Archive(url, connections_max=1) as database:
        async with database.connection() as connection:
            await check_migrated(connection)
        yield database


@asynccontextmanager
async def broker(url: str, name: str) -> AsyncIterator[BrokerConnection]:
    """Open a connection to RabbitMQ that shows in its tools as `name`.

    Raises:
        OperationFault: it is not there, or something goes wrong with it while the connection is open.
    """
    with rabbitmq_in_words():
        async with connect(url, name, gives_up_on_alarms=True) as connection:
            yield connection


@contextmanager
def postgres_in_words() -> Iterator[None]:
    """Turn what Postgres throws into a sentence."""
    try:
        yield
    except NotMigrated as error:
        raise OperationFault(str(error)) from error
    except (*POSTGRES_FAULTS, *PERMISSION_FAULTS) as error:
        raise Unavailable(postgres_says(error)) from error


@contextmanager
def rabbitmq_in_words() -> Iterator[None]:
    """Turn what RabbitMQ throws into a sentence."""
    try:
        yield
    except (AnotherOperator, BrokerUnusable, TopologyError) as error:
        raise OperationFault(str(error)) from error
    except BROKER_FAULTS as error:
        raise Unavailable(rabbitmq_says(error)) from error
    except BaseExceptionGroup as group:
        faults, others = group.split(BROKER_FAULTS)
        if faults is None or others is not None:
            raise
        raise Unavailable(rabbitmq_says(next(_leaves(faults)))) from group


def postgres_says(error: BaseException) -> str:
    fix = fix_of(error)
    told = f"Postgres at ORDERS_POSTGRES_URL does not answer or refuses ({words_of(error)})"
    return f"{told}; fix: {fix}" if fix else told


def rabbitmq_says(error: BaseException) -> str:
    return f"RabbitMQ at ORDERS_AMQP_URL does not answer or refuses ({words_of(error)})"


def words_of(error: BaseException) -> str:
    """Name a fault, and say what it says. Of a time that is over it says nothing; ours say all by themselves."""
    if isinstance(error, DatabaseFault):
        return error.says
    if isinstance(error, TakesNothing | Untrusted | Unwelcome):
        return str(error)
    if state := sqlstate_of(error):
        return f"{says(error) or type(error).__name__}, SQLSTATE {state}"
    text = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else "it does not say why")
    return f"{type(error).__name__}: {text}"


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
