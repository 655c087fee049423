"""Where is my request? Its order, its ending, its events, its dead letter, and what operators did about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import orjson

from repository import audit, credentials, show
from repository.audit import Act
from repository.database import Connection, Database
from repository.show import Answered, Found
from schemas.rejections import Rejection
from worker.broker.connection import AccessRefused
from worker.broker.dead_letters import DeadLetter
from worker.intake import quote
from worker.operations.faults import OperationFault
from worker.operations.looks import look_into, what_is_unseen
from worker.operations.selection import Where
from worker.operations.servers import archive, broker


@dataclass(frozen=True, slots=True)
class Fault:
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Letters:
    """What was found among the dead letters, and for each queue that could not be looked into, why.

    `faults` has for each letter all that was wrong with it; `identifiers` are those of the credentials in force.
    """

    found: list[DeadLetter]
    unread: list[str]
    faults: list[list[Fault]] = field(default_factory=list)
    identifiers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Done:
    """What an operator did. `order_id` is of an edit: what came of it was placed as that order."""

    act: Act
    order_id: int | None


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that is known under one name."""

    requests: list[Found]
    letters: Letters
    done: list[Done]

    @property
    def is_empty(self) -> bool:
        return not (self.requests or self.letters.found or self.done)


async def trace(reference: str, database: Database, amqp_url: str | None, bytes_max: int) -> Trace:
    """Find what an order id, an order number or a message_id may mean, in the archive and among the dead letters."""
    async with database.connection() as connection:
        found = await show.find(connection, reference)
        message_ids = {reference, *(one.asked.message_id for one in found if one.asked)}
        acts = await audit.about(connection, message_ids)
        done = [Done(act, await _placed_as(connection, act)) for act in acts]
    letters = await look_among_dead(amqp_url, message_ids)
    async with database.connection() as connection:
        known = await _known_of(connection, letters.found)
        faults = _all_faults(letters.found, known, bytes_max)
        letters = replace(letters, faults=faults, identifiers=await _identifiers(connection))
    return Trace(found, letters, done)


async def _placed_as(connection: Connection, act: Act) -> int | None:
    """Tell the order that came of an edit."""
    found = await show.find(connection, act.new_message_id) if act.new_message_id else []
    return next((one.order.id for one in found if one.order is not None), None)


async def look_among_dead(amqp_url: str | None, message_ids: set[str]) -> Letters:
    """Look for messages in the two queues that wait for a person, as far as they may be looked into."""
    if amqp_url is None:
        return Letters([], ["the dead letters were not looked into: ORDERS_AMQP_URL is not set"])
    letters = Letters([], [])
    try:
        async with broker(amqp_url, "orders show") as connection:
            for where in Where:
                try:
                    async with look_into(connection, where) as queue:
                        letters.found.extend([one async for one in queue.browse() if one.message_id in message_ids])
                        if unseen := what_is_unseen(queue, where):
                            letters.unread.append(unseen)
                except AccessRefused:
                    letters.unread.append(f"{where.queue} was not looked into: this user may not read it")
    except OperationFault as fault:
        letters.unread.append(f"the dead letters were not looked into: {fault}")
    return letters


def ending_of(found: Found) -> str:
    # An order outlives the memory of what its request was answered.
    return "placed" if found.order is not None else found.answer.outcome if found.answer else "not answered"


# ---------------------------------------------------------------- all that was wrong with a request


def faults_of(answer: Answered) -> list[Fault]:
    """List what a request was rejected for: the reply tells the first only, the event all of them."""
    events = [orjson.loads(event) for event in answer.events]
    told = [fault for event in events for fault in event["data"].get("faults", ())]
    return [Fault(fault["code"], fault["message"]) for fault in told]


async def why_dead(
    letters: Sequence[DeadLetter], postgres_url: str | None, bytes_max: int
) -> tuple[list[list[Fault]], frozenset[str], str]:
    """List for each letter all that was wrong with it, the identifiers in force, and why not all may be known.

    The archive remembers the faults of what was judged; those of a request's shape can be found again in its body.
    """
    known: list[list[Fault]] = [[] for _ in letters]
    identifiers = frozenset[str]()
    unread = ""
    if postgres_url is not None and letters:
        try:
            async with archive(postgres_url) as database, database.connection() as connection:
                known = await _known_of(connection, letters)
                identifiers = await _identifiers(connection)
        except OperationFault as fault:
            unread = str(fault)
    return _all_faults(letters, known, bytes_max), identifiers, unread


async def _known_of(connection: Connection, letters: Sequence[DeadLetter]) -> list[list[Fault]]:
    return [await _remembered(connection, letter) for letter in letters]


def _all_faults(letters: Sequence[DeadLetter], known: Sequence[list[Fault]], bytes_max: int) -> list[list[Fault]]:
    return [one or _of_its_shape(letter, bytes_max) for letter, one in zip(letters, known, strict=True)]


async def _identifiers(connection: Connection) -> frozenset[str]:
    """Name the credentials in force."""
    return frozenset(one.identifier for one in await credentials.list_(connection) if one.revoked_at is None)


async def _remembered(connection: Connection, letter: DeadLetter) -> list[Fault]:
    for found in await show.find(connection, letter.message_id):
        answer = found.answer
        if answer and answer.outcome == "rejected" and answer.replays == letter.replays:
            faults = faults_of(answer)
            if faults and faults[0].code == letter.code:
                return faults
    return []


def _of_its_shape(letter: DeadLetter, bytes_max: int) -> list[Fault]:
    read = quote.read(letter.delivery.body, letter.delivery.properties.content_type, bytes_max=bytes_max)
    if not isinstance(read, Rejection) or read.code != letter.code:
        return []
    return [Fault(fault.code, fault.message) for fault in read.faults]
