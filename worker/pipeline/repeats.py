"""Which requests were asked before, and what they are told: the very same again, or why not (messages.md)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from repository import placed_orders
from repository.database import Connection
from repository.facts import Moment
from repository.inbox import Claim, Claimed
from schemas import rejections
from schemas.catalog import Catalog
from schemas.order import OrderRequest, PricedOrder
from schemas.rejections import Fault, Rejection
from worker.broker import headers
from worker.broker.messages import Delivery
from worker.domain.recall import recall
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
    request: OrderRequest
    claim: Claim
    supersedes: tuple[Claim, ...] = ()  # requests that an operator made this one of


def command_of(reading: Reading) -> Command | None:
    message_id, fingerprint = reading.delivery.properties.message_id, reading.fingerprint
    if reading.request is None or reading.caller is None or fingerprint is None or message_id is None:
        return None
    claim = Claim(reading.caller.name, message_id, fingerprint.digest, fingerprint.version)
    superseded = headers.superseded(reading.delivery.properties.headers)
    supersedes = tuple(replace(claim, message_id=one, is_asked=False) for one in superseded if one != message_id)
    return Command(reading, reading.caller, reading.request, claim, supersedes)


ToJudge = tuple[Command, Claimed]
Pruned = tuple[Command, Claimed]
Verdict = tuple[Command, Claimed, PricedOrder | Rejection | Exception]


def sort_out(
    commands: Sequence[Command], claimed: Mapping[tuple[str, str], Claimed], keys: KeyRing, moment: Moment
) -> tuple[list[Outcome], list[Pruned], list[ToJudge]]:
    """Tell the requests that were answered before, and of them those whose order alone is left, from those to judge."""
    settled: list[Outcome] = []
    pruned: list[Pruned] = []
    to_judge: list[ToJudge] = []
    for command in commands:
        row, reading = claimed[command.claim.key], command.reading
        answer = row.answer
        is_known = row.is_placed or answer is not None
        same = is_known and keys.is_same(command.request, row.fingerprint, row.fingerprint_version)
        refusal = _refusal(command, claimed, is_repeat=same)
        if refusal is not None:
            settled.append(outcomes.rejected(reading, Rejection.of([refusal]), moment.now))
        elif row.is_placed and answer is None:
            pruned.append((command, row))
        elif answer is None or not same:
            to_judge.append((command, row))
        elif row.is_placed:
            settled.append(outcomes.repeated(reading, answer))
        elif _is_own_redelivery(reading.delivery, answer.replays):
            settled.append(outcomes.refused_again(reading, answer, moment.now))
        else:
            to_judge.append((command, row))
    return settled, pruned, to_judge


async def recall_pruned(connection: Connection, pruned: Sequence[Pruned], catalog: Catalog) -> list[Outcome]:
    """Answer requests whose order was placed so long ago that its answer is not kept, from the order's own rows."""
    found = await placed_orders.read(connection, [row.order_id for _, row in pruned if row.order_id is not None])
    said: list[Outcome] = []
    for command, row in pruned:
        assert row.order_id is not None, "what is placed and has no answer has its order"
        order = found[row.order_id]
        said.append(
            outcomes.recalled(
                command.reading, row.request_id, *recall(command.request, order, catalog), order.placed_at
            )
        )
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
        if isinstance(verdict, PricedOrder):
            for claim in command.supersedes:
                yield claimed[claim.key].request_id, row.request_id


def _is_own_redelivery(delivery: Delivery, replays: int) -> bool:
    """Whether the broker hands over the very message again that was rejected: not one sent or replayed anew."""
    return delivery.redelivered and headers.count_of(delivery.properties.headers, headers.REPLAYS) == replays
