"""Which server is in trouble, and how that is told."""

from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from repository.faults import POSTGRES_FAULTS, fix_of, says, sqlstate_of
from worker.broker.connection import BROKER_FAULTS


class DatabaseTrouble(Exception):
    """What went wrong with a request goes wrong with any: its cause says what it is."""


# Whatever of this comes out of a lane, the sweep or a probe: better to pause than to guess.
AWAY = (DatabaseTrouble, *POSTGRES_FAULTS, *BROKER_FAULTS)
# Whatever the broker's connections raise is told as one of these; a fault of the bare network is then one of Postgres.
BROKERS_OWN_FAULTS = (AMQPError, ChannelInvalidStateError)


def fault_fields(fault: BaseException | None) -> dict[str, str]:
    """Tell which server is in trouble, of what kind the fault is, what the server says to it, and what mends it."""
    if isinstance(fault, DatabaseTrouble):
        fault = fault.__cause__
    told = {
        "server": "RabbitMQ" if isinstance(fault, BROKERS_OWN_FAULTS) else "Postgres",
        "fault": type(fault).__name__,
    }
    if fault is None:
        return told
    more = {"sqlstate": sqlstate_of(fault), "says": says(fault), "fix": fix_of(fault)}
    return told | {name: text for name, text in more.items() if text}


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Take the first fault out of a group, however deep: the others came of it."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
