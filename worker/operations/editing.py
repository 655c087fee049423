"""A request as a person may edit it: readable, without its secrets, and back into the encoding that it came in."""

import difflib
import json
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from repository.audit import Line
from schemas import add_order, wire
from schemas.rejections import Rejected
from worker.broker import republish
from worker.broker.dead_letters import DeadLetters, Held, is_routed
from worker.broker.messages import Outgoing
from worker.broker.republish import Republisher
from worker.operations.actor import Role
from worker.operations.audit import Run, line_of
from worker.operations.replay import AT_ONCE, Fate, Step, Survey, finish, outcome_of
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
        return cls(wire.media_type(content_type, body), tree, redacted(tree))

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
            path = _path(name)
            self._check_known(path[0])
            _put(values, path, value)
        return self.changed(values)

    def _check_known(self, name: str) -> None:
        """See that a parameter is one, or one that its caller has given."""
        if add_order.unknown_names({name: ""}) and name not in self.tree:
            close = difflib.get_close_matches(name, add_order.AddOrderRequest.model_fields, n=1)
            raise NotEdited(f"{name}: no parameter of a request" + (f"; did you mean {close[0]}?" if close else ""))

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


Change = Callable[[Draft], Edited]


def _shown(value: Any) -> Shown:
    """Take JSON's lists and booleans as a form has them."""
    if isinstance(value, Mapping):
        return {str(key): _shown(member) for key, member in value.items()}
    if isinstance(value, list):
        return {str(key): _shown(member) for key, member in enumerate(value)}
    if isinstance(value, bool):
        return "true" if value else ""
    return "" if value is None else str(value)


def _back(value: Shown, shown: Shown, original: wire.Value | None, path: str) -> wire.Value:
    """Put what was not touched back as it was, secrets too; what was opened to be shown is closed again."""
    if value == shown and original is not None:
        return original
    if value == REDACTED:
        raise NotEdited(f"{path}: a secret can stay as it is, or be given anew; it can not be moved here")
    if isinstance(value, Mapping):
        inside = _opened(original)
        inner = shown if isinstance(shown, Mapping) else {}
        members = {
            key: _back(member, inner.get(key), inside.get(key), f"{path}[{key}]") for key, member in value.items()
        }
        if isinstance(original, str) and isinstance(shown, Mapping):
            return wire.serialize_value(members)
        return wire.JsonObject(members) if isinstance(original, wire.JsonObject) else members
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


async def edited(letters: DeadLetters, plan: Survey, run: Run, change: Change) -> AsyncGenerator[Step]:
    """Send what comes of each request under an id of its own, and only then take it out of the queue.

    What cannot be edited stays as it is. Of a request and what was made of it at most one is ever placed.
    """
    run.actor.check(Role.ADMIN)
    async with aclosing(letters.batches(plan.is_due, AT_ONCE)) as batches:
        async for batch in batches:
            planned = [_plan(letters.republisher, held, change) for held in batch]
            begun = await run.begin([_line(held, one, run.why) for held, one in zip(batch, planned, strict=True)])
            sending = [(n, one) for n, one in enumerate(planned) if isinstance(one, _Planned)]
            whys = dict(
                zip((n for n, _ in sending), await letters.send([one.request for _, one in sending]), strict=True)
            )
            steps = [_step(held, one, whys.get(n)) for n, (held, one) in enumerate(zip(batch, planned, strict=True))]
            await finish(letters, batch, steps, run)
            await run.end([(id_, outcome_of(step)) for id_, step in zip(begun, steps, strict=True)])
            for step in steps:
                yield step


@dataclass(frozen=True, slots=True)
class _Planned:
    """What a request becomes."""

    edit: Edited
    new_message_id: str
    request: Outgoing


def _plan(republisher: Republisher, held: Held, change: Change) -> _Planned | str | None:
    """Make of a request what it becomes, or say why it becomes nothing; None: of a double nothing is made."""
    letter = held.letter
    if held.is_double:
        return None
    try:
        edit = change(Draft.of(letter.delivery.body, letter.delivery.properties.content_type))
    except NotEdited as error:
        return str(error)
    if not edit.changes:
        return "nothing would change"
    if letter.is_unrouted and not is_routed(letter.routing_key):
        return f"no queue takes its routing key, {letter.routing_key}"
    new_message_id = str(uuid.uuid4())
    new = republish.Edited(new_message_id, edit.body, edit.content_type)
    request = republisher.edited(letter.delivery, letter.trail, letter.routing_key, new)
    return _Planned(edit, new_message_id, request)


def _line(held: Held, planned: _Planned | str | None, why: str) -> Line:
    if isinstance(planned, _Planned):
        return line_of(held.letter, "edit", why, planned.new_message_id, changes=planned.edit.changes)
    return line_of(held.letter, "edit", why)


def _step(held: Held, planned: _Planned | str | None, why_not: str | None) -> Step:
    if planned is None:
        return Step(held.letter, Fate.DOUBLE)
    if isinstance(planned, str):
        return Step(held.letter, Fate.SKIPPED, planned)
    if why_not is not None:
        return Step(held.letter, Fate.SKIPPED, why_not)
    return Step(held.letter, Fate.DONE, new_message_id=planned.new_message_id)
