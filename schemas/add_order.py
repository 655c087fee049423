"""The AddOrder request: the wire's parallel arrays, turned into items (addorder.md 1 and 3).

Two steps. `arrange` gives every parameter its shape: one value, or values by item key. AddOrderRequest then gives
every value its type. The faults of both come back together.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice, zip_longest
from typing import Annotated, Any, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from schemas import rejections
from schemas.catalog import BillingCycle, DomainType, Extra
from schemas.order import AddonAsked, AddonLine, DomainRenewal, Item, OptionAsked, OrderRequest, Renewal
from schemas.rejections import Code, Fault, Rejected, fault
from schemas.replies import ResponseType
from schemas.wire import NAME_CHARS_SHOWN, JsonObject, Repeated, Tree, Value, bounded_map, unserialize_value

ITEMS_MAX = 1_000  # elements of one array; the rows they make are bounded by worker/domain/cart.py
TEXT_CHARS_MAX = 255
NOTES_CHARS_MAX = 65_535
WHOLE_MAX = 2**63 - 1  # of an id that a table could hold: a larger one is no number of anything
UNKNOWN_NAMES_MAX = 20  # in a log line
QUANTITY_MAX = 2**31 - 1
YEARS_MAX = 100

ALIASES = {
    "$addonsqty": "addonsqty",
    **{f"ns{number}": f"nameserver{number}" for number in range(1, 6)},
}

# Answered for at the edge, before the shape of the others is looked at.
EDGE_PARAMETERS = frozenset({"action", "username", "password", "identifier", "secret", "accesskey"})

_CYCLE_SPELLINGS = {
    **{cycle.value: cycle for cycle in BillingCycle},
    "one time": BillingCycle.ONETIME,
    "one-time": BillingCycle.ONETIME,
    "free account": BillingCycle.FREE,
    "semi-annually": BillingCycle.SEMIANNUALLY,
    "semiannual": BillingCycle.SEMIANNUALLY,
    "annual": BillingCycle.ANNUALLY,
    "biennial": BillingCycle.BIENNIALLY,
    "triennial": BillingCycle.TRIENNIALLY,
}
_BOOLEANS = {
    **dict.fromkeys(("true", "on", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "no", "0"), False),
}
_WHOLE = re.compile(r"([0-9]{1,19})(?:\.0{1,2})?", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,13}(?:\.[0-9]{1,2})?", re.ASCII)
_MORE_DECIMALS = re.compile(r"[0-9]{1,13}\.[0-9]{3,}", re.ASCII)
# As PHP counts: 00 is a text, and would be item 0 a second time.
_ITEM_KEY = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_CENT = Decimal("0.01")
# HTML's ways to write an ampersand, as they begin the name behind it.
_ESCAPED_SEPARATOR = re.compile(r"(?:(?:amp|#0{0,3}38|#x0{0,3}26);){1,9}")


# ---------------------------------------------------------------- the types of values


def _invalid(code: Code, sentence: str, values: dict[str, object] | None = None) -> PydanticCustomError:
    """Make pydantic's error with a code of ours; `values` fill the braces of the sentence."""
    return PydanticCustomError(code, sentence, values)


def _whole(written: Any, most: int = WHOLE_MAX, sentence: str = "must be a whole number such as 7") -> int:
    match = _WHOLE.fullmatch(written)
    if match is None or int(match[1]) > most:
        raise _invalid(Code.NUMBER_INVALID, sentence)
    return int(match[1])


def _quantity(written: Any) -> int:
    quantity = _whole(written, QUANTITY_MAX)
    if quantity < 1:
        raise _invalid(Code.QUANTITY_NOT_ALLOWED, "must be 1 or more")
    return quantity


def _years(written: Any) -> int:
    return _whole(written, YEARS_MAX)


def _amount(written: Any) -> Decimal:
    if _MORE_DECIMALS.fullmatch(written) is not None:
        # Such as PHP's json_encode(19.99): which amount was meant is not ours to round.
        raise _invalid(Code.AMOUNT_INVALID, 'must have at most two decimals: send a float rounded, as text: "19.99"')
    if _AMOUNT.fullmatch(written) is None:
        raise _invalid(Code.AMOUNT_INVALID, "must be an amount such as 5 or 5.00, at most two decimals")
    return Decimal(written).quantize(_CENT)


