"""Is everything as it must be, and if not, what is the fix? Changes nothing, publishes nothing but probes."""

import asyncio
import difflib
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from itertools import chain
from urllib.parse import parse_qsl, urlsplit

from repository import revisions, sealed, shop_settings, unsent
from repository import show as archive
from repository.database import AccessFault, Connection, Database
from repository.faults import POSTGRES_FAULTS, fix_of
from repository.revisions import PERMISSION_FAULTS, NotMigrated, check_migrated
from repository.show import Collation, Condition
from repository.unsent import Kind, Summary
from schemas import topology
from schemas.rejections import Code
from worker.broker import trials
from worker.broker.addresses import nodes_of, user_of
from worker.broker.connection import BROKER_FAULTS, AccessRefused, BrokerConnection, TakesNothing, connect
from worker.broker.dead_letters import OPERATORS_LOCK, looked_into
from worker.broker.queues import look_at
from worker.broker.topology import TopologyError, check_topology
from worker.broker.users import DEFAULT_EXCHANGE, IMPERSONATOR, USERS, User
from worker.key_ring import KeyRing
from worker.operations import bindings, database_trouble, failover, listeners, policies
from worker.operations.certificates import valid_until
from worker.operations.findings import Finding, Level
from worker.operations.kept import sentence_of, since
from worker.operations.servers import sentence_of_fix, words_of
from worker.publishers import in_words
from worker.settings import Settings
from worker.shop_settings import overruled

CLOCK_SECONDS_MAX = 5.0  # between this machine and the database; events carry this one's time, orders the database's
SERVER_SECONDS_MAX = 30.0  # for all that one server is asked; each wait has a bound of its own
CERTIFICATE_LEFT_MIN = timedelta(days=30)
LETTERS_MAX = 2_000  # dead letters that are looked at
UNHEARD_SHOWN_MAX = 10  # publishers whose replies go nowhere: an address may be made up for each request
ALIKE = 0.8  # of names, by difflib
NOT_AUTHENTICATED = Code.AUTHENTICATION_FAILED
ALARM_FIX = "See `rabbitmq-diagnostics alarms`, and make room; deploy/runbook.md, `RabbitMQ is away, or has an alarm`."
UNSENT_FIX = (
    "Find the queue, and empty it or take its limit away; deploy/runbook.md, `Unpublished grow`. The rest follows."
)
UNROUTED_FIX = (
    "Run `orders topology apply`; then `orders dead replay --queue unrouted --all` tells what would be sent again, and "
    "with --no-dry-run sends it."
)
DURABLE_COMMITS = frozenset({"on", "remote_apply", "remote_write"})


class Role(StrEnum):
    STOREFRONT = "storefront"
    WORKER = "worker"
    OPERATOR = "operator"

    @property
    def user(self) -> User:
        return next(user for user in USERS if user.name == self)


async def examine(settings: Settings, role: Role | None) -> list[Finding]:
    """Check everything that the settings name."""
    role = role or _role_of(settings)
    servers = [_rabbitmq(settings, role)]
    if role is not Role.STOREFRONT:
        servers.insert(0, _postgres(settings, role))
    async with asyncio.TaskGroup() as asking:
        found = [asking.create_task(_all(server)) for server in servers]
    return [*_settings(settings, role), *ways(settings, role), *chain.from_iterable(one.result() for one in found)]


async def _all(findings: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in findings]


# ---------------------------------------------------------------- settings


def _role_of(settings: Settings) -> Role:
    name = user_of(settings.amqp_url.get_secret_value()) if settings.amqp_url else ""
    return Role(name) if name in set(Role) else Role.WORKER


def _settings(settings: Settings, role: Role) -> Iterator[Finding]:
    faults = []
    if role is Role.WORKER and not settings.secret_keys:
        faults.append(
            Finding(
                "settings", Level.WRONG, "ORDERS_SECRET_KEYS is not set", "Set it: `openssl rand -hex 32` makes one."
            )
        )
    if role is Role.WORKER and not settings.trusted_publishers:
        says = "ORDERS_TRUSTED_PUBLISHERS is not set: every request needs credentials in its body"
        faults.append(Finding("settings", Level.WARNING, says))
    yield from faults or [Finding("settings", Level.OK, f"complete for {_a(role)}")]
    if settings.trusted_publishers:
        yield Finding("publishers", Level.OK, _trust(settings))


