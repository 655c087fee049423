"""Which messages are meant, and how they fall into groups."""

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from schemas import topology, wire
from schemas.canonical import ADD_ORDER
from schemas.rejections import Rejected
from worker.broker.dead_letters import DeadLetter
from worker.operations.times import Moment

DAY_CHARS = 10  # of a time such as 2026-11-23T21:35:20.249Z
UNKNOWN = "?"  # client or action of what cannot be read
VALUES_MAX = 1_000  # of each kind that are remembered to suggest one
_ID = re.compile(r"[0-9]{1,12}", re.ASCII)
_WORD = re.compile(r"[a-z]{1,40}", re.ASCII)
NOTHING: Mapping["By", str | None] = MappingProxyType({})


class Where(StrEnum):
    DEAD = "dead"
    UNROUTED = "unrouted"

    @property
    def queue(self) -> str:
        return {Where.DEAD: topology.DEAD, Where.UNROUTED: topology.UNROUTED}[self]

    @property
    def words(self) -> str:
        return {Where.DEAD: "dead letters", Where.UNROUTED: "unrouted messages"}[self]


class By(StrEnum):
    """What messages may be grouped by."""

    REASON = "reason"
    CODE = "code"
    CLIENT = "client"
    PUBLISHER = "publisher"
    ACTION = "action"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Filter:
    """Picks messages that are so in every respect that is given."""

    message_ids: frozenset[str] = frozenset()
    by: Mapping[By, str] = field(default_factory=dict)
    since: str = ""  # ISO times compare as text
    until: str = "~"  # behind every time

    @classmethod
    def of(
        cls,
        message_ids: Iterable[str] | None = None,
        by: Mapping[By, str | None] = NOTHING,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> "Filter":
        given = {one: value for one, value in by.items() if value is not None}
        first = iso_time(since.first) if since else ""
        last = iso_time(until.last) if until else "~"
        return cls(frozenset(message_ids or ()), given, first, last)

    def __call__(self, letter: DeadLetter) -> bool:
        return (
            (not self.message_ids or letter.message_id in self.message_ids)
            and self.since <= letter.died_at <= self.until
            and all(group_key(letter, by) == value for by, value in self.by.items())
        )

    @property
    def names_something(self) -> bool:
        return self != Filter()

    @property
    def words(self) -> str:
        """Write it as options, for the audit."""
        times = (("--since", self.since), ("--until", self.until.removeprefix("~")))
        spans = [f"{option} {time}" for option, time in times if time]
        return " ".join([*sorted(self.message_ids), options_of(self.by), *spans]).strip()


# What may be asked for though nobody has it just now.
KNOWN: Mapping[By, frozenset[str]] = {By.ACTION: frozenset({ADD_ORDER})}


class Seen:
    """What there was to choose from, so that a misspelt word can be told from one that nobody has."""

    def __init__(self, chosen: Filter) -> None:
        self._chosen = chosen
        self._values: dict[By, set[str]] = {by: set() for by in chosen.by}

    def put(self, letter: DeadLetter) -> None:
        for by, values in self._values.items():
            if len(values) < VALUES_MAX:
                values.add(group_key(letter, by))

    def misspelt(self) -> str | None:
        """Say which word of the filter nobody has, though somebody has one like it; None: none is so."""
        for by, value in self._chosen.by.items():
            there = self._values[by] | KNOWN.get(by, frozenset())
            if value in there:
                continue
            if close := difflib.get_close_matches(value, there, n=1):
                return f"no message has the {by} {value}; did you mean {close[0]}?"
        return None


def criteria(
    reason: str | None, code: str | None, client: str | None, publisher: str | None, action: str | None
) -> dict[By, str | None]:
    return {
        By.REASON: reason,
        By.CODE: code,
        By.CLIENT: client,
        By.PUBLISHER: publisher,
        By.ACTION: action and action.lower(),
    }


def group_key(letter: DeadLetter, by: By) -> str:
    """Tell in which group a message is."""
    match by:
        case By.REASON:
            return letter.reason
        case By.CODE:
            return letter.code
        case By.DAY:
            return letter.died_at[:DAY_CHARS]
        case By.CLIENT:
            return asked_client(letter)
        case By.PUBLISHER:
            return letter.publisher
        case By.ACTION:
            return asked_action(letter)


def options_of(group: Mapping[By, str]) -> str:
    """Write the options that pick a group."""
    words = []
    for by, value in group.items():
        if by is By.DAY:
            words += [f"--since {value} --until {value}"] if value else []
        else:
            words.append(f"--{by} {shlex.quote(value)}")
    return " ".join(words)


def iso_time(time: datetime) -> str:
    """Write a time as headers have it, so that the two can be compared as text."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def asked_client(letter: DeadLetter) -> str:
    """Tell for which client a request is; "" where it does not say so. What is no id is not told: a secret?"""
    client = _asked(letter, "clientid").strip()
    return client if not client or _ID.fullmatch(client) else UNKNOWN


def asked_action(letter: DeadLetter) -> str:
    """Tell what a request asks for, in lower case; where its body does not say so, under which key it came."""
    action = _asked(letter, "action").strip().lower()
    return (action if _WORD.fullmatch(action) else UNKNOWN) if action else letter.routing_key


def _asked(letter: DeadLetter, name: str) -> str:
    """Read a parameter of a request, as far as it can be read."""
    try:
        value = wire.decode(letter.delivery.body, letter.delivery.properties.content_type).get(name, "")
    except Rejected:
        return UNKNOWN
    return value if isinstance(value, str) else UNKNOWN
