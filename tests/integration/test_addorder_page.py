"""What docs/addorder.md says is so: its requests are placed, and its tables are those of the program."""

import json
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest

from deploy.local.servers import Servers
from repository import scratch
from schemas import add_order, php, rejections, wire
from schemas.add_order import ALIASES, EDGE_PARAMETERS, AddOrderRequest, parse
from schemas.catalog import BillingCycle, Prorata
from schemas.rejections import Code, Rejected
from tests.documentation import examples_of, one_line, shape_of
from tests.shop import Shop
from worker.domain import cart, decide
from worker.domain.money import to_minor_unit
from worker.domain.periods import first_period

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/addorder.md").read_text(encoding="utf-8")
EXAMPLES = examples_of(PAGE)

ENCODINGS = {"json": wire.JSON, "form": wire.FORM, "php": wire.PHP}
# Of an example: a request in one encoding or more, its reply, and as much of its events as teaches.
PARTS = {*ENCODINGS, "reply", "added", "invoice", "faults"}
NAMES = list(dict.fromkeys(label.partition(".")[0] for label in EXAMPLES if "." in label))
SNIPPETS = {"options-php": "php", "options-python": sys.executable, "options-javascript": "node"}

IN_TABLES = {"clientid": "1", "paymentmethod": "paypal"}  # of every request in a table that names no others

# Of every parameter, or every array; all others are listed with the parameters and types that they are about.
GENERAL_CODES = {"parameter_repeated", "array_expected", "value_expected", "item_key_invalid", "too_many_items"}


def documented(label: str) -> Any:
    return json.loads(EXAMPLES[label])


# ---------------------------------------------------------------- the tables of the page


def tables() -> Iterator[list[list[str]]]:
    """Every table: its head, and its rows of cells."""
    for found in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        head, _, *rows = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in found.splitlines()]
        yield [head, *rows]


def rows_under(*head: str) -> list[list[str]]:
    """The rows of all tables with this head."""
    found = [row for table in tables() if table[0] == list(head) for row in table[1:]]
    assert found, head
    assert {len(row) for row in found} == {len(head)}, head
    return found


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", cell)


TRIED = {quoted(row[0])[0]: row[1:3] for row in rows_under("request", "now", "recurring", "because")}
WARNED = {quoted(row[0])[0]: quoted(row[1]) for row in rows_under("request", "warning")}
TYPES = rows_under("type", "what", "taken", "refused", "code")
CODES = [(quoted(row[0])[0], quoted(row[1])[0]) for row in rows_under("code", "sentence", "when", "what to do")]


@dataclass(frozen=True)
class Parameter:
    """A row of the tables of parameters, or one of several names in it."""

    name: str
    of_item: bool
    is_array: bool
    type: str
    codes: tuple[str, ...]


def parameters() -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for names, type_name, _, _, codes in rows_under("parameter", "type", "left out", "meaning", "refused with"):
        for name, mark in re.findall(r"`([a-z0-9]+)(?:\[\])?`( \*i\*)?", names):
            known = found.get(name)
            listed = (*quoted(codes), *(known.codes if known else ()))  # `domain` is of services and of domains
            found[name] = Parameter(name, bool(mark), f"`{name}[]`" in names, type_name, listed)
    return found


PARAMETERS = parameters()

# Arrays whose keys are not those of items.
OF_NO_ITEM = {"addonids", "serviceids", "addonidsqty", "servicerenewals", "addonrenewals"}


# ---------------------------------------------------------------- how each code comes about


def body_of(written: str) -> tuple[bytes, str]:
    """Complete a request of a table: form fields, or a JSON object."""
    if written.startswith("{"):
        return json.dumps({**IN_TABLES, **json.loads(written)}).encode(), wire.JSON
    rest = "".join(f"{name}={value}&" for name, value in IN_TABLES.items() if f"{name}=" not in written)
    return f"{rest}{written}".encode(), wire.FORM


