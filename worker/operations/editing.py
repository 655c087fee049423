"""A request as a person may edit it: readable, without its secrets, and back into the encoding that it came in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repository import audit
from repository.database import Database
from schemas import add_order, wire
from schemas.rejections import Rejected
from worker.broker import republish
from worker.broker.dead_letters import DeadLetter, DeadLetters
from worker.operations.actor import Actor, Role
from worker.operations.audit import operation_on
from worker.redaction import REDACTED, Shown, redacted

FAULTS_OF_FORM = "it must be one JSON object, of names and their values"


class NotEdited(Exception):
    """What was made of a request cannot be sent; the text says what to fix, a line each."""


@dataclass(frozen=True, slots=True)
class Edited:
    """The request that came of it. `changes` are the parameters that differ, before and after, without secrets."""

    body: bytes
    content_type: str
    changes: list[dict[str, Shown]]


@dataclass(frozen=True, slots=True)
class Draft:
    """A request on the desk: what it was, and the form in which it is shown and edited."""

    media: str
    tree: wire.Tree
    shown: Mapping[str, Shown]

    @classmethod
    def of(cls, body: bytes, content_type: str | None) -> "Draft":
        """Open a request.

        Raises:
            NotEdited: it cannot be read.
        """
        try:
            tree = wire.decode(body, content_type)
        except Rejected as rejected:
            raise NotEdited(
                f"{rejected}. To fix it all the same: `orders dead export`, fix the file, `orders dead import`"
            ) from None
        return cls(wire.media_type(content_type, body) or wire.JSON, tree, redacted(tree))

    @property
    def text(self) -> str:
        return json.dumps(self.shown, indent=2, ensure_ascii=False) + "\n"

    def read(self, text: str) -> Edited:
        """Take a text that was edited.

        Raises:
            NotEdited: it is no request, or one that would be refused for its shape.
        """
        try:
            values = json.loads(text, parse_int=str, parse_float=str)  # amounts never become floats
        except ValueError as error:
            raise NotEdited(f"not JSON: {error}") from None
        if not isinstance(values, dict):
            raise NotEdited(FAULTS_OF_FORM)
        return self.changed({name: _shown(value) for name, value in values.items()})

    def set(self, given: Mapping[str, str | None]) -> Edited:
        """Change parameters by their names as a form has them, `pid[0]`; None takes one out.

        Raises:
            NotEdited: a name is none, or what comes of it would be refused for its shape.
        """
        values: dict[str, Any] = json.loads(json.dumps(self.shown))
        for name, value in given.items():
            _put(values, _path(name), value)
        return self.changed(values)

    def changed(self, values: Mapping[str, Shown]) -> Edited:
        tree = {name: _back(value, self.shown.get(name), self.tree.get(name), name) for name, value in values.items()}
        body = wire.encode(tree, self.media)
        try:
            add_order.parse(wire.decode(body, self.media))
        except Rejected as rejected:
            raise NotEdited("\n".join(fault.message for fault in rejected.faults)) from None
        after = redacted(tree)
        names = dict.fromkeys((*self.shown, *after))
        changes: list[dict[str, Shown]] = [
            {"parameter": name, "before": self.shown.get(name), "after": after.get(name)}
            for name in names
            if self.tree.get(name) != tree.get(name)
        ]
        return Edited(body, self.media, changes)


def _shown(value: Any) -> Shown:
    """Take JSON's lists and booleans as a form has them."""
    if isinstance(value, Mapping):
        return {str(key): _shown(member) for key, member in value.items()}
    if isinstance(value, list):
        return {str(key): _shown(member) for key, member in enumerate(value)}
    if isinstance(value, bool):
        return "true" if value else ""
    return "" if value is None else str(value)


def _back(value: Shown, shown: Shown, original: wire.Value | None, place: str) -> wire.Value:
    """Put what was not touched back as it was, secrets too; what was opened to be shown is closed again."""
    if value == shown and original is not None:
        return original
    if value == REDACTED:
        raise NotEdited(f"{place}: a secret can stay as it is, or be given anew; it can not be moved here")
    if isinstance(value, Mapping):
        inside = _opened(original)
        inner = shown if isinstance(shown, Mapping) else {}
        return {key: _back(member, inner.get(key), inside.get(key), f"{place}[{key}]") for key, member in value.items()}
    return str(value)


def _opened(original: wire.Value | None) -> Mapping[str, wire.Value]:
    if isinstance(original, str):
        try:
            return wire.unserialize_value(original)
        except ValueError:
            return {}
    return original if isinstance(original, Mapping) else {}


def _path(name: str) -> list[str]:
    first, bracket, rest = name.partition("[")
    keys = rest.removesuffix("]").split("][") if bracket else []
    if not first or (bracket and not rest.endswith("]")):
        raise NotEdited(f"{name}: no name of a parameter, such as paymentmethod or pid[0]")
    return [first.lower(), *keys]


def _put(values: dict[str, Any], path: list[str], value: str | None) -> None:
    *above, last = path
    for key in above:
        inner = values.get(key)
        values[key] = dict(inner) if isinstance(inner, Mapping) else {}
        values = values[key]
    if value is None:
        values.pop(last, None)
    else:
        values[last] = value


async def send_edited(  # noqa: PLR0913  # who sends what in the stead of which, why, and where it is written down
    letters: DeadLetters,
    letter: DeadLetter,
    edited: Edited,
    *,
    new_id: str,
    why: str,
    actor: Actor,
    database: Database,
) -> bool:
    """Write down what is done, send the new request, and only then take the old one out; False: it is not there."""
    actor.check(Role.ADMIN)
    properties = republish.edited(letter.delivery.properties, new_id, edited.content_type)
    operation = operation_on(letter, "edit", why, actor, new_message_id=new_id, changes=edited.changes)

    async def send(_: DeadLetter) -> None:
        async with database.connection() as connection:
            await audit.record(connection, operation)
        await letters.publish(edited.body, properties, letter.routing_key)

    return bool([one async for one in letters.move(lambda one: one.digest == letter.digest, send)])
