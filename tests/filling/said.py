"""What the orders of the pattern were answered, with places for what differs from one order to the next."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from schemas.events import event_id
from tests.filling.pattern import WORD

# Around the name of what is to be put in, in texts of JSON; no text of ours has these characters. A number is quoted
# until then.
BEGIN, END = "\ue000", "\ue001"
_NUMBER = re.compile(f'"{BEGIN}#([^{END}]+){END}"')
_TEXT = re.compile(f"{BEGIN}([^{END}]+){END}")

TABLES = {
    "service": "services",
    "service_renewal": "services",
    "addon": "service_addons",
    "domain": "domains",
    "domain_renewal": "domains",
}
LISTS = {"serviceids": "services", "productids": "services", "addonids": "service_addons", "domainids": "domains"}
NUMBERS = {"orderid": "order", "invoiceid": "invoice", "clientid": "client"}
NAMES = {
    "request_id": "message",
    "ordernum": "ordernum",
    "date": "day",
    "due": "day",
    "time": "time",
    "subject": "order",
}

Ranks = Mapping[str, Mapping[int, int]]  # table → id in the pattern → rank
IdOf = Callable[[str, int], int]  # of a table and a rank


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to one request of the pattern, as formats for the % operator."""

    place: int | None  # of its order; None: rejected
    client_rank: int | None
    request_rank: int
    invoice_rank: int | None
    outcome: str
    reply: str
    events: tuple[str, ...]
    types: tuple[str, ...]  # of the events
    items: frozenset[tuple[str, int]]  # table and rank of everything that is named

    @classmethod
    def of(cls, row: asyncpg.Record, ranks: Ranks) -> "Said":
        marking = _Marking(ranks)
        events = [orjson.loads(event) for event in row["events"]]
        return cls(
            place=row["place"],
            client_rank=row["client_rank"],
            request_rank=row["request_rank"],
            invoice_rank=row["invoice_rank"],
            outcome=row["outcome"],
            reply=_format(marking.marked(orjson.loads(row["reply"]))),
            events=tuple(_format(marking.marked({**event, "id": _mark(event["type"])})) for event in events),
            types=tuple(event["type"] for event in events),
            items=frozenset(marking.items),
        )

    def of_order(self, caller: str, message_id: str, id_of: IdOf, values: dict[str, object]) -> tuple[str, list[str]]:
        """Return reply and events of another order."""
        values["message"] = message_id
        values |= {event_type: event_id(caller, message_id, event_type) for event_type in self.types}
        values |= {f"{table}:{rank}": id_of(table, rank) for table, rank in self.items}
        return self.reply % values, [event % values for event in self.events]


class _Marking:
    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self.items: set[tuple[str, int]] = set()

    def marked(self, value: Any, name: str = "") -> Any:
        """Mark what differs, by the names that it has in replies and events."""
        if name in LISTS:
            return self._ids(LISTS[name], value)
        if name in NAMES or (name in NUMBERS and value):
            return _mark(NAMES.get(name) or f"#{NUMBERS[name]}")
        if isinstance(value, list):
            return [self.marked(of) for of in value]
        if isinstance(value, dict):
            marked = {key: self.marked(of, key) for key, of in value.items()}
            if isinstance(value.get("id"), int):
                marked["id"] = self._item(TABLES[value["kind"]], value["id"]) if "kind" in value else _mark("#invoice")
            return marked
        return value.replace(WORD, _mark("shop")) if isinstance(value, str) else value

    def _ids(self, table: str, ids: list[int] | str) -> list[str] | str:
        if isinstance(ids, list):
            return [self._item(table, item_id) for item_id in ids]
        return ",".join(self._item(table, int(item_id), "") for item_id in ids.split(",") if item_id)

    def _item(self, table: str, item_id: int, number: str = "#") -> str:
        item = (table, self._ranks[table][item_id])
        self.items.add(item)
        return _mark(f"{number}{table}:{item[1]}")


def _mark(name: str) -> str:
    return f"{BEGIN}{name}{END}"


def _format(marked: Any) -> str:
    text = orjson.dumps(marked).decode().replace("%", "%%")
    return _TEXT.sub(r"%(\1)s", _NUMBER.sub(r"%(\1)s", text))