def _trust(settings: Settings) -> str:
    """Tell who may ask what without credentials, and whose keys they have."""
    return "without credentials: " + "; ".join(
        f"{user} may ask {in_words(actions)}" + (f", as {settings.callers[user]}" if user in settings.callers else "")
        for user, actions in sorted(settings.trusted_publishers.items())
    )


def ways(settings: Settings, role: Role) -> Iterator[Finding]:
    """Warn where somebody on the way to a server could listen in, or stand in for it."""
    nodes = nodes_of(settings.amqp_url.get_secret_value()) if settings.amqp_url else []
    addresses = [("RabbitMQ", urlsplit(node)) for node in nodes]
    if settings.postgres_url and role is not Role.STOREFRONT:
        addresses.append(("Postgres", urlsplit(settings.postgres_url.get_secret_value())))
    for check, address in addresses:
        given = dict(parse_qsl(address.query))
        if check == "RabbitMQ":
            is_safe = address.scheme == "amqps" and given.get("no_verify_ssl", "0") == "0"
            fix = "Let ORDERS_AMQP_URL begin with amqps://, with ?cafile= of the authority, and no no_verify_ssl."
        else:
            is_safe = given.get("sslmode", os.environ.get("PGSSLMODE")) == "verify-full"
            fix = "Add ?sslmode=verify-full&sslrootcert= of the authority to ORDERS_POSTGRES_URL."
        if not (is_safe or _is_near(address.hostname or "")):
            says = "the way there is not safe: orders could be read and changed on it, and the password taken"
            yield Finding(check, Level.WARNING, says, fix)


async def _certificates(check: str, urls: Sequence[str]) -> AsyncIterator[Finding]:
    """Warn before a server's certificate ends: from then on nobody comes to it any more."""
    for url in urls:
        for place, until in await valid_until(url):
            left = until - datetime.now(UTC)
            if left < CERTIFICATE_LEFT_MIN:
                says = f"the certificate of {place} ends on {until:%Y-%m-%d %H:%M} UTC, in {max(left.days, 0)} days"
                yield Finding(check, Level.WARNING, says, "Renew it: from then on nobody comes to this server.")


def _is_near(host: str) -> bool:
    """Whether a host is this machine, or a neighbour on a network of its own such as compose's: names without a dot."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return "." not in host


def _a(role: Role) -> str:
    return f"an {role}" if role is Role.OPERATOR else f"a {role}"


# ---------------------------------------------------------------- Postgres


async def _postgres(settings: Settings, role: Role) -> AsyncIterator[Finding]:
    if settings.postgres_url is None:
        yield Finding("Postgres", Level.WRONG, "ORDERS_POSTGRES_URL is not set", "Set it.")
        return
    try:
        url = settings.postgres_url.get_secret_value()
        async with asyncio.timeout(SERVER_SECONDS_MAX), Database(url, connections_max=2) as database:
            await database.check_sessions()
            async for finding in _certificates("Postgres", [url]):
                yield finding
            async with database.connection() as connection:
                asked_at = datetime.now(UTC)
                found = await archive.condition(connection)
                answered_at = datetime.now(UTC)
            yield _server(found)
            yield clock(found.now - (asked_at + (answered_at - asked_at) / 2))
            yield durability(found)
            schema = await _schema(database)
            yield schema
            if schema.level is Level.WRONG:
                return
            if not found.is_standby:
                async for finding in database_trouble.found(database):
                    yield finding
            async with database.connection() as connection:
                async for finding in failover.standbys(connection):
                    yield finding
            async for finding in _contents(database, settings, role):
                yield finding
    except AccessFault as error:
        yield Finding("Postgres", Level.WRONG, error.says, sentence_of_fix(error.fix))
    except (*POSTGRES_FAULTS, *PERMISSION_FAULTS) as error:
        fix = fix_of(error) or "start it, or fix ORDERS_POSTGRES_URL"
        says = f"does not answer or refuses ({words_of(error)})"
        yield Finding("Postgres", Level.WRONG, says, sentence_of_fix(fix))


def _server(found: Condition) -> Finding:
    if found.is_standby:
        says = "answers, but it is a standby: nothing can be written"
        return Finding("Postgres", Level.WRONG, says, "Let ORDERS_POSTGRES_URL name the primary.")
    return Finding("Postgres", Level.OK, f"answers, version {found.version}")


def clock(difference: timedelta) -> Finding:
    """Judge how far the database's clock is before ours."""
    seconds = difference.total_seconds()
    if abs(seconds) <= CLOCK_SECONDS_MAX:
        return Finding("clock", Level.OK, "this machine and the database agree")
    ahead = "ahead of" if seconds > 0 else "behind"
    says = f"the database is {abs(seconds):.0f} s {ahead} this machine; the times in events and orders will not fit"
    return Finding("clock", Level.WARNING, says, "Let both take their time from NTP.")


