"""Requests that somebody has in files: told apart before anything is sent, sent in order, and answered one by one."""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass

from schemas import wire
from worker.broker.messages import MESSAGE_ID_CHARS_MAX, is_message_id
from worker.client import Request, Storefront
from worker.operations.faults import OperationFault
from worker.operations.servers import rabbitmq_in_words

IN_FLIGHT_MAX = 100

_SAYS_NO = re.compile(rb'"result": ?"error"|<result>error|result=error')
_SERIALIZED = re.compile(rb"a:[0-9]+:\{")


class NotSent(OperationFault):
    """Something of what was given is no request; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Given:
    """A request, and where it stands. `number` counts all that are given together, from 1."""

    number: int
    where: str
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request. `reply` is None where none was waited for, or none came: then its outcome is unknown."""

    number: int
    message_id: str
    reply: bytes | None

    @property
    def is_error(self) -> bool:
        """Whether the reply says no, in whichever encoding."""
        return self.reply is not None and _SAYS_NO.search(self.reply) is not None


def split(text: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    """Tell the requests of a text apart, with their places. JSON lines are a request each; all else is one.

    Raises:
        NotSent: some lines are JSON objects, and this one is none.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(lines) < 2 or _fault_of(text) is None:  # noqa: PLR2004  # lines, of which one is no list
        if text.strip():
            yield where, text.strip()
        return
    faults = {number: _fault_of(line) for number, line in lines}
    if all(faults.values()):
        yield where, text.strip()
        return
    for number, line in lines:
        if fault := faults[number]:
            raise NotSent(f"{where}, line {number}: {fault}; nothing was sent")
        yield f"{where}, line {number}", line.strip()


def _fault_of(text: bytes) -> str | None:
    """Say why a text is no JSON object; None: it is one."""
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"not JSON ({error})"
    return None if isinstance(value, dict) else "not a JSON object"


def content_type_of(body: bytes) -> str:
    """Tell the encoding from how a body begins. What is nothing else, and has no fields either, was meant as JSON."""
    if _SERIALIZED.match(body):
        return wire.PHP
    return wire.FORM if not body.startswith((b"{", b"[")) and b"=" in body else wire.JSON


def with_keys(given: Sequence[Given], prefix: str, field: str | None) -> list[tuple[int, Request]]:
    """Give each request its key: what a field of it says, or a prefix and its number. Its body stays as it is.

    Raises:
        NotSent: a request has no such field, or what it says can be no key.
    """
    keyed = []
    for one in given:
        key = f"{prefix}{one.number}" if field is None else _key_in(one, field)
        if not isinstance(key, str) or not is_message_id(key):
            fits = f"a text of 1 to {MESSAGE_ID_CHARS_MAX} characters"
            raise NotSent(f"{one.where}: its key must be {fits}; nothing was sent")
        keyed.append((one.number, Request(one.body, one.content_type, key)))
    return keyed


def _key_in(one: Given, field: str) -> object:
    """Read the key of a request in one of its own fields, which nobody else reads."""
    if one.content_type != wire.JSON or _fault_of(one.body) is not None:
        raise NotSent(f"{one.where}: a key field is one of a JSON object; nothing was sent")
    values = json.loads(one.body)
    if field not in values:
        raise NotSent(f"{one.where}: it has no field {field}; nothing was sent")
    key = values[field]
    return str(key) if isinstance(key, int) and not isinstance(key, bool) else key


async def published(
    url: str, requests: Sequence[tuple[int, Request]], reply_seconds: float | None
) -> AsyncGenerator[Answered]:
    """Send requests, some in flight together, and tell of each in its turn, once it is confirmed or answered.

    Raises:
        OperationFault: the broker is away, or takes nothing; of those that were not told of, nobody knows.
    """
    pending = deque[asyncio.Task[Answered]]()
    with rabbitmq_in_words():
        async with Storefront.open(url) as storefront:
            try:
                for number, request in requests:
                    if len(pending) == IN_FLIGHT_MAX:
                        yield await pending.popleft()
                    pending.append(asyncio.create_task(_one(storefront, number, request, reply_seconds)))
                while pending:
                    yield await pending.popleft()
            finally:
                # Not a TaskGroup: it would wrap in a group whatever ends this.
                for task in pending:
                    task.cancel()
                await asyncio.gather(*pending, return_exceptions=True)


async def _one(storefront: Storefront, number: int, request: Request, reply_seconds: float | None) -> Answered:
    await storefront.send(request, wants_reply=reply_seconds is not None)
    if reply_seconds is None:
        return Answered(number, request.message_id, None)
    try:
        return Answered(number, request.message_id, await storefront.reply_to(request, reply_seconds))
    except TimeoutError:
        return Answered(number, request.message_id, None)
