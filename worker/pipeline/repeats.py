"""Which requests were asked before, and what they are told: the very same again, or why not (messages.md)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from repository import inbox, placed_orders
from repository.database import Connection
from repository.facts import AsOf
from repository.inbox import Claim, Claimed
from schemas import rejections
from schemas.catalog import Catalog
from schemas.rejections import Fault, Rejection
from worker.actions.asked import Asked, Decided
from worker.broker.messages import is_message_id
from worker.intake.authentication import Caller
from worker.intake.edge import Reading
from worker.key_ring import KeyRing
from worker.pipeline import outcomes
from worker.pipeline.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Command:
    """A request that may be judged: well-formed, and its caller known."""

    reading: Reading
    caller: Caller
    asked: Asked
    claim: Claim
    supersedes: tuple[Claim, ...] = ()  # requests that an operator made this one of


def command_of(reading: Reading) -> Command | None:
    message_id, fingerprint = reading.delivery.properties.message_id, reading.fingerprint
    if reading.asked is None or reading.caller is None or fingerprint is None or message_id is None:
        return None
    claim = Claim(reading.caller.name, message_id, fingerprint.digest, fingerprint.version)
    superseded = reading.delivery.trail.supersedes
    supersedes = tuple(replace(claim, message_id=one, deliveries=0) for one in superseded if one != message_id)
    return Command(reading, reading.caller, reading.asked, claim, supersedes)


@dataclass(frozen=True, slots=True)
class Copies:
    """Requests of one batch under keys that others of the same batch have, to be answered together with those."""

    of: tuple[tuple[Reading, int], ...] = ()  # each with the delivery tag of the first under its key

    def outcomes(self, settled: Mapping[int, Outcome]) -> dict[int, Outcome]:
        """Tell copies what the first was told, by delivery tag. Where it has not ended, they wait."""
        told = ((reading, outcomes.copied(reading, settled[first])) for reading, first in self.of if first in settled)
        return {reading.delivery.tag: outcome for reading, outcome in told if outcome}


def without_copies(commands: Sequence[Command]) -> tuple[list[Command], Copies]:
    """Take one request a key. Of others under its key, those with other content wait for another batch."""
    first: dict[tuple[str, str], Command] = {}
    copies: list[tuple[Reading, int]] = []
    for command in commands:
        known = first.setdefault(command.claim.key, command)
        if known is command:
            continue
        if known.claim.fingerprint == command.claim.fingerprint:
            copies.append((command.reading, known.reading.delivery.tag))
            first[command.claim.key] = replace(known, claim=replace(known.claim, deliveries=known.claim.deliveries + 1))
    return list(first.values()), Copies(tuple(copies))


def one_at_a_time(commands: Sequence[Command], catalog: Catalog) -> list[Command]:
    """Let one request at a time change a thing: the later ones wait for another batch (architecture.md)."""
    changing: set[int] = set()
    first: list[Command] = []
    for command in commands:
        clients = command.asked.facts_needed(catalog).renewing_clients
        if changing.isdisjoint(clients):
            changing |= clients
            first.append(command)
    return first


ToJudge = tuple[Command, Claimed]
Pruned = tuple[Command, Claimed]
Verdict = tuple[Command, Claimed, Decided | Rejection | Exception]


def sort_out(
    commands: Sequence[Command], claimed: Mapping[tuple[str, str], Claimed], keys: KeyRing, as_of: AsOf
) -> tuple[list[Outcome], list[Pruned], list[ToJudge]]:
    """Tell the requests that were answered before, and of them those whose order alone is left, from those to judge."""
    settled: list[Outcome] = []
    pruned: list[Pruned] = []
    to_judge: list[ToJudge] = []
    for command in commands:
        row, reading = claimed[command.claim.key], command.reading
        answer = row.answer
        is_known = row.is_placed or answer is not None
        same = is_known and _is_same(command, row, keys)
        refusal = _refusal(command, claimed, is_repeat=same)
        if refusal is not None:
            settled.append(outcomes.rejected(reading, Rejection.of([refusal]), as_of.now))
        elif row.is_placed and answer is None:
            pruned.append((command, row))
        elif answer is None or not same:
            to_judge.append((command, row))
        elif row.is_placed:
            settled.append(outcomes.repeated(reading, answer))
        elif reading.delivery.is_same_try and reading.delivery.trail.replays == answer.replays:
            settled.append(outcomes.rejected_again(reading, answer, as_of.now))
        else:
            to_judge.append((command, row))
    return settled, pruned, to_judge


def _is_same(command: Command, row: Claimed, keys: KeyRing) -> bool:
    asked = command.asked
    return keys.is_same(asked.content, row.fingerprint, row.fingerprint_version, asked.action)


async def rebuild_pruned(connection: Connection, pruned: Sequence[Pruned], catalog: Catalog) -> list[Outcome]:
    """Answer requests whose order was placed so long ago that its answer is not kept, from the order's own rows."""
    found = await placed_orders.read(connection, [row.order_id for _, row in pruned if row.order_id is not None])
    said: list[Outcome] = []
    for command, row in pruned:
        assert row.order_id is not None, "what is placed and has no answer has its order"
        said.append(outcomes.rebuilt(command.reading, command.asked.say_again(found[row.order_id], catalog)))
    return said


def _refusal(command: Command, claimed: Mapping[tuple[str, str], Claimed], *, is_repeat: bool) -> Fault | None:
    """Tell why a request must not be placed, whatever it asks for: it was already, or what it was edited from was."""
    row = claimed[command.claim.key]
    if row.is_placed:
        return None if is_repeat else rejections.message_id_reused()
    if row.superseded_by is not None:
        return rejections.superseded(row.superseded_by)
    for claim in command.supersedes:
        before = claimed[claim.key]
        # Placed as it was, or in the form of another edit.
        if before.order_id is not None or before.superseded_by is not None:
            return rejections.supersedes_placed(claim.message_id)
    return None


def superseded_by(verdicts: Sequence[Verdict], claimed: Mapping[tuple[str, str], Claimed]) -> Iterator[tuple[int, int]]:
    """Pair the requests that were edited with those that were placed in their stead, by inbox row."""
    for command, row, verdict in verdicts:
        if isinstance(verdict, Decided):
            for claim in command.supersedes:
                yield claimed[claim.key].request_id, row.request_id


async def last_word(connection: Connection, reading: Reading, reason: str, attempts: int, now: datetime) -> Outcome:
    """Set aside what can't be carried out; but nothing that was placed may be told to have failed.

    Only the id is looked at, whoever's: the body may be what kills who reads it.
    """
    message_id = reading.delivery.properties.message_id
    order_id = await inbox.placed_under(connection, message_id) if is_message_id(message_id) else None
    if order_id is None:
        return outcomes.failed(reading, reason, attempts, now)
    return outcomes.perhaps_placed(reading, reason, attempts, now, order_id)
