"""What only RabbitMQ's management plugin tells: bindings, policies, rates, consumers. Whoever asks can do without.

By http.client in a thread: a handful of GETs a minute, each with a bound, past any proxy that the environment names.
"""

import asyncio
import base64
import http.client
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from schemas import topology
from schemas.topology import Binding
from worker.broker.addresses import vhost_of

ANSWER_SECONDS_MAX = 5.0
ANSWER_BYTES_MAX = 32 * 2**20  # some ten thousand queues
WORDS_CHARS_MAX = 200  # of what it says when it refuses

# What a policy can set that lets a queue of ours lose or refuse what it should keep.
LIMITS = frozenset({"max-length", "max-length-bytes", "message-ttl", "expires", "overflow", "delivery-limit"})


ANYTHING = ".*"  # where no right narrows the keys of a topic exchange


class Unmanaged(Exception):
    """The plugin tells nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that applies to a queue, and what it sets. An operator policy is an administrator's over the users'."""

    name: str
    is_operators: bool
    definition: Mapping[str, object]

    @property
    def limits(self) -> bool:
        return not LIMITS.isdisjoint(self.definition)


@dataclass(frozen=True, slots=True)
class QueueDetails:
    """What a queue does, as it was seen some seconds ago. Rates are messages a second; None: not known yet."""

    unacknowledged: int | None
    in_rate: float | None
    out_rate: float | None
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class SeenConsumer:
    """Who consumes a queue, as the broker names them: by user, and from where they come."""

    user: str
    address: str


@dataclass(frozen=True, slots=True)
class Management:
    """The plugin of one broker, asked about one virtual host. `url` names it, with a user and their password."""

    url: str
    vhost: str

    @classmethod
    def of(cls, management_url: str, amqp_url: str) -> "Management":
        return cls(management_url, vhost_of(amqp_url))

    async def bindings(self) -> frozenset[Binding]:
        """List the bindings of exchanges to queues, those of the default exchange aside.

        Raises:
            Unmanaged: it does not tell.
        """
        return frozenset(
            Binding(str(one["destination"]), str(one["source"]), str(one["routing_key"]))
            for one in await self._list("bindings")
            if one["source"] and one["destination_type"] == "queue"
        )

    async def missing_bindings(self) -> list[Binding]:
        """Name the bindings of ours that are not there.

        Raises:
            Unmanaged: it does not tell.
        """
        there = await self.bindings()
        return [one for one in topology.BINDINGS if one not in there]

    async def queues(self) -> dict[str, QueueDetails]:
        """Tell of each queue what it does.

        Raises:
            Unmanaged: it does not tell.
        """
        return {str(one["name"]): _details(one) for one in await self._list("queues")}

    async def consumers(self, queue: str) -> list[SeenConsumer]:
        """Name who consumes a queue.

        Raises:
            Unmanaged: it does not tell.
        """
        return [_consumer(one) for one in await self._list("consumers") if one["queue"]["name"] == queue]

    async def who_may_bind(self, exchange: str, key: str) -> list[str]:
        """Name the users who may bind a queue to a topic exchange under a key, administrators aside.

        Raises:
            Unmanaged: it does not tell, as it tells nobody but an administrator.
        """
        vhost = quote(self.vhost, safe="")
        rights = await self._ask(f"/api/vhosts/{vhost}/permissions")
        topics = await self._ask(f"/api/vhosts/{vhost}/topic-permissions")
        administrators = {one["name"] for one in await self._ask("/api/users") if "administrator" in one["tags"]}
        narrowed = {one["user"]: str(one["read"]) for one in topics if one["exchange"] == exchange}
        return sorted(
            str(one["user"])
            for one in rights
            if one["user"] not in administrators
            and _allows(str(one["read"]), exchange)
            and _allows(narrowed.get(one["user"], ANYTHING), key)
        )

    async def _list(self, what: str) -> list[dict[str, Any]]:
        return await self._ask(f"/api/{what}/{quote(self.vhost, safe='')}")

    async def _ask(self, path: str) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                answer = await asyncio.to_thread(_get, self.url, path)
        except TimeoutError as error:
            raise Unmanaged(f"no answer in {ANSWER_SECONDS_MAX:g} seconds") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unmanaged(f"{type(error).__name__}: {error}") from error
        if not isinstance(answer, list):
            raise Unmanaged("what answers there is no management plugin")
        return answer


def _allows(pattern: str, name: str) -> bool:
    """Whether a right's pattern is found in a name. An empty one allows nothing; one that we cannot read may."""
    try:
        return bool(pattern) and re.search(pattern, name) is not None
    except re.error:
        return True


def _get(url: str, path: str) -> object:
    """Ask for a path, and read the JSON that comes."""
    address = urlsplit(url)
    connection = _connection(url)
    try:
        written = f"{unquote(address.username or '')}:{unquote(address.password or '')}"
        credentials = base64.b64encode(written.encode()).decode()
        connection.request(
            "GET",
            address.path.rstrip("/") + path,
            headers={"Authorization": f"Basic {credentials}", "Accept": "application/json"},
        )
        response = connection.getresponse()
        body = response.read(ANSWER_BYTES_MAX + 1)
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise Unmanaged(_refusal(response.status, body))
    if len(body) > ANSWER_BYTES_MAX:
        raise Unmanaged(f"its answer is larger than {ANSWER_BYTES_MAX:,} bytes")
    return json.loads(body)


def _connection(url: str) -> http.client.HTTPConnection:
    address = urlsplit(url)
    if address.scheme == "http":
        return http.client.HTTPConnection(address.hostname or "", address.port, timeout=ANSWER_SECONDS_MAX)
    context = ssl.create_default_context(cafile=parse_qs(address.query).get("cafile", [None])[0])
    return http.client.HTTPSConnection(
        address.hostname or "", address.port, timeout=ANSWER_SECONDS_MAX, context=context
    )


def _refusal(status: int, body: bytes) -> str:
    if status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
        return "it does not let this user look; fix: the user's password, the tag `management`, a right in the vhost"
    if status == http.client.NOT_FOUND:
        return "it knows no such virtual host, or is no management plugin"
    return f"it answers {status}: {body[:WORDS_CHARS_MAX].decode(errors='replace')}"


def _details(queue: Mapping[str, Any]) -> QueueDetails:
    definition = queue.get("effective_policy_definition") or {}
    named = ((queue.get("policy"), False), (queue.get("operator_policy"), True))
    rates = queue.get("message_stats") or {}
    return QueueDetails(
        unacknowledged=queue.get("messages_unacknowledged"),
        in_rate=_rate(rates, "publish"),
        out_rate=_rate(rates, "deliver_get"),
        # Of two policies on one queue the broker tells only what they come to together.
        policies=tuple(Policy(name, is_operators, definition) for name, is_operators in named if name),
    )


def _rate(rates: Mapping[str, Any], name: str) -> float | None:
    details = rates.get(f"{name}_details")
    return float(details["rate"]) if details else None


def _consumer(consumer: Mapping[str, Any]) -> SeenConsumer:
    # Of a channel that has just opened the broker tells nothing yet, which is an empty list.
    channel = consumer.get("channel_details") or {}
    address = f"{channel.get('peer_host', '?')}:{channel.get('peer_port', '?')}"
    return SeenConsumer(str(channel.get("user", "?")), address)
