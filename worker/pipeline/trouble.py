"""Which server is in trouble, and how that is told."""

from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from repository.database import PASSING_FAULTS
from worker.broker.connection import BROKER_FAULTS

# Whatever of this comes out of a lane, the sweep or a probe: better to pause than to guess.
AWAY = (*PASSING_FAULTS, *BROKER_FAULTS)
# Whatever the broker's connections raise is told as one of these; a fault of the bare network is then one of Postgres.
BROKERS_OWN_FAULTS = (AMQPError, ChannelInvalidStateError)


def fault_fields(fault: BaseException | None) -> dict[str, str]:
    """Tell which server is away, and of what kind the fault is. Not its text: that may quote what was to be written."""
    server = "RabbitMQ" if isinstance(fault, BROKERS_OWN_FAULTS) else "Postgres"
    return {"server": server, "fault": type(fault).__name__}


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Take the first fault out of a group, however deep: the others came of it."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
