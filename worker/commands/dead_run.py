"""`orders dead replay` and `orders dead discard`: one message, or all that a filter picks."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.text import Text

from schemas.members import members
from schemas.quotes import quote
from worker.broker.dead_letters import DeadLetter, DeadLetters, is_routed
from worker.commands import AsJson, display, echo, err, needed, out
from worker.commands.letters import groups_table, table_of
from worker.commands.operating import (
    Told,
    actor_of,
    check_found,
    check_named,
    confirm,
    follow,
    is_dry,
    keys_of,
    sum_up,
    tell_plan,
)
from worker.commands.options import (
    Action,
    Client,
    Code,
    DryRun,
    Everything,
    Limit,
    MessageIds,
    Publisher,
    Reason,
    ReasonOrWhy,
    Since,
    Until,
    WhichQueue,
    Why,
    Yes,
    why_and_reason,
)
from worker.operations.audit import run, written, written_if_possible
from worker.operations.letters import summary_of
from worker.operations.looks import acting_on
from worker.operations.outcomes import Became, Outcome, counted, listening
from worker.operations.pricing import Sums, ToPrice
from worker.operations.replay import Step, Survey, discarded, replayed, run_line, survey
from worker.operations.selection import Filter, Where, criteria
from worker.operations.servers import archive
from worker.redaction import escape_controls
from worker.settings import Settings

SHOWN_MAX = 50  # letters on a screen before they are discarded; of more, groups
DIED_AGAIN_MAX = 20  # told one by one


def replay(  # noqa: PLR0913  # an option is a parameter
    *,
    message_ids: MessageIds = None,
    reason: Reason = None,
    code: Code = None,
    client: Client = None,
    publisher: Publisher = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    limit: Limit = None,
    rate: Annotated[float | None, typer.Option(min=0.01, metavar="N", help="So many a second at most.")] = None,
    dry_run: DryRun = None,
    price: Annotated[bool, typer.Option("--price", help="In a dry run: tell what each would come to now.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for what comes of it, and tell.")] = True,
    why: Why = None,
    queue: WhichQueue = Where.DEAD,
    routing_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Send them under this one, such as order.add, not under the one they had."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send messages back to be judged anew.

    Do it once their cause is fixed. Each leaves the queue when the broker has confirmed it: an interruption can
    send one twice, which changes nothing, and loses none. What dies again meanwhile is not sent again in the same
    run. What cannot be sent is skipped, and the status is 1.
    """
    chosen = Filter.of(message_ids, criteria(reason, code, client, publisher, action), since, until)
    check_named(chosen, everything=everything)
    _check_routing_key(routing_key)
    settings = Settings.read()
    amqp_url, *_ = needed(settings, "amqp_url", "postgres_url") if price else needed(settings, "amqp_url")
    keys = keys_of(settings)
    to_price = ToPrice(settings.request_bytes_max) if price else None
    how = _How(why or "", routing_key, rate, wait=wait, as_json=as_json)

    async def act() -> tuple[Survey, _Sent | None]:
        async with acting_on(amqp_url, queue, _postgres_url(settings), keys) as letters:
            plan = await survey(letters, chosen, limit, to_price.put if to_price else None)
            if price or is_dry(plan, chosen, queue, dry_run=dry_run, everything=everything):
                return plan, None
            return plan, await _send(letters, plan, queue, settings, how)

    plan, sent = asyncio.run(act())
    if sent is None:
        tell_plan(plan, queue, "sent", _about_expired(plan))
        if to_price and plan.count:
            _tell_prices(to_price, settings, as_json=as_json)
        check_found(message_ids or [], plan.message_ids, queue)
        return
    if sent.fault:
        err.print(f"note: who did this is not written down: {sent.fault}", markup=False)
    _tell_died_again(sent.came)
    check_found(message_ids or [], sent.told.message_ids, queue)
    sum_up(sent.told, "replayed", sent.unseen, _came_of_it(sent.came))


