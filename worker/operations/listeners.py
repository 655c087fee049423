"""Who listens to events under a key that costs the broker seconds, or could: the management plugin tells."""

import re
import shlex
from collections.abc import AsyncIterator

from schemas import topology
from worker.broker.management import Management, Unmanaged
from worker.broker.users import EVENT_BINDINGS
from worker.operations.findings import Finding, Level
from worker.settings import Settings

# What nobody needs: each further # doubles what the broker tries for an event, and all publishers wait for it.
COSTLY_KEY = "#.#.#.#.#"


async def checked(settings: Settings) -> AsyncIterator[Finding]:
    """Name bindings that are costly, and users who could make them. Where the plugin does not tell, others say so."""
    if settings.management_url is None or settings.amqp_url is None:
        return
    management = Management.of(settings.management_url.get_secret_value(), settings.amqp_url.get_secret_value())
    try:
        bindings = await management.bindings()
    except Unmanaged:
        return
    costly = sorted(
        one for one in bindings if one.exchange == topology.EVENTS and not re.fullmatch(EVENT_BINDINGS, one.routing_key)
    )
    for binding in costly:
        says = f"{binding.queue} is bound to {binding.where}: to match it may cost the broker seconds for each event"
        yield Finding(
            "listeners", Level.WARNING, says, "Let its owner bind it under #, under a kind (order.*), or a type."
        )
    try:
        users = await management.who_may_bind(topology.EVENTS, COSTLY_KEY)
    except Unmanaged:
        says = "who may bind queues under which keys is not known: ORDERS_MANAGEMENT_URL names no administrator"
        yield Finding("listeners", Level.OK, says)
        return
    for user in users:
        says = f"the user {user} may bind queues to {topology.EVENTS} under any key: one of many # holds everybody up"
        command = ["rabbitmqctl", "set_topic_permissions", "-p", management.vhost, user, topology.EVENTS]
        fix = f"Narrow it, as README has it: `{shlex.join([*command, '^$', EVENT_BINDINGS])}`."
        yield Finding("listeners", Level.WARNING, says, fix)
    if not users and not costly:
        yield Finding("listeners", Level.OK, "all are bound, and may bind, under keys that cost little")
