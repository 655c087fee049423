"""Which server is in trouble, and how that is told."""

from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from repository.faults import POSTGRES_FAULTS, fix_of, in_words, says, sqlstate_of
from worker.broker.connection import BROKER_FAULTS


class DatabaseTrouble(Exception):
    """What went wrong with a request goes wrong with any: its cause says what it is."""


# Whatever of this comes out of a lane, the sweep or a probe: better to pause than to guess.
AWAY = (DatabaseTrouble, *POSTGRES_FAULTS, *BROKER_FAULTS)
# Whatever the broker's connections raise is told as one of these; a fault of the bare network is then one of Postgres.
BROKERS_OWN_FAULTS = (AMQPError, ChannelInvalidStateError)


def fault_fields(fault: BaseException | None) -> dict[str, str]:
    """Tell which server is in trouble, of what kind the fault is, what the server says to it, and what mends it."""
    fault = _servers_own(fault)
    told = {
        "server": "RabbitMQ" if isinstance(fault, BROKERS_OWN_FAULTS) else "Postgres",
        "fault": type(fault).__name__,
    }
    if fault is None:
        return told
    more = {"sqlstate": sqlstate_of(fault), "says": says(fault), "fix": fix_of(fault)}
    return told | {name: text for name, text in more.items() if text}


def sentence_of(fault: BaseException | None) -> str:
    """Say which server is in trouble, what it says, and what mends it: for probes, and for whoever asks who runs."""
    fault = _servers_own(fault)
    if fault is None:
        return "waiting for its servers"
    server, fix = fault_fields(fault)["server"], fix_of(fault)
    if not fix and isinstance(fault, TimeoutError):
        fix = "see what it waits for, with `orders doctor`"
    return f"{server} is away or in trouble: {in_words(fault)}" + (f"; fix: {fix}" if fix else "")


def _servers_own(fault: BaseException | None) -> BaseException | None:
    return fault.__cause__ if isinstance(fault, DatabaseTrouble) else fault


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Take the first fault out of a group, however deep: the others came of it."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
