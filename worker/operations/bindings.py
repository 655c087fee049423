"""Do the bindings hold? Tried with probes (messages.md, "Probes"), and read where the management plugin tells."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from repository.processes import Kind
from schemas import topology
from schemas.topology import Binding
from worker.broker import probes, trials
from worker.broker.addresses import user_of
from worker.broker.connection import AccessRefused, BrokerConnection
from worker.broker.dead_letters import AnotherOperator
from worker.broker.management import Management, Unmanaged
from worker.broker.probes import Probed
from worker.broker.queues import look_at
from worker.key_ring import KeyRing
from worker.operations.faults import OperationFault
from worker.operations.findings import Finding, Level
from worker.operations.workers import asked
from worker.settings import Settings

FIX = "Run `orders topology apply`."


class Untried(Exception):
    """No probe was sent; the text says why."""


class NotOurs(Untried):
    """To send one takes rights that only others need."""


@dataclass(frozen=True, slots=True)
class _Read:
    """The bindings of ours that are missing, by the management plugin; None: it was not asked, or does not tell."""

    missing: list[Binding] | None
    finding: Finding | None = None  # what there is to say of it


async def checked(connection: BrokerConnection, settings: Settings, *, may_probe: bool) -> AsyncIterator[Finding]:
    """Try and read the bindings. Publishes probes where everybody who may take one knows them; changes nothing."""
    read = await _read(settings)
    missing = set(read.missing or ())
    if read.finding:
        yield read.finding
    try:
        if not may_probe:
            raise NotOurs(f"a worker may not publish to {topology.COMMANDS}; an operator may")
        probed = await probe_keys(connection, settings)
    except Untried as error:
        # Where they were read, nothing is unknown; and what only others may do is no fault of this user's.
        is_well = read.missing is not None or isinstance(error, NotOurs)
        level = Level.OK if is_well else Level.WARNING
        yield Finding("bindings", level, f"not tried with a probe: {error}")
    else:
        missing |= {Binding(topology.REQUESTS, topology.COMMANDS, key) for key in probed.unrouted}
        for finding in _of_probes(probed):
            yield finding
    for binding in sorted(missing):
        yield Finding("bindings", Level.WRONG, f"{binding.queue} is not bound to {binding.where}", FIX)


async def _read(settings: Settings) -> _Read:
    if settings.management_url is None or settings.amqp_url is None:
        return _Read(None)
    management = Management.of(settings.management_url.get_secret_value(), settings.amqp_url.get_secret_value())
    try:
        missing = await management.missing_bindings()
    except Unmanaged as error:
        says = f"the management plugin at ORDERS_MANAGEMENT_URL does not tell: {error}"
        return _Read(None, Finding("bindings", Level.WARNING, says, "Enable it, or fix or unset the setting."))
    if missing:
        return _Read(missing)
    return _Read([], Finding("bindings", Level.OK, f"all {len(topology.BINDINGS)} exist"))


def _of_probes(probed: Probed) -> list[Finding]:
    findings = [
        Finding("bindings", Level.OK, f"what comes under {key} arrives: a worker has answered")
        for key in probed.answered
    ]
    for key in probed.waiting:
        says = (
            f"a probe under {key} was taken by a queue, and not answered in {probes.PONG_SECONDS_MAX:g} s: "
            "it waits behind others, or nobody consumes"
        )
        findings.append(Finding("bindings", Level.WARNING, says))
    for key, why in probed.refused.items():
        says = f"a probe under {key} was taken by nobody: {why}"
        findings.append(Finding("bindings", Level.WRONG, says, FIX))
    return findings


async def probe_keys(connection: BrokerConnection, settings: Settings) -> Probed:
    """Send probes, where that can harm nobody.

    Raises:
        Untried: it could, or it is not known whether it could.
    """
    assert settings.amqp_url is not None, "we are connected to it"
    if not settings.secret_keys:
        raise Untried("ORDERS_SECRET_KEYS is not set, and a probe must be sealed")
    if await trials.publishing(connection, topology.COMMANDS) is not trials.Answer.FINE:
        raise NotOurs(f"this user may not publish to {topology.COMMANDS}; an operator may")
    if await trials.reading(connection, topology.UNROUTED) is not trials.Answer.FINE:
        raise NotOurs(f"this user may not read {topology.UNROUTED}; an operator may")
    await _see_that_all_know_probes(connection, settings)
    try:
        return await probes.ask(connection, user_of(settings.amqp_url.get_secret_value()), KeyRing(settings.keys()))
    except AnotherOperator as error:
        raise Untried(f"{error}: try again when they are done") from error
    except AccessRefused as error:
        raise NotOurs(f"this user may not do what it takes ({trials.words_of(error)}); an operator may") from error


async def _see_that_all_know_probes(connection: BrokerConnection, settings: Settings) -> None:
    """See that nobody takes a probe for an order, as a worker of an earlier version would."""
    if settings.postgres_url is None:
        raise Untried("who would take it is not known: ORDERS_POSTGRES_URL is not set")
    try:
        found = await asked(settings.postgres_url.get_secret_value())
    except OperationFault as error:
        raise Untried(f"who would take it is not known: {error}") from error
    workers = [one.identity for one in found if one.identity.kind == Kind.WORKER and not one.is_silent]
    unknowing = [one for one in workers if topology.PROBE not in one.knows]
    if unknowing:
        names = ", ".join(f"{one.run_id} on {one.host}, version {one.version}" for one in unknowing)
        raise Untried(f"a worker that runs does not know probes: {names}")
    consumers = (await look_at(connection, topology.REQUESTS)).consumers or 0
    if consumers > len(workers):
        raise Untried(
            f"{topology.REQUESTS} has {consumers} consumers, and of {len(workers)} is known what they are: "
            "one of an earlier version, or of another shop, would take a probe for an order"
        )