def _boolean(written: Any) -> bool:
    answer = _BOOLEANS.get(written.lower())
    if answer is None:
        raise _invalid(Code.BOOLEAN_INVALID, "must be true or false (or on/off, yes/no, 1/0)")
    return answer


def _cycle(written: Any) -> BillingCycle:
    cycle = _CYCLE_SPELLINGS.get(written.lower())
    if cycle is None:
        cycles = ", ".join(BillingCycle)
        raise _invalid(Code.CYCLE_INVALID, "must be one of {cycles}", {"cycles": cycles})
    return cycle


def _domain_type(written: Any) -> DomainType:
    try:
        return DomainType(written.lower())
    except ValueError:
        raise _invalid(Code.DOMAIN_TYPE_INVALID, "must be register or transfer") from None


def _response_type(written: Any) -> ResponseType:
    response_type = ResponseType.of(written)
    if response_type is None:
        raise _invalid(Code.RESPONSETYPE_INVALID, "must be json, xml or nvp")
    return response_type


def _ip(written: Any) -> str:
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        address = None
    if address is None or getattr(address, "scope_id", None):
        raise _invalid(Code.IP_INVALID, "must be an IPv4 or IPv6 address such as 192.0.2.7")
    return str(address)


def _text(written: Any) -> str:
    return _bounded(written, TEXT_CHARS_MAX)


def _any_text(written: Any) -> str:
    """Take a name that is looked up and nothing else: one that is not known, however long, has an answer of its own."""
    return str(written)


def _notes(written: Any) -> str:
    return _bounded(written, NOTES_CHARS_MAX)


def _bounded(written: str, chars_max: int) -> str:
    if len(written) > chars_max:
        raise _invalid(Code.TEXT_TOO_LONG, "must be at most {most} characters", {"most": chars_max})
    return written


def _id_list(written: Any) -> tuple[int | None, ...]:
    """Split a comma list; an empty member keeps its place, so that addons and addonsqty pair by position."""
    members = [member.strip() for member in written.split(",")]
    if len(members) > ITEMS_MAX:
        raise _invalid(Code.TOO_MANY_ITEMS, "must have at most {most} members", {"most": ITEMS_MAX})
    return tuple(_whole(member) if member else None for member in members)


def _field_map(written: Any) -> dict[str, str]:
    """Read a map of texts: base64 of serialize(), base64 of JSON, or the map itself."""
    return _texts_of(written, str.strip)


def _custom_field_map(written: Any) -> dict[str, str]:
    """Read a map of texts that may be passwords, whose outer white space counts: worker/domain/fields.py knows."""
    return _texts_of(written, str)


def _texts_of(written: str | Mapping[str, Value], trim: Callable[[str], str]) -> dict[str, str]:
    texts = {}
    for key, value in _map(written).items():
        if not isinstance(value, str):
            raise _invalid(Code.SERIALIZED_INVALID, "must be a map of plain values")
        if text := trim(value):
            texts[key] = text
    return texts


def _option_map(written: Any) -> dict[str, OptionAsked]:
    """Read configoptions: option id → choice, quantity or 1/0, or → {optionid, qty}."""
    options = {key: _option(value) for key, value in _map(written).items()}
    return {key: option for key, option in options.items() if option is not None}


def _option(value: Value) -> OptionAsked | None:
    """Read one option; None for an empty one, which is absent."""
    if isinstance(value, str):
        return OptionAsked(text) if (text := value.strip()) else None
    if isinstance(value, Mapping):
        if not value:
            return None
        choice, quantity = value.get("optionid"), value.get("qty", "")
        if isinstance(choice, str) and choice.strip() and isinstance(quantity, str):
            # Without a number it is the choice once: its id must not be taken for a quantity.
            number = quantity.strip()
            return OptionAsked(choice.strip(), _whole(number, QUANTITY_MAX) if number else 1)
    raise _invalid(Code.SERIALIZED_INVALID, "an option takes a value, or a map of optionid and qty")


def _map(written: str | Mapping[str, Value]) -> Mapping[str, Value]:
    """Read a map by its keys, whose outer white space is nothing. Of white space only it is empty."""
    if isinstance(written, str):
        written = written.strip() or {}
    try:
        tree = unserialize_value(written) if isinstance(written, str) else bounded_map(written)
    except ValueError as error:
        raise _invalid(Code.SERIALIZED_INVALID, "{why}", {"why": str(error)}) from None
    named = {key.strip(): value for key, value in tree.items()}
    if len(named) < len(tree):
        raise _invalid(Code.SERIALIZED_INVALID, "a key is given twice")
    return named