LONG = "x" * 256
OF_CLIENT_1 = {"body": {**IN_TABLES, "pid": 7}}
# By sentence: a request, or how to publish one.
CAUSES: dict[str, str | dict[str, Any]] = {
    "The request is larger than 1048576 bytes": {"body": b"{" + b" " * 1_048_576},
    "The request could not be read: not a JSON object": {"body": b'{"clientid": 1'},
    "The request could not be read: its content type is application/xml: send it as "
    "application/x-www-form-urlencoded, application/json or application/vnd.php.serialized": {
        "body": b"<a/>",
        "content_type": "application/xml",
    },
    "The request could not be read: its pairs are separated by &amp; as in HTML: send & between them, and %26 for an & "
    "inside a value": "pid=7&amp;qty=2",
    "The message has no message_id: set one before the first try and keep it": {**OF_CLIENT_1, "message_id": None},
    "The message_id must be 1 to 128 characters of text": {**OF_CLIENT_1, "message_id": "x" * 129},
    "Authentication Failed": {**OF_CLIENT_1, "trusted": False},
    "action: this queue takes addorder only": "action=getorders",
    'Invalid Permissions: API action "addorder" is not allowed': "pid=7&identifier=NOPERM&secret=SECRET",
    "clientid: required": "clientid=&pid=7",
    "Parameter 'clientid' given more than once": "clientid=1&clientid=2&pid=7",
    "Expecting parameter 'pid' to be an array": "pid=1,1,5",
    "promocode: must be one value, not an array": "pid=7&promocode[]=demopromo",
    "pid: its keys must be item numbers, as in pid[0]": "pid[first]=7",
    "qty[1]: must be a whole number such as 7": "pid[1]=7&qty[1]=many",
    "qty[0]: must be 1 or more": "pid=7&qty=0",
    "addonsqty[0]: has a quantity where addons has no addon": "pid=7&addons=1&addonsqty=1,1",
    "addonsqty[0]: quantities must be 1 to 2147483647": "pid=7&addons=1&addonsqty=0",
    "priceoverride[0]: must be an amount such as 5 or 5.00, at most two decimals": "pid=7&priceoverride=-1",
    'priceoverride[0]: must have at most two decimals: send a float rounded, as text: "19.99"': "pid=7"
    "&priceoverride=19.989999999999998",
    "noinvoice: must be true or false (or on/off, yes/no, 1/0)": "pid=7&noinvoice=never",
    "billingcycle[0]: must be one of free, onetime, monthly, quarterly, semiannually, annually, biennially, "
    "triennially": "pid=7&billingcycle=daily",
    "domaintype[0]: must be register or transfer": "domain=a.com&domaintype=renew",
    "clientip: must be an IPv4 or IPv6 address such as 192.0.2.7": "pid=7&clientip=192.0.2.7:80",
    "responsetype: must be json, xml or nvp": "pid=7&responsetype=yaml",
    "idnlanguage[0]: must be at most 255 characters": f"pid=7&idnlanguage={LONG}",
    "It has more than 20000 values, which no order needs: split it": "pid=7" + "&x=" * 20_000,
    "addons[0]: must have at most 1000 members": f"pid=7&addons={',' * 1_000}",
    "customfields[0]: must be a map, or base64 of one: of a PHP-serialized array or a JSON object": "pid=7"
    "&customfields=Google",
    'customfields[1]: there is no item 1: the map of item 0 is customfields[0] = {"1": …}': "pid[0]=1"
    "&customfields[1][1]=Google",
    'addons[1]: there is no item 1: the ids of item 0 are one text, as in addons[0] = "1,3"': "pid=1&addons=1&addons=3",
    "domainrenewals[0]: must be a number of years, as in domainrenewals[example.com] = 1": "domainrenewals[]=a.com",
    "configoptions[0]: an option takes a value, or a map of optionid and qty": '{"pid": 1, "configoptions": '
    '{"1": {"choice": 999}}}',
    "This message_id was used for another request: give every new request a message_id of its own": {
        **OF_CLIENT_1,
        "message_id": "order",
    },
    "Client ID not found": "clientid=999&pid=7",
    "Unable to add order when client status is Closed": "clientid=4&pid=7",
    "Invalid Payment Method. Valid options include paypal, mailin, authorize, banktransfer, quantumgateway, "
    "stripe": "pid=7&paymentmethod=oldgateway",
    "contactid: no contact of this client": "domain=a.com&domaintype=register&contactid=8",
    "No items added to cart so order cannot proceed": "notes=hello",
    "The order would create 1001 rows, the limit is 1000: split it": "pid=7&qty=1001",
    "item [0]: neither a product (pid) nor a domain (domaintype and domain)": "domain=a.com",
    "pid[0]: there is no product 999 on sale": "pid=999",
    "pid[0]: product 9 is out of stock (0 left)": "pid=9",
    "qty[0]: this product can be ordered once only": "pid=1&qty=2",
    "billingcycle[0]: quarterly is not offered, the product is sold monthly, semiannually, annually": "pid=1"
    "&billingcycle=quarterly",
    "pid[0]: product 8 is not sold in EUR": "clientid=2&pid=8",
    "configoptions[0]: option 1 (Disk space) has no such choice": '{"pid": 1, "configoptions": {"1": 20}}',
    "customfields[0]: field 2 (Data centre) is required": "pid=2",
    "customfields[0]: field 2 (Data centre) takes EU, US": '{"pid": 2, "customfields": {"2": "ASIA"}}',
    "Addon ID invalid": "pid=1&addons=2",
    "addons[0]: addon 11 is not offered with this product": "pid=1&addons=11",
    "domain[0]: not a valid domain name": "domain=-a.com&domaintype=register",
    "domain[0]: domains of this ending are not sold": "domain=a.org&domaintype=register",
    "regperiod[0]: 7 years are not offered, but 1, 2": "domain=a.com&domaintype=register&regperiod=7",
    "eppcode[0]: required to transfer this domain": "domain=a.com&domaintype=transfer",
    "idprotection[0]: not offered for domains of this ending": "domain=a.uk&domaintype=register&idprotection=on",
    "domainfields[0]: Legal Type takes Individual, UK Limited Company, Non-UK Company": '{"domain": "a.co.uk", '
    '"domaintype": "register", "domainfields": {"Legal Type": "Robot"}}',
    "domain[1]: a.com is in this request already": "domain=a.com&domain=A.com&domaintype=register&domaintype=register",
    "Service ID not owned by Client ID provided": "addonid=1&serviceid=20",
    "Domain not owned by Client ID provided": "domainrenewals[domain4.com]=1",
    "Domain status is set to 'Pending' and cannot be renewed": "domainrenewals[domain3.com]=1",
    "Service ID 21 can not be renewed at this time.": "servicerenewals[]=21",
    "addonrenewals[0]: no addon of this client": "addonrenewals[]=11",
    "addonrenewals[0]: addon 4 can not be renewed at this time": "addonrenewals[]=4",
    "servicerenewals[1]: is in this request already": "servicerenewals[]=22&servicerenewals[]=22",
    "The order's total is 100,000,000,000,000 or more: split it": "pid=8&qty=1000000&priceoverride=9999999999999.99",
}
# What the sample catalogue has no case of, and what is no answer to a caller (tests/faults/test_set_back.py).
NOT_ASKED = {
    rejections.domain_field_required(0, "Legal Type").message,
    rejections.service_not_extendable(19, "Cancelled", "serviceids", 0).message,  # the sample has none that ended
    rejections.superseded("cart-4713").message,  # tests/integration/test_supersedes.py
    rejections.supersedes_placed("cart-4712").message,
    "RuntimeError",
    "killed_its_workers; but order 17 was placed under this message_id: a replay repeats it, or is placed",
}


