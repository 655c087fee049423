"""Compares what came back for a request with what its case expects. Every difference is a sentence."""

import calendar
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from xml.etree import ElementTree as ET

# Of an older order that gives way: whether there is one depends on the cases before (addorder.md 5.7).
SUPERSEDING = frozenset({"order.cancelled", "invoice.cancelled"})

ID_LISTS = {"services": "serviceids", "addons": "addonids", "domains": "domainids"}


@dataclass(frozen=True)
class Returned:
    """All that came back for one delivery. `days`: today when it was sent and when it was compared."""

    reply: bytes | None
    events: tuple[Mapping[str, Any], ...]
    days: tuple[date, date]

    def data_of(self, event_type: str) -> Mapping[str, Any]:
        return next((event["data"] for event in self.events if event["type"] == event_type), {})


def differences(expect: Mapping[str, Any], returned: Returned) -> Iterator[str]:
    form, reply = parse_reply(returned.reply)
    if returned.reply is not None:
        if form != expect.get("responsetype", "json"):
            yield f"the reply is {form}"
        if reply.get("result") != expect["result"]:
            yield f"the result is {reply}"
            return
        yield from success(expect, reply, form) if expect["result"] == "success" else error(expect, reply)
    if expect.get("events") != "any":
        yield from events(expect, returned)
        yield from event_text(expect, returned)
        if expect["result"] == "success":
            yield from order_added(expect, reply, returned)
        else:
            yield from order_rejected(expect, reply, returned)
    yield from never(expect, returned)


def parse_reply(raw: bytes | None) -> tuple[str, dict[str, Any]]:
    text = (raw or b"").decode()
    if text.startswith("{"):
        return "json", json.loads(text)
    if text.startswith("<"):
        root = ET.fromstring(text)
        assert root.tag == "whmcsapi"
        return "xml", {child.tag: child.text or "" for child in root}
    return "nvp", dict(pair.partition("=")[::2] for pair in text.split(";") if pair)


def success(expect: Mapping[str, Any], reply: Mapping[str, Any], form: str) -> Iterator[str]:
    for kind, name in ID_LISTS.items():
        if len(ids(reply.get(name))) != expect[kind]:
            yield f"{expect[kind]} {kind} expected, not {reply.get(name)!r}"
    if reply.get("productids") != reply.get("serviceids"):
        yield "productids are not serviceids"
    if (str(reply["invoiceid"]) != "0") != expect["invoice"]:
        yield f"invoiceid is {reply['invoiceid']}"
    if form == "json":
        if not all(type(reply[name]) is int for name in ("orderid", "invoiceid")):
            yield "orderid and invoiceid are no numbers"
        if is_miscounted(reply.get("warnings", ()), expect) or reply.get("warnings") == []:
            yield f"warnings are {reply.get('warnings')}"


def is_miscounted(warnings: Sized, expect: Mapping[str, Any]) -> bool:
    """Renewals expect no number: another case may renew the same, and that is a warning (addorder.md 5.7)."""
    return "warnings" in expect and len(warnings) != expect["warnings"]


def error(expect: Mapping[str, Any], reply: Mapping[str, Any]) -> Iterator[str]:
    code, message = reply.get("code", ""), reply.get("message", "")
    if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", code) is None or expect["code"] not in (None, code):
        yield f"the code is {code!r}"
    if message != expect.get("message", message) or not message.startswith(expect.get("message_starts", "")):
        yield f"the message is {message!r}"
    for mention in expect.get("mentions", ()):
        if mention.lower() not in message.lower():
            yield f"the message {message!r} does not mention {mention!r}"


def events(expect: Mapping[str, Any], returned: Returned) -> Iterator[str]:
    told = [event["type"] for event in returned.events if event["type"] not in SUPERSEDING]
    if Counter(expected_types(expect)) != Counter(told):
        yield f"the events are {told}"
    for event in returned.events:
        if event["specversion"] != "1.0" or event["source"] != "/orders" or not event["id"]:
            yield f"the envelope is {event}"
        if datetime.fromisoformat(event["time"]).utcoffset() != timedelta(0):
            yield f"the time {event['time']} is not UTC"
        if expect.get("trace_id", "") not in event.get("traceparent", ""):
            yield f"the traceparent is {event.get('traceparent')}"
        if event["type"].startswith("email.") and "to" in expect:
            yield from to(expect["to"], event["data"]["to"])