def _renewal_years(written: Any) -> int:
    sentence = "must be a number of years, as in domainrenewals[example.com] = 1"
    return _whole(written if isinstance(written, str) else "", YEARS_MAX, sentence)


Whole = Annotated[int, PlainValidator(_whole)]
Quantity = Annotated[int, PlainValidator(_quantity)]
Years = Annotated[int, PlainValidator(_years)]
Amount = Annotated[Decimal, PlainValidator(_amount)]
Boolean = Annotated[bool, PlainValidator(_boolean)]
Text = Annotated[str, PlainValidator(_text)]
AnyText = Annotated[str, PlainValidator(_any_text)]
IdList = Annotated[tuple[int | None, ...], PlainValidator(_id_list)]
FieldMap = Annotated[dict[str, str], PlainValidator(_field_map)]
CustomFieldMap = Annotated[dict[str, str], PlainValidator(_custom_field_map)]
OptionMap = Annotated[dict[str, OptionAsked], PlainValidator(_option_map)]

T = TypeVar("T")
Items = dict[int, T]  # by item key


class AddOrderRequest(BaseModel):
    """Every parameter of addorder.md 3, under its wire name. What is absent is None or empty."""

    # Validation text is published, and a request may hold secrets.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    clientid: Whole
    paymentmethod: AnyText | None = None
    responsetype: Annotated[ResponseType, PlainValidator(_response_type)] = ResponseType.JSON
    adminuser: Text | None = None  # read at the edge, as part of who asks; here for its shape

    pid: Items[Whole] = Field(default_factory=dict)
    qty: Items[Quantity] = Field(default_factory=dict)
    domain: Items[Text] = Field(default_factory=dict)
    billingcycle: Items[Annotated[BillingCycle, PlainValidator(_cycle)]] = Field(default_factory=dict)
    domaintype: Items[Annotated[DomainType, PlainValidator(_domain_type)]] = Field(default_factory=dict)
    regperiod: Items[Years] = Field(default_factory=dict)
    eppcode: Items[Text] = Field(default_factory=dict)
    idnlanguage: Items[Text] = Field(default_factory=dict)
    customfields: Items[CustomFieldMap] = Field(default_factory=dict)
    configoptions: Items[OptionMap] = Field(default_factory=dict)
    priceoverride: Items[Amount] = Field(default_factory=dict)
    addons: Items[IdList] = Field(default_factory=dict)
    addonsqty: Items[IdList] = Field(default_factory=dict)
    hostname: Items[Text] = Field(default_factory=dict)
    ns1prefix: Items[Text] = Field(default_factory=dict)
    ns2prefix: Items[Text] = Field(default_factory=dict)
    rootpw: Items[Text] = Field(default_factory=dict)
    dnsmanagement: Items[Boolean] = Field(default_factory=dict)
    emailforwarding: Items[Boolean] = Field(default_factory=dict)
    idprotection: Items[Boolean] = Field(default_factory=dict)
    domainfields: Items[FieldMap] = Field(default_factory=dict)
    domainpriceoverride: Items[Amount] = Field(default_factory=dict)
    domainrenewoverride: Items[Amount] = Field(default_factory=dict)

    nameserver1: Text | None = None
    nameserver2: Text | None = None
    nameserver3: Text | None = None
    nameserver4: Text | None = None
    nameserver5: Text | None = None
    contactid: Whole | None = None
    promocode: AnyText | None = None
    promooverride: Boolean = False
    affid: Whole | None = None
    noinvoice: Boolean = False
    noinvoiceemail: Boolean = False
    noemail: Boolean = False
    clientip: Annotated[str, PlainValidator(_ip)] | None = None
    notes: Annotated[str, PlainValidator(_notes)] | None = None

    addonid: Whole | None = None
    serviceid: Whole | None = None
    addonidqty: Quantity | None = None
    addonids: Items[Whole] = Field(default_factory=dict)
    serviceids: Items[Whole] = Field(default_factory=dict)
    addonidsqty: Items[Quantity] = Field(default_factory=dict)
    domainrenewals: dict[str, Annotated[int, PlainValidator(_renewal_years)]] = Field(default_factory=dict)
    servicerenewals: Items[Whole] = Field(default_factory=dict)
    addonrenewals: Items[Whole] = Field(default_factory=dict)

    def item_keys(self) -> list[int]:
        """Every item key that a parameter of the items names, in order.

        What is about a domain only names none: without a `domaintype` it is ignored (addorder.md 3).
        """
        return sorted({key for name in _MAKES_AN_ITEM & self.model_fields_set for key in getattr(self, name)})