# ---------------------------------------------------------------- all requests, asked of one worker


@dataclass(frozen=True)
class Told:
    """What came back: a reply to each encoding, and the data of each event."""

    replies: dict[str, Any] = field(default_factory=dict)
    events: dict[str, Any] = field(default_factory=dict)

    def event(self, event_type: str) -> Any:
        assert event_type in self.events, self.replies
        return self.events[event_type]


@pytest.fixture(scope="module")
async def told(servers: Servers, template: str, amqp_url: str) -> Mapping[str, Told]:
    """What came of every request: of examples by name, of those in tables by themselves, of causes by sentence."""
    name = f"orders_test_{uuid.uuid4().hex[:12]}"
    url = await scratch.clone(servers.postgres_url, name, template)
    try:
        async with Shop.open(url, amqp_url) as shop:
            await shop.start_worker()
            return await _all(shop)
    finally:
        await scratch.drop(servers.postgres_url, name)


async def _all(shop: Shop) -> dict[str, Told]:
    found = {example: await _tell(shop, example, _encodings_of(example)) for example in NAMES}
    for written in [*TRIED, *WARNED]:
        found[written] = await _tell(shop, written, {"table": body_of(written)})
    # The sample has no addon that its client may not renew.
    await shop.database.execute("UPDATE service_addons SET renewable = false WHERE id = 4")
    for sentence, cause in CAUSES.items():
        found[sentence] = await _tell_why(shop, cause)
    return found