def durability(found: Condition) -> Finding:
    """Judge whether what was committed, and so acknowledged, outlives a power cut."""
    faults = [f"{name}=off" for name in ("fsync", "full_page_writes") if getattr(found, name) != "on"]
    if found.synchronous_commit not in DURABLE_COMMITS:
        faults.append(f"synchronous_commit={found.synchronous_commit}")
    if not faults:
        return Finding("durability", Level.OK, f"fsync=on, synchronous_commit={found.synchronous_commit}")
    says = f"{', '.join(faults)}: a power cut can lose orders that callers were told of"
    return Finding("durability", Level.WRONG, says, "Set them to on in postgresql.conf, and for role and database.")


def collation(found: Sequence[Collation]) -> Iterator[Finding]:
    """Warn where the order of text has moved since indexes were built by it, as with another image or system."""
    moved = [one for one in found if one.built_with is not None and one.built_with != one.found]
    for one in moved:
        says = (
            f"{one.name} is of release {one.found or 'unknown'} here, and indexes were built by {one.built_with}: "
            "what they hold may not be found"
        )
        yield Finding("collation", Level.WARNING, says, f"In psql, after `orders migrate`: {one.refresh};")
    if not moved:
        yield Finding("collation", Level.OK, "of the release by which indexes were built")


async def _schema(database: Database) -> Finding:
    try:
        async with database.connection() as connection:
            await check_migrated(connection)
            version = await revisions.schema_version(connection)
    except NotMigrated as error:
        return Finding("schema", Level.WRONG, str(error), "Until then nothing that is in it is checked.")
    except POSTGRES_FAULTS as error:
        return Finding("schema", Level.WARNING, f"cannot be looked at ({words_of(error)})")
    return Finding("schema", Level.OK, f"version {version}")


async def _contents(database: Database, settings: Settings, role: Role) -> AsyncIterator[Finding]:
    async with database.connection() as connection:
        for finding in collation(await archive.collations(connection)):
            yield finding
        for sentence in overruled(settings.first_values, await shop_settings.read(connection)):
            fix = "Until then a worker with these settings does not start."
            yield Finding("settings", Level.WRONG, sentence, fix)
        if missing := await archive.missing_from_catalogue(connection):
            says = f"it has no {' and no '.join(missing)}"
            yield Finding("catalogue", Level.WRONG, says, "Run `orders catalog load FILE`.")
        else:
            version = (await archive.activity(connection)).catalogue_version
            yield Finding("catalogue", Level.OK, f"loaded, version {version}")
        for finding in _unsent(await unsent.summary(connection)):
            yield finding
        if role is Role.WORKER and settings.secret_keys:
            yield await _keys(connection, KeyRing(settings.keys()))


def _unsent(kept: Sequence[Summary]) -> Iterator[Finding]:
    """Name what the broker does not take: a dead letter is for a queue of ours, an event for one of anybody's."""
    for one in kept:
        is_letter = one.kind is Kind.LETTER
        where = "the queue" if is_letter else f"a queue that is bound to {topology.EVENTS} under it"
        are = "is" if one.count == 1 else "are"
        says = f"{sentence_of(one)} {are} kept, {since(one)}: {where} is full, refuses or confirms nothing"
        yield Finding("unsent", Level.WRONG if is_letter else Level.WARNING, says, UNSENT_FIX)
    if not kept:
        yield Finding("unsent", Level.OK, "the broker takes all that is published")