# ---------------------------------------------------------------- the shapes of parameters

_PARAMETERS = frozenset(AddOrderRequest.model_fields)
_KNOWN = _PARAMETERS | EDGE_PARAMETERS | ALIASES.keys()
_ARRAYS = frozenset(name for name, info in AddOrderRequest.model_fields.items() if get_origin(info.annotation) is dict)
_MAPS = frozenset({"customfields", "configoptions", "domainfields"})  # an array whose elements are maps
_OTHER_GROUPS = {
    **dict.fromkeys(("addonids", "serviceids", "addonidsqty"), "addonids"),
    "servicerenewals": "servicerenewals",
    "addonrenewals": "addonrenewals",
}
# Name → the arrays that share one space of keys.
_GROUPS = {name: _OTHER_GROUPS.get(name, "items") for name in _ARRAYS - {"domainrenewals"}}
# What acts on the domain that an item orders, and on nothing else: `domaintype` says that it orders one.
_DOMAIN_ONLY = frozenset(
    {"regperiod", "eppcode", "idnlanguage", "domainfields", "domainpriceoverride", "domainrenewoverride", *Extra}
)
_MAKES_AN_ITEM = _ARRAYS - {"domainrenewals"} - _OTHER_GROUPS.keys() - _DOMAIN_ONLY
# Text in which a comma is just a comma, and the two comma lists; a comma anywhere else is a list in a scalar's place.
_COMMA_TEXTS = _MAPS | {"addons", "addonsqty", "eppcode", "rootpw", "idnlanguage", "hostname"}
# Several things in one value of an item. Where they name an item that nothing else does, they were meant for another.
_MANY_IN_ONE = {
    "customfields": 'the map of item {item} is customfields[{item}] = {{"1": …}}',
    "configoptions": 'the map of item {item} is configoptions[{item}] = {{"1": …}}',
    "addons": 'the ids of item {item} are one text, as in addons[{item}] = "1,3"',
    "addonsqty": 'the numbers of item {item} are one text, as in addonsqty[{item}] = "1,3"',
}
_NAMES_AN_ITEM = _MAKES_AN_ITEM - _MANY_IN_ONE.keys()
_EXTRAS = tuple(Extra)
_ADDON_LINES = frozenset({"addonid", "serviceid", "addonidqty", "addonids", "serviceids", "addonidsqty"})
_NAMESERVERS = tuple(f"nameserver{number}" for number in range(1, 6))


def parse(tree: Tree) -> OrderRequest:
    """Turn the decoded parameters, credentials included, into the order that is asked for.

    Raises:
        Rejected: `malformed`; else every fault of shape at once (addorder.md 4: "shape of all parameters").
    """
    check_separators(tree)
    arranged, faults = arrange(tree)
    try:
        request = AddOrderRequest.model_validate(arranged)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        # A parameter without its right shape has had its say: that it is now missing as well helps nobody.
        shapeless = {fault.parameter for fault in faults}
        typed = [fault for fault in map(_fault_of, details) if fault.parameter not in shapeless]
        raise Rejected(*_in_order([*faults, *_without_partner(arranged, faults), *typed])) from None
    order, too_many = _order_of(request)
    faults += [*_without_partner(arranged, faults), *too_many]
    if faults:
        raise Rejected(*_in_order(faults))
    return order


def check_separators(tree: Tree) -> None:
    """See that a form's pairs were not separated by `&amp;`: half of it would be names that nobody knows.

    Raises:
        Rejected: `malformed`.
    """
    for name in tree:
        escaped = _ESCAPED_SEPARATOR.match(name)
        if escaped is not None and name[escaped.end() :] in _KNOWN:
            raise Rejected(
                rejections.malformed(
                    "its pairs are separated by &amp; as in HTML: send & between them, and %26 for an & inside a value"
                )
            )