def _encodings_of(example: str) -> dict[str, tuple[bytes, str]]:
    written = {encoding: EXAMPLES.get(f"{example}.{encoding}") for encoding in ENCODINGS}
    return {
        encoding: (request.encode() if encoding == "json" else one_line(request), ENCODINGS[encoding])
        for encoding, request in written.items()
        if request is not None
    }


async def _tell(shop: Shop, message_id: str, bodies: Mapping[str, tuple[bytes, str]]) -> Told:
    """Ask in each encoding, under one message_id: if it is the same order, the answer is the very same."""
    told = Told()
    try:
        for encoding, (body, content_type) in bodies.items():
            reply = await shop.ask(body, message_id=message_id, content_type=content_type)
            told.replies[encoding] = reply
            kinds = {"order.added"} if reply["result"] == "success" else {"order.rejected"}
            kinds |= {"email.invoice-created"} if reply.get("invoiceid") else set()
            told.events.update({event.type: event.data for event in await shop.until_events(message_id, *kinds)})
    except TimeoutError as error:
        error.add_note(f"{message_id} was answered with {told.replies}")
        raise
    return told


async def _tell_why(shop: Shop, cause: str | dict[str, Any]) -> Told:
    if isinstance(cause, str):
        body, content_type = body_of(cause)
        cause = {"body": body, "content_type": content_type}
    asked = await shop.publish(**cause)
    reply = json.loads(await shop.reply(asked))
    if asked.message_id is None or reply["code"] in {"message_id_reused", "authentication_failed"}:
        return Told({"cause": reply})
    events = await shop.until_events(asked.message_id, "order.rejected")
    return Told({"cause": reply}, {event.type: event.data for event in events})


# ---------------------------------------------------------------- examples


def counted(reply: dict[str, Any]) -> Any:
    """The shape of a reply, with how many ids there are of each kind."""
    lists = ("serviceids", "productids", "addonids", "domainids")
    return {**shape_of(reply), **{name: len(reply[name].split(",")) for name in lists if reply.get(name)}}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_answered_as_the_page_says(told: Mapping[str, Told], name: str) -> None:
    reply = documented(f"{name}.reply")

    found = {encoding: counted(answer) for encoding, answer in told[name].replies.items()}

    assert found == dict.fromkeys(found, counted(reply))
    assert bool(reply.get("invoiceid")) == ("email.invoice-created" in told[name].events)


@pytest.mark.parametrize("name", [name for name in NAMES if len(_encodings_of(name)) > 1])
def test_an_example_is_the_same_order_in_each_encoding(told: Mapping[str, Told], name: str) -> None:
    answers = list(told[name].replies.values())

    assert answers == [answers[0]] * len(answers)


@pytest.mark.parametrize("label", [label for label in EXAMPLES if label.endswith((".added", ".invoice", ".faults"))])
def test_the_events_of_an_example_are_as_the_page_says(told: Mapping[str, Told], label: str) -> None:
    """The page shows some of an event's members, and these whole."""
    name, part = label.split(".")
    shown = documented(label)

    match part:
        case "added":
            assert shape_of(_only(shown, told[name].event("order.added"))) == shape_of(shown)
        case "invoice":
            assert shape_of(_only(shown, told[name].event("email.invoice-created")["invoice"])) == shape_of(shown)
        case "faults":
            assert told[name].event("order.rejected")["faults"] == shown


