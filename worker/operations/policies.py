"""Policies of the broker that let a queue of ours lose or refuse what it should keep: the management plugin tells."""

import shlex
from collections.abc import AsyncIterator

from schemas import topology
from worker.broker.management import Management, Policy, Unmanaged
from worker.operations.findings import Finding, Level
from worker.settings import Settings


async def limiting(settings: Settings) -> AsyncIterator[Finding]:
    """Name each policy that limits a queue of ours, and the fix. Where the plugin does not tell, `bindings` says so."""
    if settings.management_url is None or settings.amqp_url is None:
        return
    management = Management.of(settings.management_url.get_secret_value(), settings.amqp_url.get_secret_value())
    try:
        queues = await management.queues()
    except Unmanaged:
        return
    names = [queue.name for queue in topology.QUEUES if queue.name in queues]
    faults = [(name, policy) for name in names for policy in queues[name].policies if policy.limits]
    for name, policy in faults:
        yield _finding(name, policy, management.vhost)
    if not faults:
        yield Finding("policies", Level.OK, "none limits a queue of ours")


def _finding(queue: str, policy: Policy, vhost: str) -> Finding:
    kind = "operator policy" if policy.is_operators else "policy"
    sets = ", ".join(f"{key}={value}" for key, value in sorted(policy.definition.items()))
    says = f"the {kind} {policy.name} limits {queue} ({sets}): it may refuse or lose what it should keep"
    clear = shlex.join(["rabbitmqctl", f"clear_{kind.replace(' ', '_')}", "-p", vhost, policy.name])
    return Finding("policies", Level.WRONG, says, f"Let its pattern leave out our queues, or take it away: `{clear}`.")