def is_known(name: str) -> bool:
    """Whether this is a parameter that something here knows."""
    return name in _KNOWN


def unknown_names(tree: Tree) -> list[str]:
    """List the parameters that nothing here knows, by name, for the log: the first few, and not at any length."""
    unknown = (name[:NAME_CHARS_SHOWN] for name in tree if name not in _KNOWN)
    return sorted(islice(unknown, UNKNOWN_NAMES_MAX))


def _in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Put faults in the order in which the parameters are documented, so that the first code is predictable."""
    places = {name: number for number, name in enumerate(AddOrderRequest.model_fields)}
    return sorted(faults, key=lambda fault: (places.get(_name_of(fault), -1), fault.item or 0))


def _name_of(fault: Fault) -> str:
    return (fault.parameter or "").partition("[")[0]


def _fault_of(error: ErrorDetails) -> Fault:
    parameter, *rest = error["loc"]
    item = rest[0] if rest and isinstance(rest[0], int) else None
    if rest and isinstance(rest[0], str):
        parameter = f"{parameter}[{rest[0][:TEXT_CHARS_MAX]}]"  # domainrenewals has names for keys
    if error["type"] == "missing":
        return rejections.parameter_missing(str(parameter))
    return fault(Code(error["type"]), str(parameter), item, error["msg"])


def arrange(tree: Tree) -> tuple[dict[str, Any], list[Fault]]:
    """Give each known parameter its shape: text, or a dict of item key → text. Absent and unknown ones fall out."""
    shapes = _Shapes(as_scalars=isinstance(tree.get("pid", tree.get("domain")), str))
    faults: list[Fault] = []
    for written, value in tree.items():
        name = ALIASES.get(written, written)
        if value != "" and name in _PARAMETERS:
            try:
                shapes.put(name, value)
            except Rejected as rejected:
                faults.extend(rejected.faults)
    faults.extend(shapes.place_scalars())
    return shapes.arranged, faults


class _Shapes:
    """Parameters on their way to their shape; `as_scalars`: the request's one item is written without arrays."""

    def __init__(self, *, as_scalars: bool) -> None:
        self.arranged: dict[str, Any] = {}
        self._scalars: dict[str, str] = {}  # arrays that were given as one value
        self._as_scalars = as_scalars

    def put(self, name: str, value: Value) -> None:
        if name in self.arranged or name in self._scalars:
            raise Rejected(rejections.parameter_repeated(name))  # under its alias, too
        if name == "domainrenewals":
            self.arranged[name] = _renewal_map(value)
        elif name not in _ARRAYS:
            self.arranged[name] = _one_value(name, value)
        elif name in _MAPS and self._as_scalars and isinstance(value, JsonObject):
            self.arranged[name] = {0: value}
        elif isinstance(value, str):
            self._scalars[name] = value
        else:
            self.arranged[name] = _elements(name, value)

    def place_scalars(self) -> list[Fault]:
        """Let a scalar be item 0 where its group has no other item; a comma list in its place is no item."""
        lists = {name for name, text in self._scalars.items() if "," in text and name not in _COMMA_TEXTS}
        faults = [] if lists else self._take_out_strays()
        orders_domain = "domaintype" in self.arranged or "domaintype" in self._scalars
        with_others = {
            _GROUPS[name]
            for name in self.arranged.keys() & _GROUPS.keys() - _DOMAIN_ONLY
            if any(key != 0 for key in self.arranged[name])
        }
        for name in self._scalars:
            is_alone = _GROUPS[name] not in with_others
            acts_on_nothing = name in _DOMAIN_ONLY and not orders_domain
            if not (is_alone or acts_on_nothing) or name in lists:
                faults.append(rejections.array_expected(name))
        self.arranged.update({name: {0: text} for name, text in self._scalars.items()})
        return faults

    def _take_out_strays(self) -> list[Fault]:
        """Blame a list or map whose keys name items that nothing else names, and say how it is sent."""
        many = _MANY_IN_ONE.keys() & self.arranged.keys()
        if not many:
            return []
        items = {key for name in _NAMES_AN_ITEM & self.arranged.keys() for key in self.arranged[name]}
        if not _NAMES_AN_ITEM.isdisjoint(self._scalars):
            items.add(0)
        faults = []
        for name in many if items else ():
            if strays := self.arranged[name].keys() - items:
                self.arranged[name] = {key: self.arranged[name][key] for key in self.arranged[name].keys() & items}
                faults.append(_stray(name, min(strays), min(items)))
        return faults


