"""Looks into the queues that wait for a person. A look marks nothing, and is over in seconds.

Who looks has the operators' lock meanwhile, for of two looks at once each would see a half; whoever comes then waits
for their turn. While somebody acts, which may take hours, it is looked beside them: at all that they have not in hand.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

from worker.broker.connection import BrokerConnection
from worker.broker.dead_letters import AnotherOperator, DeadLetter, DeadLetters, looked_into, opened
from worker.key_ring import KeyRing
from worker.operations.audit import who_is_at_it
from worker.operations.faults import OperationFault
from worker.operations.selection import Filter, Seen, Where
from worker.operations.servers import broker

LOOK_WAIT_SECONDS_MAX = 5.0  # for somebody else's look to end; what takes longer is an act
ACT_WAIT_SECONDS_MAX = 10.0  # likewise, and for those who look beside

Tell = Callable[[DeadLetter], object]


@dataclass(frozen=True, slots=True)
class Looked:
    """How many were told, and what of the queue could not be seen, in a sentence or empty."""

    count: int
    unseen: str


@asynccontextmanager
async def acting_on(
    amqp_url: str, where: Where, postgres_url: str | None, keys: KeyRing | None = None
) -> AsyncIterator[DeadLetters]:
    """Be the one who acts on a queue; with the keys one may send back what lies there.

    Raises:
        OperationFault: somebody else is; as far as the database tells, who, and since when.
    """
    async with broker(amqp_url, "orders dead") as connection, AsyncExitStack() as stack:
        try:
            letters = await stack.enter_async_context(
                opened(connection, where.queue, keys, wait_seconds=ACT_WAIT_SECONDS_MAX)
            )
        except AnotherOperator as error:
            who = await who_is_at_it(postgres_url) or "who it is, is not known"
            raise OperationFault(f"{error}: {who}. Try again when they are done") from error
        yield letters


@asynccontextmanager
async def look_into(connection: BrokerConnection, where: Where) -> AsyncIterator[DeadLetters]:
    async with looked_into(connection, where.queue, wait_seconds=LOOK_WAIT_SECONDS_MAX) as letters:
        yield letters


async def look(amqp_url: str, where: Where, chosen: Filter, tell: Tell) -> Looked:
    """Go through a queue once, and tell each chosen message.

    Raises:
        OperationFault: a word of the filter is misspelt: nobody has it, and somebody has one like it.
    """
    async with (
        broker(amqp_url, "orders dead") as connection,
        look_into(connection, where) as letters,
        aclosing(letters.browse()) as browsed,
    ):
        count, seen = 0, Seen(chosen)
        async for letter in browsed:
            seen.put(letter)
            if chosen(letter):
                count += 1
                tell(letter)
        unseen = what_is_unseen(letters, where)
    if not count and (sentence := seen.misspelt()):
        raise OperationFault(sentence)
    return Looked(count, unseen)


def what_is_unseen(letters: DeadLetters, where: Where) -> str:
    """Say what a look could not see."""
    if not letters.is_alone:
        more = f", and {letters.unseen:,} more were not looked at" if letters.unseen else ""
        return f"somebody works on the {where.words}: what they have in hand is not shown{more}"
    return f"{letters.unseen:,} {where.words} were in somebody else's hand" if letters.unseen else ""