async def _keys(connection: Connection, keys: KeyRing) -> Finding:
    """See that what is encrypted can be opened, and that requests are signed with a key that is known here."""
    sampled = await sealed.sample(connection)
    lost = sum(not keys.can_open(one) for one in sampled)
    if lost:
        says = (
            f"of {len(sampled)} secrets that were tried, {lost} are under a key that ORDERS_SECRET_KEYS does not name"
        )
        return Finding("keys", Level.WRONG, says, "Add that key behind the first; without it nobody can read them.")
    signed = await sealed.newest_signature(connection)
    if signed is not None and not keys.has_signed(signed):
        says = (
            "the newest request was signed with a key that ORDERS_SECRET_KEYS does not name: repeats are not compared"
        )
        return Finding("keys", Level.WRONG, says, "Give all workers the same keys, the old ones behind the first.")
    return Finding("keys", Level.OK, f"secrets that were tried, and can be opened: {len(sampled)}")


# ---------------------------------------------------------------- RabbitMQ


async def _rabbitmq(settings: Settings, role: Role) -> AsyncIterator[Finding]:
    if settings.amqp_url is None:
        yield Finding("RabbitMQ", Level.WRONG, "ORDERS_AMQP_URL is not set", "Set it.")
        return
    url = settings.amqp_url.get_secret_value()
    try:
        async with (
            asyncio.timeout(SERVER_SECONDS_MAX),
            connect(url, "orders doctor", gives_up_on_alarms=True) as connection,
        ):
            yield Finding("RabbitMQ", Level.OK, f"answers, as user {user_of(url)}")
            async for finding in _asked(connection, settings, role):
                yield finding
    except TakesNothing as error:
        yield Finding("RabbitMQ", Level.WRONG, f"{error}: no order comes in, and nothing goes out", ALARM_FIX)
    except BROKER_FAULTS as error:
        says = f"does not answer or refuses ({words_of(error)})"
        yield Finding("RabbitMQ", Level.WRONG, says, "Start it, or fix ORDERS_AMQP_URL.")


async def _asked(connection: BrokerConnection, settings: Settings, role: Role) -> AsyncIterator[Finding]:
    checks = [
        _certificates("RabbitMQ", nodes_of(settings.require("amqp_url"))),
        _topology(connection),
        _consumers(connection),
        _publishers(connection, settings),
        _unrouted(connection),
    ]
    if role is not Role.STOREFRONT:
        checks += [
            failover.whose(connection, settings),
            policies.limiting(settings),
            listeners.checked(settings),
            bindings.checked(connection, settings, may_probe=role is Role.OPERATOR),
        ]
    # An alarm ends the connection at what publishes, which is last.
    for check in (*checks, _rights(connection, role)):
        async for finding in check:
            yield finding


async def _topology(connection: BrokerConnection) -> AsyncIterator[Finding]:
    try:
        await check_topology(connection)
    except TopologyError as error:
        for line in str(error).splitlines():
            yield Finding("topology", Level.WRONG, line)
        return
    differences = await trials.differences(connection)
    if differences is None:
        says = "everything exists; not compared, because this user may not declare (and need not)"
        yield Finding("topology", Level.OK, says)
        return
    for line in differences:
        yield Finding("topology", Level.WRONG, line, "Empty it, delete it, and run `orders topology apply`.")
    if not differences:
        yield Finding("topology", Level.OK, "everything exists and is as it should be")


