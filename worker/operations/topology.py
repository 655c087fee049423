"""Declaring the topology, and telling what of it was not there before."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from schemas import topology
from schemas.topology import Binding
from worker.broker.connection import BrokerConnection
from worker.broker.management import Management, Unmanaged
from worker.broker.topology import Declared, TopologyError, apply_topology, check_topology
from worker.operations import shop
from worker.operations.bindings import Untried, probe_keys
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Applied:
    """What was fixed, a line each. `unknown` says of what nobody knows whether it was there, and why; or is empty.

    `unsaid` says why it was not looked at whose broker this is, or is empty.
    """

    fixed: list[str]
    unknown: str
    unsaid: str


@dataclass(frozen=True, slots=True)
class _Before:
    """What was known of the bindings before: those of ours that were missing, former ones that were still there."""

    missing: frozenset[Binding]
    former: frozenset[Binding]
    unknown: str


async def apply(connection: BrokerConnection, settings: Settings) -> Applied:
    """Declare everything, and tell what was not there.

    Raises:
        TopologyError: something exists with other arguments; the rest has been declared.
        AnotherShop: the broker is another shop's; nothing has been declared.
    """
    await shop.refuse_anothers(connection, settings)
    before = await _before(connection, settings)
    declared = await apply_topology(connection)
    # What is bound to something new was not bound before, whoever can be asked.
    new = [one for one in topology.BINDINGS if one.queue in declared.queues or one.exchange in declared.exchanges]
    unknown = before.unknown if len(new) < len(topology.BINDINGS) else ""
    said, unsaid = await shop.say_whose(connection, settings)
    return Applied([*_fixed(before, declared, new), *filter(None, [said])], unknown, unsaid)


def _fixed(before: _Before, declared: Declared, new: Collection[Binding]) -> Iterator[str]:
    yield from (f"declared exchange {name}" for name in declared.exchanges)
    yield from (f"declared queue {name}" for name in declared.queues)
    yield from (f"bound {one}" for one in topology.BINDINGS if one in new or one in before.missing)
    yield from (f"unbound {binding.queue} from {binding.where}" for binding in sorted(before.former))


async def _before(connection: BrokerConnection, settings: Settings) -> _Before:
    """Learn which bindings there are: all of them from the management plugin, else of the commands by probes.

    AMQP itself does not tell: to bind again what is bound, and to unbind what is not, both succeed.
    """
    if settings.management_url is not None:
        try:
            there = await Management.of(
                settings.management_url.get_secret_value(), settings.require("amqp_url")
            ).bindings()
        except Unmanaged as error:
            why = f"the management plugin at ORDERS_MANAGEMENT_URL does not tell: {error}"
        else:
            missing = frozenset(topology.BINDINGS) - there
            return _Before(missing, frozenset(topology.FORMER_BINDINGS) & there, "")
    else:
        why = "ORDERS_MANAGEMENT_URL is not set"
    unrouted, what = await _unrouted(connection, settings)
    return _Before(unrouted, frozenset(), f"{what}: {why}")


async def _unrouted(connection: BrokerConnection, settings: Settings) -> tuple[frozenset[Binding], str]:
    """Try the bindings of commands. Returns those that are missing, and what of the others is not known."""
    try:
        await check_topology(connection)
        probed = await probe_keys(connection, settings)
    except TopologyError:  # it will be declared
        return frozenset(), "whether bindings of what was there were missing is not known"
    except Untried as error:
        return frozenset(), f"whether bindings were missing is not known, and was not tried with a probe ({error})"
    missing = {Binding(topology.REQUESTS, topology.COMMANDS, key) for key in (*probed.unrouted, *probed.refused)}
    return frozenset(missing), "whether other bindings than those of commands were missing is not known"
