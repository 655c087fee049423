"""What operators do to dead letters is written down before it is done."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from repository import audit
from repository.audit import Operation
from repository.database import Database
from worker.broker.dead_letters import DeadLetter, DeadLetters
from worker.operations.actor import Actor, Role
from worker.operations.letters import readable_body


def operation_on(letter: DeadLetter, action: str, why: str, actor: Actor, **edit: Any) -> Operation:
    """Say who does what to a message, and why."""
    return Operation(
        operator=f"{actor.name} as {actor.by}",
        action=action,
        because=why,
        queue=letter.queue,
        publisher=letter.delivery.properties.user_id,
        message_id=letter.message_id,
        reason=letter.reason,
        code=letter.code,
        body_sha256=readable_body(letter, bytes_max=0).sha256,
        **edit,
    )


async def discarded(  # noqa: PLR0913  # who does what to which, why, and where it is written down
    letters: DeadLetters,
    digests: set[bytes],
    *,
    why: str,
    actor: Actor,
    database: Database,
    tell: Callable[[DeadLetter, Operation], object],
) -> AsyncIterator[DeadLetter]:
    """Take messages out of the queue for good."""
    actor.check(Role.OPERATOR)

    async def record(letter: DeadLetter) -> None:
        """Note what is about to go, before it is taken out."""
        operation = operation_on(letter, "discard", why, actor)
        async with database.connection() as connection:
            await audit.record(connection, operation)
        tell(letter, operation)

    async for letter in letters.move(lambda one: one.digest in digests, record):
        yield letter