def _stray(name: str, stray: int, item: int) -> Fault:
    code = Code.ITEM_KEY_INVALID if name in _MAPS else Code.VALUE_EXPECTED
    return fault(code, name, stray, f"there is no item {stray}: {_MANY_IN_ONE[name].format(item=item)}")


def _without_partner(arranged: Mapping[str, Any], faults: Iterable[Fault]) -> list[Fault]:
    """Miss the other half of an addon-only line, whatever is wrong with the half that is there."""
    if _ADDON_LINES.isdisjoint(arranged):
        return []
    missing = []
    if "addonid" in arranged and "serviceid" not in arranged:
        missing.append(rejections.parameter_missing("serviceid"))
    elif "addonid" not in arranged and ("serviceid" in arranged or "addonidqty" in arranged):
        missing.append(rejections.parameter_missing("addonid"))
    addons, services, quantities = (arranged.get(name, {}) for name in ("addonids", "serviceids", "addonidsqty"))
    for key in sorted({*addons, *services, *quantities}):
        if key not in addons:
            missing.append(rejections.parameter_missing("addonids", key))
        elif key not in services:
            missing.append(rejections.parameter_missing("serviceids", key))
    # What fell out for its shape leaves its partner alone, and that is no fault of its own.
    shapeless = {fault.parameter for fault in faults}
    shapeless_groups = {_GROUPS[name] for name in shapeless if name in _GROUPS}
    return [
        fault
        for fault in missing
        if fault.parameter not in shapeless and _GROUPS.get(fault.parameter or "") not in shapeless_groups
    ]


def _one_value(name: str, value: Value) -> str:
    if isinstance(value, Repeated):
        raise Rejected(rejections.parameter_repeated(name))
    if not isinstance(value, str):
        raise Rejected(fault(Code.VALUE_EXPECTED, name, None, "must be one value, not an array"))
    return value


def _renewal_map(value: Value) -> Mapping[str, Value]:
    if not isinstance(value, Mapping):
        raise Rejected(rejections.array_expected("domainrenewals"))
    given = {name: years for name, years in value.items() if years != ""}
    if len(given) > ITEMS_MAX:
        raise Rejected(rejections.too_many_items(len(given), ITEMS_MAX))
    named: dict[str, Value] = {}
    for written, years in given.items():
        name = written.strip()
        if name in named or isinstance(years, Repeated):
            raise Rejected(rejections.parameter_repeated(f"domainrenewals[{name}]"))
        named[name] = years
    return named


def _elements(name: str, value: Repeated | Mapping[str, Value]) -> dict[int, Value]:
    if isinstance(value, Repeated):
        if not value.values:
            raise Rejected(rejections.parameter_repeated(name))
        value = {str(index): text for index, text in enumerate(value.values)}
    given = {key: member for key, member in value.items() if member != ""}
    if len(given) > ITEMS_MAX:
        raise Rejected(rejections.too_many_items(len(given), ITEMS_MAX))
    return {_item_key(name, key): _element(name, key, member) for key, member in given.items()}


def _item_key(name: str, key: str) -> int:
    if _ITEM_KEY.fullmatch(key) is None:
        example = f'{name}[0] = {{"1": …}}' if name in _MAPS else f"{name}[0]"
        raise Rejected(fault(Code.ITEM_KEY_INVALID, name, None, f"its keys must be item numbers, as in {example}"))
    return int(key)


def _element(name: str, key: str, member: Value) -> Value:
    if isinstance(member, Repeated):
        raise Rejected(rejections.parameter_repeated(f"{name}[{key}]"))
    if isinstance(member, Mapping) and name not in _MAPS:
        one = 'text, such as "1,3"' if name in _MANY_IN_ONE else "value"
        raise Rejected(fault(Code.VALUE_EXPECTED, name, int(key), f"must be one {one}, not an array"))
    return member


# ---------------------------------------------------------------- arrays → items