def expected_types(expect: Mapping[str, Any]) -> list[str]:
    if expect["result"] == "error":
        return ["order.rejected"]
    return ["order.added", *(f"email.{name}" for name in expect["emails"])]


def to(expect: Mapping[str, str], recipient: Mapping[str, str]) -> Iterator[str]:
    wrong = any(recipient[name] != expect.get(name, recipient[name]) for name in ("email", "language"))
    if wrong or expect.get("name_has", "") not in recipient["name"]:
        yield f"the mail goes to {recipient}"


def event_text(expect: Mapping[str, Any], returned: Returned) -> Iterator[str]:
    for event_type, wanted in expect.get("event_text", {}).items():
        found = list(texts(returned.data_of(event_type)))
        for text in wanted:
            if not any(dated(text, day) in one for day in returned.days for one in found):
                yield f"{event_type} does not say {text!r}"


def order_added(expect: Mapping[str, Any], reply: Mapping[str, Any], returned: Returned) -> Iterator[str]:
    data = returned.data_of("order.added")
    amounts = [expect["amount"]]
    if isinstance(expect["amount"], Mapping):
        amounts = [prorata(expect["amount"], day) for day in returned.days]
    if data.get("amount") not in amounts or data.get("currency") != expect["currency"]:
        yield f"{amounts} {expect['currency']} expected, not {data.get('amount')} {data.get('currency')}"
    if is_miscounted(data.get("warnings", ()), expect):
        yield f"order.added has the warnings {data.get('warnings')}"
    for name in ID_LISTS.values():
        if reply and [str(one) for one in data.get(name, ())] != ids(reply.get(name)):
            yield f"order.added has other {name} than the reply"
    if "recurring" in expect:
        found = [item["recurring"] for item in data.get("items", ()) if Decimal(item["recurring"] or 0)]
        if sorted(found) != sorted(expect["recurring"]):
            yield f"{expect['recurring']} recur, not {found}"


def order_rejected(expect: Mapping[str, Any], reply: Mapping[str, Any], returned: Returned) -> Iterator[str]:
    data = returned.data_of("order.rejected")
    if reply and (data.get("code"), data.get("message")) != (reply.get("code"), reply.get("message")):
        yield f"order.rejected says {data.get('code')}: {data.get('message')}"
    said = " ".join(texts(data)).lower()
    for text in expect.get("faults", ()):
        if text.lower() not in said:
            yield f"{text!r} is not among the faults"
    if "faults_max" in expect and not 1 <= len(data.get("faults", ())) <= expect["faults_max"]:
        yield f"there are {len(data.get('faults', ()))} faults"


def never(expect: Mapping[str, Any], returned: Returned) -> Iterator[str]:
    said = [(returned.reply or b"").decode(), *texts(list(returned.events))]
    for text in expect.get("never", ()):
        if any(text in one for one in said):
            yield f"{text!r} is said"


# ---------------------------------------------------------------- small tools


def ids(written: object) -> list[str]:
    return [one for one in str(written or "").split(",") if one]


def texts(value: object) -> Iterator[str]:
    """Every scalar inside, as text."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for member in value:
            yield from texts(member)
    else:
        yield str(value)


def add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def dated(text: str, today: date) -> str:
    ends = {"monthly": 1, "quarterly": 3, "annually": 12}
    last_days = {name: f"{add_months(today, months) - timedelta(days=1):%d/%m/%Y}" for name, months in ends.items()}
    return text.format(today=f"{today:%d/%m/%Y}", **last_days)


def prorata(amount: Mapping[str, Any], today: date) -> str:
    """The only expectation that depends on the day: addorder.md 5.8."""
    rule = amount["prorata"]
    price = Decimal(rule["price"])
    start = today.replace(day=rule["day"])
    start = start if start <= today else add_months(start, -1)
    end = add_months(start, 1)
    share = (price * (end - today).days / (end - start).days).quantize(Decimal("0.01"), ROUND_HALF_UP)
    if rule["charge_next_month"] is not None and today.day >= rule["charge_next_month"]:
        share += price
    return str(share + Decimal(amount.get("plus", "0.00")))


def utc_today() -> date:
    return datetime.now(UTC).date()
