"""`orders status`: one screen that says how the shop is doing."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.text import Text

from repository.show import Activity
from schemas import topology
from worker.broker.management import QueueDetails
from worker.broker.queues import QueueState
from worker.commands import display, echo, err, out
from worker.commands.layout import Column, Stack, Table
from worker.operations.kept import sentence_of, since, span
from worker.operations.status import ArchiveState, BrokerState, Unanswered, ask_both
from worker.settings import Settings, SettingsError

# Queues in which every message waits for a person, and the command that shows them.
FOR_PEOPLE = {topology.DEAD: "dead list", topology.UNROUTED: "dead list --queue unrouted"}


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Show queues, consumers, what is unfinished, the last order.

    One server is enough. The status is 1 if a server that is set does not answer.
    """
    settings = Settings.read()
    if settings.amqp_url is None and settings.postgres_url is None:
        raise SettingsError("ORDERS_AMQP_URL and ORDERS_POSTGRES_URL are not set: at least one of them is needed")
    amqp_url, postgres_url, management_url = (
        url.get_secret_value() if url else None
        for url in (settings.amqp_url, settings.postgres_url, settings.management_url)
    )
    broker, state = asyncio.run(ask_both(amqp_url, postgres_url, management_url))
    if as_json:
        echo({"rabbitmq": _broker_json(broker), "postgres": _archive_json(state)})
    else:
        _show(broker, state)
    silent = (amqp_url and isinstance(broker, Unanswered)) or (postgres_url and isinstance(state, Unanswered))
    alarmed = isinstance(broker, BrokerState) and broker.alarm
    raise typer.Exit(1 if silent or alarmed else 0)


def _broker_json(broker: BrokerState | Unanswered) -> Mapping[str, object]:
    if isinstance(broker, Unanswered):
        return {"error": str(broker), "alarm": None, "untold": None, "queues": []}
    return {
        "error": None,
        "alarm": broker.alarm or None,
        "untold": broker.untold or None,
        "queues": [_queue_json(one, broker.details.get(one.name)) for one in broker.queues],
    }


def _queue_json(queue: QueueState, details: QueueDetails | None) -> Mapping[str, object]:
    """Write a queue down. What only the management plugin tells is null where it does not."""
    return {
        "name": queue.name,
        "ready": queue.ready,
        "consumers": queue.consumers,
        "trouble": queue.trouble or None,
        "unacknowledged": details and details.unacknowledged,
        "in_rate": details and details.in_rate,
        "out_rate": details and details.out_rate,
    }


def _archive_json(state: ArchiveState | Unanswered) -> Mapping[str, object]:
    if isinstance(state, Unanswered):
        return {"error": str(state)}
    activity = state.activity
    return {
        "error": None,
        "schema": state.schema,
        "catalogue_version": activity.catalogue_version,
        "unpublished": state.unpublished,
        "oldest_unpublished_seconds": round(state.oldest_unpublished_seconds, 3),
        "unsent": [asdict(one) for one in state.unsent],
        "last_order": activity.last_order_id and {"id": activity.last_order_id, "placed_at": activity.last_order_at},
        "paused": [{"id": one.identity.run_id, "host": one.identity.host, "why": one.paused} for one in state.paused],
        "orders_last_minute": activity.last_minute,
        "orders_last_hour": activity.last_hour,
        "counted_all": activity.counted_all,
    }


def _show(broker: BrokerState | Unanswered, state: ArchiveState | Unanswered) -> None:
    if isinstance(broker, BrokerState):
        display(_table(broker))
        if broker.untold:
            display(Stack([f"unacknowledged and rates are not known: {broker.untold}"]))
        if broker.alarm:
            err.print(f"[bold red]alarm:[/] RabbitMQ says that {broker.alarm}. No order comes in before that is over")
    if isinstance(state, ArchiveState):
        if isinstance(broker, BrokerState):
            out.print()
        display(Table([Column(""), Column("", text=True)], list(_archive(state)), with_headings=False))
    for one in (broker, state):
        if isinstance(one, Unanswered):
            err.print(f"note: {one}", markup=False)


def _table(broker: BrokerState) -> Table:
    rows = []
    for queue in broker.queues:
        details = broker.details.get(queue.name)
        ready, consumers = ("-" if count is None else f"{count:,}" for count in (queue.ready, queue.consumers))
        rows.append((queue.name, ready, consumers, *_figures(details), Text(_remark(queue, details), style="yellow")))
    numbers = ("ready", "consumers", "unacked", "in/s", "out/s")
    return Table([Column("queue"), *(Column(name, right=True) for name in numbers), Column("", text=True)], rows)


def _figures(details: QueueDetails | None) -> tuple[str, str, str]:
    """Write what only the management plugin tells; it has no rates of a queue that nothing ever came to."""
    if details is None:
        return "", "", ""
    rates = ["-" if rate is None else f"{rate:,.1f}" for rate in (details.in_rate, details.out_rate)]
    return "-" if details.unacknowledged is None else f"{details.unacknowledged:,}", rates[0], rates[1]


def _remark(queue: QueueState, details: QueueDetails | None) -> str:
    if queue.trouble:
        return queue.trouble
    if details and (limits := [policy.name for policy in details.policies if policy.limits]):
        return f"limited by policy {', '.join(limits)}: orders doctor"
    if queue.name == topology.REQUESTS and not queue.consumers:
        return "nobody: start a worker"
    return FOR_PEOPLE.get(queue.name, "") if queue.ready else ""


def _archive(state: ArchiveState) -> Iterator[tuple[str, str]]:
    activity = state.activity
    oldest = (
        f", the oldest for {span(timedelta(seconds=state.oldest_unpublished_seconds))}" if state.unpublished else ""
    )
    yield "unfinished", f"{state.unpublished} answers not published yet{oldest}"
    for number, one in enumerate(state.paused):
        yield "" if number else "paused", f"{one.identity.run_id} on {one.identity.host}: {one.paused}"
    for number, kept in enumerate(state.unsent):
        yield "" if number else "not taken", f"{sentence_of(kept)}, {since(kept)}"
    yield "last order", _last_order(activity)
    more = "" if activity.counted_all else "more than "
    yield "placed", f"{activity.last_minute} in the last minute, {more}{activity.last_hour} in the last hour"
    yield "catalogue", f"version {activity.catalogue_version}"
    yield "schema", state.schema or "none"


def _last_order(activity: Activity) -> str:
    if activity.last_order_id is None or activity.last_order_at is None:
        return "none yet"
    placed: datetime = activity.last_order_at
    return f"{activity.last_order_id}, {span(activity.now - placed)} ago ({placed:%Y-%m-%d %H:%M:%S} UTC)"