def _order_of(request: AddOrderRequest) -> tuple[OrderRequest, list[Fault]]:
    faults: list[Fault] = []
    nameservers = (getattr(request, name) for name in _NAMESERVERS)
    order = OrderRequest(
        client_id=request.clientid,
        payment_method=request.paymentmethod,
        items=tuple(_item(request, key, faults) for key in request.item_keys()),
        addon_lines=tuple(_addon_lines(request)),
        domain_renewals=tuple(DomainRenewal(name, years) for name, years in request.domainrenewals.items()),
        service_renewals=_renewals_of(request.servicerenewals),
        addon_renewals=_renewals_of(request.addonrenewals),
        nameservers=tuple(name for name in nameservers if name),
        contact_id=request.contactid,
        promo_code=request.promocode,
        promo_override=request.promooverride,
        affiliate_id=request.affid,
        no_invoice=request.noinvoice,
        no_invoice_email=request.noinvoiceemail,
        no_email=request.noemail,
        client_ip=request.clientip,
        notes=request.notes,
    )
    return order, faults


def _renewals_of(ids: Items[int]) -> tuple[Renewal, ...]:
    return tuple(Renewal(ids[key], key) for key in sorted(ids))


def _item(request: AddOrderRequest, key: int, faults: list[Fault]) -> Item:
    return Item(
        key=key,
        product_id=request.pid.get(key),
        quantity=request.qty.get(key),
        domain=request.domain.get(key),
        billing_cycle=request.billingcycle.get(key),
        domain_type=request.domaintype.get(key),
        years=request.regperiod.get(key) or None,  # 0 is absent: clients send it with everything
        epp_code=request.eppcode.get(key),
        idn_language=request.idnlanguage.get(key),
        custom_fields=request.customfields.get(key, {}),
        config_options=request.configoptions.get(key, {}),
        price_override=request.priceoverride.get(key),
        addons=_addons(request, key, faults),
        hostname=request.hostname.get(key),
        ns1_prefix=request.ns1prefix.get(key),
        ns2_prefix=request.ns2prefix.get(key),
        root_password=request.rootpw.get(key),
        extras=frozenset(extra for extra in _EXTRAS if getattr(request, extra.value).get(key)),
        domain_fields=request.domainfields.get(key, {}),
        domain_price_override=request.domainpriceoverride.get(key),
        domain_renew_override=request.domainrenewoverride.get(key),
    )


def _addons(request: AddOrderRequest, key: int, faults: list[Fault]) -> tuple[AddonAsked, ...]:
    """Pair addons with addonsqty by position; a quantity that is left out is 1."""
    if key not in request.addons and key not in request.addonsqty:
        return ()
    paired = tuple(_paired(request.addons.get(key, ()), request.addonsqty.get(key, ())))
    if any(addon is None and quantity is not None for addon, quantity in paired):
        faults.append(fault(Code.QUANTITY_NOT_ALLOWED, "addonsqty", key, "has a quantity where addons has no addon"))
    if any(quantity is not None and not 0 < quantity <= QUANTITY_MAX for _, quantity in paired):
        faults.append(fault(Code.QUANTITY_NOT_ALLOWED, "addonsqty", key, f"quantities must be 1 to {QUANTITY_MAX}"))
    return tuple(AddonAsked(addon, quantity or 1) for addon, quantity in paired if addon is not None)


def _paired(addons: Sequence[int | None], quantities: Sequence[int | None]) -> Iterable[tuple[int | None, int | None]]:
    """Pair two lists; an addon that is empty is skipped (addorder.md 1), unless addonsqty has a place for it."""
    if len(_without_end(addons)) != len(_without_end(quantities)):
        addons = [addon for addon in addons if addon is not None]
    return zip_longest(addons, quantities)


def _without_end(members: Sequence[int | None]) -> Sequence[int | None]:
    """Leave out the empty members behind the last."""
    count = next((place for place in range(len(members), 0, -1) if members[place - 1] is not None), 0)
    return members[:count]


def _addon_lines(request: AddOrderRequest) -> Iterable[AddonLine]:
    """Pair the scalar and the array form of addon-only lines: all of them count (addorder.md 3)."""
    if request.addonid is not None and request.serviceid is not None:
        yield AddonLine(request.addonid, request.serviceid, request.addonidqty or 1, "addonid", None)
    for key in sorted(request.addonids.keys() & request.serviceids.keys()):
        addon, service = request.addonids[key], request.serviceids[key]
        yield AddonLine(addon, service, request.addonidsqty.get(key, 1), "addonids", key)
