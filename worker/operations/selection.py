"""Which messages are meant, and how they fall into groups."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from schemas import topology, wire
from schemas.rejections import Rejected
from worker.broker.dead_letters import DeadLetter

DAY_CHARS = 10  # of a time such as 2026-11-23T21:35:20.249Z
UNKNOWN = "?"  # client or action of what cannot be read


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
        message_ids: list[str] | None,
        by: Mapping[By, str | None],
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> "Filter":
        given = {one: value for one, value in by.items() if value is not None}
        times = (iso_time(time) if time else None for time in (since, until))
        first, last = times
        return cls(frozenset(message_ids or ()), given, first or "", last or "~")

    def __call__(self, letter: DeadLetter) -> bool:
        return (
            (not self.message_ids or letter.message_id in self.message_ids)
            and self.since <= letter.died_at <= self.until
            and all(group_key(letter, by) == value for by, value in self.by.items())
        )

    @property
    def names_something(self) -> bool:
        return self != Filter()


def criteria(reason: str | None, code: str | None, client: str | None, action: str | None) -> dict[By, str | None]:
    return {By.REASON: reason, By.CODE: code, By.CLIENT: client, By.ACTION: action and action.lower()}


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
            return _asked(letter, "clientid")
        case By.ACTION:
            return _asked(letter, "action").lower() or letter.routing_key


def options_of(group: Mapping[By, str]) -> str:
    """Write the options that pick a group."""
    words = []
    for by, value in group.items():
        if by is By.DAY:
            words += [f"--since {value}T00:00:00", f"--until {value}T23:59:59.999Z"]
        else:
            words.append(f"--{by} {value or repr('')}")
    return " ".join(words)


def iso_time(time: datetime) -> str:
    """Write a time as headers have it, so that the two can be compared as text."""
    utc = time if time.tzinfo else time.replace(tzinfo=UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _asked(letter: DeadLetter, name: str) -> str:
    try:
        value = wire.decode(letter.delivery.body, letter.delivery.properties.content_type).get(name, "")
    except Rejected:
        return UNKNOWN
    return value if isinstance(value, str) else UNKNOWN
