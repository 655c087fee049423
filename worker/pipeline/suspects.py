"""Which messages may be what kills a worker, and how one is carried out: alone, with nothing else in hand.

A message that is handed over for the third time is moved to orders.suspects. There a worker takes one at a time, when
it holds nothing else: so a death is counted against this one message and no other.
"""

from collections.abc import Sequence

from repository.database import AWAY_FAULTS
from worker.broker.messages import Delivery
from worker.intake.edge import Reading
from worker.pipeline import outcomes
from worker.pipeline.carry_out import Unverified, carry_out
from worker.pipeline.context import Context
from worker.pipeline.outcomes import Outcome
from worker.pipeline.repeats import last_word
from worker.pipeline.trouble import DatabaseTrouble

# Handed over so often without an end, a message is moved to orders.suspects; there, so often again, it is what kills
# its worker. The second number is larger, because there a broker that dies counts as well.
DELIVERIES_MAX = 2
SUSPECT_DELIVERIES_MAX = 3

KILLED = "killed_its_workers"


async def carry_out_unsuspected(batch: Sequence[Delivery], context: Context, unverified: Unverified) -> list[Outcome]:
    """Carry out a batch; what the broker has handed over too often is moved first, to be taken alone.

    What must wait until it is known who asks is put into `unverified`.

    Raises:
        AWAY_FAULTS: the database is away.
    """
    suspects = [delivery for delivery in batch if delivery.deliveries_before >= DELIVERIES_MAX]
    if not suspects:
        return await carry_out(batch, context, unverified)
    # While Postgres is away every worker gives everything back once: that tells nothing about a message.
    await context.database.probe()
    others = [delivery for delivery in batch if delivery.deliveries_before < DELIVERIES_MAX]
    moved = [outcomes.suspected(Reading(delivery), context.now()) for delivery in suspects]
    return moved + (await carry_out(others, context, unverified) if others else [])


async def carry_out_suspect(suspect: Delivery, context: Context) -> tuple[Outcome, BaseException | None]:
    """Carry out a suspect alone; one that has ended none of its deliveries here either is set aside.

    Returns its outcome, and the fault of a database that is away: then it goes back as a copy that was never handed
    over, since an outage is not what it is suspected of.
    """
    if suspect.deliveries_before < SUSPECT_DELIVERIES_MAX:
        try:
            [outcome] = await carry_out([suspect], context)
        except (*AWAY_FAULTS, DatabaseTrouble) as error:
            return outcomes.suspected(Reading(suspect), context.now()), error
        return outcome, None
    async with context.database.connection() as connection:
        return await last_word(connection, Reading(suspect), KILLED, suspect.trail.attempts, context.now()), None