@dataclass(frozen=True, slots=True)
class _How:
    why: str
    routing_key: str | None
    rate: float | None
    wait: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a replay came to. `fault` says why something of it is not written down."""

    told: Told
    came: list[Outcome]
    unseen: int
    fault: str


async def _send(letters: DeadLetters, plan: Survey, queue: Where, settings: Settings, how: _How) -> _Sent:
    """Replay what is planned, and hear what comes of it."""
    if plan.due > 1:
        err.print(f"if this is interrupted, the same command with --until {plan.began} goes on")
    actor = actor_of(settings)
    line = run_line("replay", queue, how.why, plan.due, plan.chosen.words)
    waiting = defaultdict[str, list[DeadLetter]](list)  # with --json, until it is known what came of each
    async with (
        written_if_possible(_postgres_url(settings), actor) as ledger,
        run(actor, ledger, line, of_many=plan.due > 1) as going,
        listening(letters.connection) as outcomes,
    ):

        def tell(step: Step) -> None:
            outcomes.expect(step.letter.message_id)
            if how.as_json:
                waiting[step.letter.message_id].append(step.letter)
            else:
                out.print(Text(escape_controls(step.letter.message_id) or "(no message_id)"))

        steps = replayed(letters, plan, going, routing_key=how.routing_key, rate=how.rate)
        told = await follow(steps, plan.due, "replayed", as_json=how.as_json, tell=tell)
        came = [outcome async for outcome in outcomes.all(ledger.database, wait=how.wait)]
    for outcome in came if how.as_json else ():
        letter = waiting[outcome.message_id].pop()
        echo({**summary_of(letter), "outcome": outcome.became, "says": outcome.says or None})
    return _Sent(told, came, letters.unseen, ledger.fault)


def _about_expired(plan: Survey) -> str:
    late = plan.groups.count_of("expired")
    caller, them = ("its caller", "it") if late == 1 else ("their callers", "them")
    return f"{late:,} of them expired: {caller} may have given up; a replay places {them} all the same" if late else ""


def _postgres_url(settings: Settings) -> str | None:
    return settings.postgres_url.get_secret_value() if settings.postgres_url else None


def _tell_prices(to_price: ToPrice, settings: Settings, *, as_json: bool) -> None:
    sums = Sums()

    async def run_through() -> None:
        async with archive(settings.require("postgres_url")) as database:
            async for priced in to_price.priced(database):
                sums.put(priced)
                if as_json:
                    echo({"message_id": priced.message_id, **members(quote(priced.verdict))})

    asyncio.run(run_through())
    more = f"; {to_price.left_out:,} more were not priced" if to_price.left_out else ""
    err.print(f"{sums.words}{more}", markup=False)


def _tell_died_again(came: list[Outcome]) -> None:
    died = [outcome for outcome in came if outcome.became is Became.DIED]
    for outcome in died[:DIED_AGAIN_MAX]:
        err.print(Text(f"{escape_controls(outcome.message_id)} died again: {escape_controls(outcome.says)}"))
    if len(died) > DIED_AGAIN_MAX:
        err.print("… `orders dead groups` tells of the others")


def _came_of_it(came: list[Outcome]) -> str:
    if all(outcome.became is Became.UNKNOWN for outcome in came):
        return ""
    return f": {counted(came)}"


def _check_routing_key(routing_key: str | None) -> None:
    if routing_key is not None and not is_routed(routing_key):
        raise typer.BadParameter(
            "no queue takes it: they would only lie in orders.unrouted", param_hint="--routing-key"
        )


def discard(  # noqa: PLR0913  # an option is a parameter
    *,
    message_ids: MessageIds = None,
    why: Why = None,
    reason: ReasonOrWhy = None,
    code: Code = None,
    client: Client = None,
    publisher: Publisher = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    limit: Limit = None,
    dry_run: DryRun = None,
    queue: WhichQueue = Where.DEAD,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take messages out of the queue for good.

    Shows them and asks first. Who did it, and why, is kept in the database: `orders audit`.
    """
    why, reason = why_and_reason(why, reason)
    chosen = Filter.of(message_ids, criteria(reason, code, client, publisher, action), since, until)
    check_named(chosen, everything=everything)
    settings = Settings.read()
    amqp_url, postgres_url = needed(settings, "amqp_url", "postgres_url")
    shown: list[DeadLetter] = []

    def show(letter: DeadLetter) -> None:
        if len(shown) <= SHOWN_MAX:
            shown.append(letter)

    async def look_first() -> Survey:
        async with acting_on(amqp_url, queue, postgres_url) as letters:
            # What comes meanwhile has not been seen by anybody, and is not of the plan.
            return await survey(letters, chosen, limit, show, remember=True)

    async def act(plan: Survey) -> tuple[Told, int]:
        line = run_line("discard", queue, why, plan.due, plan.chosen.words)
        async with (
            written(postgres_url, actor_of(settings)) as ledger,
            acting_on(amqp_url, queue, postgres_url) as letters,
            run(actor_of(settings), ledger, line, of_many=plan.due > 1) as going,
        ):
            told = await follow(discarded(letters, plan, going), plan.due, "discarded", as_json=as_json)
            return told, letters.unseen

    plan = asyncio.run(look_first())
    if not message_ids and is_dry(plan, chosen, queue, dry_run=dry_run, everything=everything):
        tell_plan(plan, queue, "discarded")
        return
    if not plan.count:
        check_found(message_ids or [], plan.message_ids, queue)
    display(table_of(shown) if plan.count <= SHOWN_MAX else groups_table(plan.groups), err)
    if dry_run:
        err.print("nothing was discarded: this was a dry run")
        return
    if not yes:
        these = "this message" if plan.due == 1 else f"these {plan.due:,} messages"
        confirm(f"Discard {these}?", "nothing was discarded")
    told, unseen = asyncio.run(act(plan))
    check_found(message_ids or [], told.message_ids, queue)
    sum_up(told, "discarded", unseen)