def _only(shown: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    return {name: whole[name] for name in shown}


def test_every_example_is_tested() -> None:
    parts = {label.partition(".")[2] for label in EXAMPLES if "." in label}

    assert parts <= PARTS
    assert {label for label in EXAMPLES if "." not in label} == SNIPPETS.keys()
    assert [name for name in NAMES if not _encodings_of(name) or f"{name}.reply" not in EXAMPLES] == []


@pytest.mark.parametrize("label", SNIPPETS)
def test_a_snippet_makes_the_map_of_the_first_example(label: str, tmp_path: Path) -> None:
    program = shutil.which(SNIPPETS[label])
    if program is None:
        pytest.skip(f"there is no {SNIPPETS[label]} here")
    script = tmp_path / "snippet"
    script.write_text(EXAMPLES[label], encoding="utf-8")

    printed = subprocess.run([program, script], capture_output=True, text=True, check=True).stdout.strip()

    options = documented("order.json")["configoptions"]
    assert wire.unserialize_value(printed) == {key: str(value) for key, value in options.items()}


@pytest.mark.parametrize("request_", TRIED)
def test_a_request_costs_what_its_table_says(told: Mapping[str, Told], request_: str) -> None:
    added = told[request_].event("order.added")

    recurring = [item["recurring"] for item in added["items"] if item["recurring"] is not None]

    assert [added["amount"], ", ".join(recurring) or "none"] == TRIED[request_]
    assert added["warnings"] == []


@pytest.mark.parametrize("request_", WARNED)
def test_a_request_is_placed_with_the_warning_that_its_table_says(told: Mapping[str, Told], request_: str) -> None:
    [reply] = told[request_].replies.values()

    assert reply.get("warnings", reply) == WARNED[request_]


# 30.00, prorata to the 1st, the next month from the 20th: product 6 of the sample.
@pytest.mark.parametrize("row", rows_under("ordered on", "days", "now", "paid until"), ids=lambda row: row[0])
def test_a_prorata_month_is_as_its_table_says(row: list[str]) -> None:
    ordered_on, days, now, paid_until = row

    period = first_period(BillingCycle.MONTHLY, Prorata(1, 20), date.fromisoformat(ordered_on))

    assert f"{period.days} of {period.days_in_full}" in days
    assert str(to_minor_unit(period.charge(Decimal("30.00")), 2)) == now
    assert str(period.last_day) == paid_until


# ---------------------------------------------------------------- values and parameters


def taken_by(parameter: str, value: str) -> bool:
    """Whether a value has the right type for a parameter; the code, if it has not."""
    try:
        parse({"clientid": "1", parameter: {"0": value} if PARAMETERS[parameter].of_item else value})
    except Rejected as rejected:
        pytest.fail(f"{parameter}={value}: {rejected.faults[0].message}")
    return True


def code_for(parameter: str, value: str) -> str:
    with pytest.raises(Rejected) as refusal:
        parse({"clientid": "1", parameter: {"0": value} if PARAMETERS[parameter].of_item else value})
    return refusal.value.faults[0].code


def parameter_of(type_name: str) -> str:
    return next(name for name, parameter in PARAMETERS.items() if parameter.type == type_name)


def with_types() -> list[tuple[str, list[str]]]:
    """The rows of the types; one that names no type goes on about the one above."""
    found: list[tuple[str, list[str]]] = []
    for row in TYPES:
        found.append((row[0] or found[-1][0], row))
    return found


@pytest.mark.parametrize(("type_name", "row"), with_types(), ids=str)
def test_a_type_takes_and_refuses_what_its_row_says(type_name: str, row: list[str]) -> None:
    parameter = parameter_of(type_name)
    assert all(taken_by(parameter, value) for value in quoted(row[2]))
    assert {code_for(parameter, value) for value in quoted(row[3])} <= set(quoted(row[4]))


@pytest.mark.parametrize(
    ("type_name", "code", "filler"),
    [("text", "text_too_long", "x"), ("long text", "text_too_long", "x"), ("list", "too_many_items", ",")],
)
def test_a_type_is_as_long_as_its_row_says(type_name: str, code: str, filler: str) -> None:
    [what] = [row[1] for row in TYPES if row[0] == type_name]
    [written] = re.findall(r"at most ([0-9,]+)", what)
    most = int(written.replace(",", ""))
    parameter = parameter_of(type_name)

    assert taken_by(parameter, "1" + filler * (most - 1))
    assert code_for(parameter, "1" + filler * most) == code


TYPE_OF_CHECK = {
    "_whole": "id",
    "_quantity": "quantity",
    "_years": "years",
    "_amount": "amount",
    "_boolean": "yes/no",
    "_text": "text",
    "_notes": "long text",
    "_cycle": "cycle",
    "_domain_type": "domain type",
    "_ip": "address",
    "_response_type": "reply type",
    "_id_list": "list",
    "_field_map": "map",
    "_custom_field_map": "map",
    "_option_map": "option map",
    "_any_text": "any text",
    "_renewal_years": "years by name",
}


def type_of(hint: Any) -> str:
    """The page's name for what a field takes, from the check in its annotation."""
    if get_origin(hint) is Annotated:
        return TYPE_OF_CHECK[hint.__metadata__[0].func.__name__]
    if get_origin(hint) is dict:
        return type_of(get_args(hint)[1])
    assert get_origin(hint) in (Union, UnionType), hint
    return type_of(get_args(hint)[0])


def test_the_page_has_every_parameter_and_no_other() -> None:
    assert PARAMETERS.keys() == AddOrderRequest.model_fields.keys() | EDGE_PARAMETERS - {"accesskey"}


def test_every_parameter_has_the_type_that_the_page_says() -> None:
    hints = get_type_hints(AddOrderRequest, include_extras=True)

    known = {name: type_of(hint) for name, hint in hints.items() if name in AddOrderRequest.model_fields}

    assert {name: PARAMETERS[name].type for name in known} == known
    assert {PARAMETERS[name].type for name in EDGE_PARAMETERS - {"accesskey"}} == {"any text"}
    assert {row[0] for row in TYPES if row[0]} == set(TYPE_OF_CHECK.values())


def test_parameters_of_an_item_and_other_arrays_are_marked() -> None:
    hints = get_type_hints(AddOrderRequest, include_extras=True)
    maps = {name for name in AddOrderRequest.model_fields if get_origin(hints[name]) is dict}
    arrays = {name for name in maps if get_args(hints[name])[0] is int}

    assert {name for name, parameter in PARAMETERS.items() if parameter.of_item} == arrays - OF_NO_ITEM
    assert {name for name, parameter in PARAMETERS.items() if parameter.is_array} == OF_NO_ITEM


def test_the_page_names_the_aliases() -> None:
    named = set(quoted(PAGE)) | {f"ns{number}" for number in range(1, 6)}

    assert ALIASES.keys() <= named


def test_bounds_in_sentences_are_those_of_the_program() -> None:
    words = " ".join(PAGE.split())

    kib = php.BLOB_BYTES_MAX // 1024
    assert f"more than {php.LEVELS_MAX} levels, {php.ENTRIES_MAX:,} entries or {kib} KiB" in words
    assert f"A quantity is 1 to {add_order.QUANTITY_MAX:,}" in words
    assert f"{cart.ROWS_MAX:,} are allowed. One array may have {add_order.ITEMS_MAX:,} elements" in words
    assert f"at most {decide.WARNINGS_MAX} of them" in words
    assert f"up to {rejections.FAULTS_MAX} in `faults`" in words


# ---------------------------------------------------------------- codes


def test_the_page_lists_every_code_and_no_other() -> None:
    assert {code for code, _ in CODES} == set(Code)


def test_every_code_in_a_table_of_parameters_or_types_is_listed() -> None:
    named = {code for parameter in PARAMETERS.values() for code in parameter.codes}
    named |= {code for row in TYPES for code in quoted(row[4])}

    assert named <= {code for code, _ in CODES}


def test_every_sentence_of_the_codes_is_caused_once() -> None:
    assert {sentence for _, sentence in CODES} == CAUSES.keys() | NOT_ASKED


@pytest.mark.parametrize(("code", "sentence"), [row for row in CODES if row[1] not in NOT_ASKED])
def test_a_code_has_the_sentence_that_the_page_says(told: Mapping[str, Told], code: str, sentence: str) -> None:
    [reply] = told[sentence].replies.values()

    assert reply == {"result": "error", "message": sentence, "code": code}


def test_a_parameter_is_listed_with_the_codes_that_name_it(told: Mapping[str, Told]) -> None:
    types: dict[str, set[str]] = {}
    for type_name, row in with_types():
        types.setdefault(type_name, set()).update(quoted(row[4]))
    missing = set()

    for one in told.values():
        for fault in one.events.get("order.rejected", {}).get("faults", []):
            parameter = PARAMETERS.get(re.sub(r"\[.*", "", fault["parameter"] or ""))
            if parameter and fault["code"] not in GENERAL_CODES | types.get(parameter.type, set()) | {*parameter.codes}:
                missing.add((parameter.name, fault["code"]))

    assert missing == set()