async def _rights(connection: BrokerConnection, role: Role) -> AsyncIterator[Finding]:
    """Try every right that the role has by worker/broker/users.py."""
    user, faults = role.user, []
    exchanges = [name for name in (*_EXCHANGES, DEFAULT_EXCHANGE) if re.fullmatch(user.write, name)]
    queues = [queue.name for queue in topology.DECLARED if re.fullmatch(user.read, queue.name)]
    refused = [name for name in exchanges if await trials.publishing(connection, name) is trials.Answer.REFUSED]
    unread = [name for name in queues if await trials.reading(connection, name) is trials.Answer.REFUSED]
    if refused:
        faults.append(f"it may not publish to {', '.join(refused)}")
    if unread:
        faults.append(f"it may not read {', '.join(unread)}")
    open_to_it = [name for name in exchanges if name not in refused]
    if (
        IMPERSONATOR in user.tags
        and open_to_it
        and await trials.publishing(connection, open_to_it[0], trials.SOMEBODY_ELSE) is trials.Answer.FOREIGN
    ):
        faults.append(f"it lacks the tag `{IMPERSONATOR}`: copies and replays keep the user_id of who published first")
    if role is Role.OPERATOR and not await trials.may_lock(connection):
        faults.append(f"it may not declare {OPERATORS_LOCK}, by which operators keep out of each other's way")
    fix = f"Give this user the rights of {_a(role)}, as deploy/rabbitmq/definitions.json has them, or see --as."
    for fault in faults:
        yield Finding("rights", Level.WRONG, fault, fix)
    if not faults:
        yield Finding("rights", Level.OK, f"all that {_a(role)} needs")


_EXCHANGES = tuple(exchange.name for exchange in topology.EXCHANGES)


async def _publishers(connection: BrokerConnection, settings: Settings) -> AsyncIterator[Finding]:
    """Look whose requests were refused though their name is nearly one that is trusted, and whose replies go nowhere.

    Of dead letters alone: of what was placed nobody keeps where its reply was to go.
    """
    trusted = settings.trusted_publishers.keys()
    untrusted = set[str]()
    unheard = set[tuple[str, str]]()
    try:
        async with looked_into(connection, topology.DEAD) as letters, aclosing(letters.browse()) as browsed:
            number = 0
            async for letter in browsed:
                number += 1
                if letter.code == NOT_AUTHENTICATED and letter.publisher and letter.publisher not in trusted:
                    untrusted.add(letter.publisher)
                address = letter.delivery.properties.reply_to
                if address and not settings.reply_queues.allows(letter.publisher, address):
                    unheard.add((letter.publisher or "somebody without a user_id", address))
                if number == LETTERS_MAX:
                    break
    except AccessRefused:
        return
    for name in sorted(untrusted):
        if close := difflib.get_close_matches(name, trusted, n=1, cutoff=ALIKE):
            says = f"requests of {name} were refused; ORDERS_TRUSTED_PUBLISHERS names {close[0]}: one is misspelt"
            yield Finding("trust", Level.WARNING, says, "Correct the setting, or the user of the storefront.")
    for name, address in sorted(unheard)[:UNHEARD_SHOWN_MAX]:
        says = f"{name} asks for replies to {address}, where ORDERS_REPLY_QUEUES lets none go: nobody hears them"
        yield Finding("replies", Level.WARNING, says, "Allow it there (user=pattern), or use amq.rabbitmq.reply-to.")


async def _unrouted(connection: BrokerConnection) -> AsyncIterator[Finding]:
    """Look for requests that came to nobody though their key is one of ours: it was not bound when they came."""
    counts = Counter[str]()
    try:
        async with looked_into(connection, topology.UNROUTED) as letters, aclosing(letters.browse()) as browsed:
            number = 0
            async for letter in browsed:
                number += 1
                if letter.routing_key in topology.COMMAND_KEYS:
                    counts[letter.routing_key] += 1
                if number == LETTERS_MAX:
                    break
    except AccessRefused:
        return
    for key, count in sorted(counts.items()):
        says = f"messages under {key} lie in {topology.UNROUTED}: {count}; nobody took them when they came"
        yield Finding("unrouted", Level.WRONG, says, UNROUTED_FIX)


async def _consumers(connection: BrokerConnection) -> AsyncIterator[Finding]:
    requests = await look_at(connection, topology.REQUESTS)
    if requests.trouble:
        yield Finding("consumers", Level.WRONG, f"{requests.name}: {requests.trouble}")
    elif requests.consumers:
        yield Finding("consumers", Level.OK, f"{requests.consumers} on {topology.REQUESTS}")
    else:
        says = f"nobody consumes {topology.REQUESTS}; {requests.ready} wait"
        yield Finding("consumers", Level.WRONG, says, "Start one: `orders worker`.")
