"""The form decoder against PHP's own parse_str(): the same tree, or a difference that is decided (addorder.md 1).

What is decided otherwise than PHP does it is a rule here, with a name; everything else must be PHP's tree, in PHP's
order. The names of parameters are ours: PHP makes variables of them (`a.b` becomes `a_b`, `[a]` and no name
at all are dropped) and tells upper from lower case. So names of that kind are put to PHP in hexadecimal, and
taken back after.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from urllib.parse import quote, quote_plus, unquote_to_bytes

import pytest

from schemas.add_order import AddOrderRequest
from schemas.rejections import Rejected
from schemas.wire import FORM, KEPT_NAMES, LEVELS_MAX, Repeated, Value, decode
from tests.php.real_php import Parsed, Path, Php, Tree

BODIES_COUNT = 4_000

# ---------------------------------------------------------------- the bodies

NAMES = (*AddOrderRequest.model_fields, "$addonsqty", "ns1", "a", "a]b", "\u00fc", "x" * 70)
# PHP makes others of them.
ODD_NAMES = (
    "",
    "PID",
    "Notes",
    "a.b",
    "a b",
    "[a]",
    "[",
    " ",
    "domain.com",
    "\u00c4",
    "GLOBALS",
    "this",
    " pid",
    "  notes",
    "pid ",
    "\r\npid",
)
KEYS = (
    *("0", "1", "2", "7", "x", "optionid", "qty", "domain1.com", "b\u00e4.co.uk", "\u6771", "a b", "[b", "=", "%", "&"),
    *(";", "OptionID", "WHMCS.com", "-", "-0", "1.5", "1e1", "0x1", "+1", "  ", " 0", "0 ", "9" * 25, "k" * 70),
)
# After these, PHP counts on in a way of its own.
ODD_KEYS = (
    " ",
    "\t",
    "-1",
    "-5",
    "00",
    "007",
    "9" * 18,
    "1000000000000000000",
    "9223372036854775807",
    "-9223372036854775808",
)
ENDINGS = ("[", "]", "b", "[x", "]]", " [0]", "x[0]", "[[", "=x", "[=")  # brackets that are none, or end early
VALUES = (
    *("", "1", "5", "5.00", "monthly", "1,3", "YToxOntpOjE7czo2OiJHb29nbGUiO30=", "a=b", ";", "a;b=c", "[0]", "a b+c"),
    *(
        "%",
        "100%",
        "\u6771\u4eac",
        "\U0001f4a9",
        "\u20ac 5",
        '"quoted"',
        "line\r\nline",
        " x\t",
        "\u00a0\u6771 ",
        " ",
        "\u0001",
        "v" * 300,
    ),
)
DEPTHS = (*(0, 1) * 24, *(1, 2) * 8, 3, 3, 4, 4, 5, 5, 6, 9)
SLIPS = ("%", "%%", "%4", "%zz", "%u00e4", "%5", "%-1")  # of percent-encoding: PHP leaves them as they are
REFUSED = ("%00", "\0", "%FF", "%C3", "%ED%A0%80", "%C0%80")


def a_pair(random: Random, names: tuple[str, ...], keys: tuple[str, ...]) -> str:
    name = random.choice(ODD_NAMES if random.random() < 0.03 else names)
    brackets = "".join(f"[{random.choice(keys)}]" for _ in range(random.choice(DEPTHS)))
    ending = random.choice(ENDINGS) if random.random() < 0.15 else ""
    equals = random.choice(("=",) * 18 + ("", "=="))
    return percent_encoded(random, name + brackets + ending) + equals + percent_encoded(random, random.choice(VALUES))


def percent_encoded(random: Random, text: str) -> str:
    """Write a text as one of many clients would."""
    match random.choice(("hardly", "hardly", "all", "browser", "lower")):
        case "hardly":
            written = re.sub("[%&+=]", lambda found: quote(found[0]), text)
            return written.replace(" ", random.choice(("+", " ", "%20")))
        case "browser":
            return quote_plus(text, safe=".[]")
        case "lower":
            return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(text, safe=""))
        case _:
            return quote(text, safe="")


def a_body(random: Random, keys: tuple[str, ...]) -> bytes:
    names = random.choice((NAMES, NAMES, NAMES, tuple(random.sample(NAMES, 1))))  # one name: its elements meet
    pairs = list(dict.fromkeys(a_pair(random, names, keys) for _ in range(random.randint(1, 6))))
    if random.random() < 0.1:
        again = random.choice(pairs).partition("=")[0]
        pairs.insert(random.randint(0, len(pairs)), again + random.choice(("", "", "[0]", "[x]")) + "=again")
    if random.random() < 0.1:
        place = random.randrange(len(pairs))
        cut = random.randint(0, len(pairs[place]))
        pairs[place] = pairs[place][:cut] + random.choice(SLIPS + REFUSED) + pairs[place][cut:]
    separator, end = random.choice((("&", ""), ("&", "&"), ("&&", "")))
    return (separator.join(pairs) + end).encode()


def bodies() -> list[bytes]:
    """Make the same bodies each time, the simplest first."""
    random = Random(1)
    keys = KEYS + ("",) * 10 + ODD_KEYS
    return sorted((a_body(random, keys) for _ in range(BODIES_COUNT)), key=len)


# ---------------------------------------------------------------- what is expected of a body

RULES = (
    "text that is not UTF-8 is malformed",
    "U+0000 is refused anywhere",
    "more than 5 levels are malformed",
    "what is given twice is told so",
    "names are matched as ours",
    "where no index is free, nothing is lost",
)


@dataclass(frozen=True)
class Expected:
    """What must come of a body, and the rule that says so."""

    rule: str
    tree: Tree = field(default_factory=list)
    refusal: str = ""  # words of it, where it must be refused
    values: list[str] = field(default_factory=list)  # what must be in it, where PHP has no tree for it


def expected_of(body: bytes, php: Php) -> Expected:
    body = body.strip()  # white space around a whole body is nothing
    written = [pair.partition(b"=") for pair in body.split(b"&") if pair]
    fields = [(decoded_percents(name), decoded_percents(value)) for name, _, value in written]
    texts = [text for pair in fields for text in pair]
    if not all(map(is_utf8, texts)):
        return Expected("text that is not UTF-8 is malformed", refusal="UTF-8")
    if any(b"\0" in text for text in texts):
        return Expected("U+0000 is refused anywhere", refusal=r"U\+0000|levels")  # whichever comes first
    is_renamed = any(not is_phps_name(name) for name, _ in fields)
    if is_renamed:
        body = b"&".join(renamed(name) + b"=" + value for (name, _), (_, _, value) in zip(fields, written, strict=True))
    parsed = php.parse_str(body)
    return judge(parsed, [value.decode() for _, value in fields], is_renamed=is_renamed)


def judge(parsed: Parsed, values: list[str], *, is_renamed: bool) -> Expected:
    told = zip(parsed.paths, values, strict=True)
    given = [(path, trimmed(path[0], value)) for path, value in told if path is not None]
    if any(is_too_deep(path, given[:number]) for number, (path, _) in enumerate(given)):
        return Expected("more than 5 levels are malformed", refusal="levels")
    is_something_twice = leaves_count(parsed.tree) < len(given)  # PHP keeps the later one
    if None in parsed.paths:
        values = [""] if is_something_twice or parsed.paths.count(None) > 1 else [value.strip() for value in values]
        return Expected("where no index is free, nothing is lost", values=values)
    if is_something_twice:
        return Expected("what is given twice is told so", named_back(sorted_out(given)))
    return Expected("names are matched as ours" if is_renamed else "the same tree", trimmed_tree(parsed.tree))


def decoded_percents(written: bytes) -> bytes:
    return unquote_to_bytes(written.replace(b"+", b" "))


def is_too_deep(path: Path, before: list[tuple[Path, str]]) -> bool:
    """Tell whether its arrays are too many, and not hidden by a value that stood in the place of one of them."""
    return len(path) - 1 > LEVELS_MAX and not any(path[: len(earlier)] == earlier for earlier, _ in before)


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_phps_name(name: bytes) -> bool:
    """Tell whether PHP takes the name of a parameter as we do."""
    top, rest = top_and_rest(name)
    # PHP passes over spaces before a name, and over no other white space around it.
    is_as_written = name.decode().lstrip(" ") == top + rest
    return bool(top) and is_as_written and top == top.lower() and not set(" .[") & set(top)


def renamed(name: bytes) -> bytes:
    """Write the name of a parameter in hexadecimal, from lower case."""
    top, rest = top_and_rest(name)
    return b"hex-" + top.lower().encode().hex().encode() + quote(rest, safe="[]").encode()


def top_and_rest(name: bytes) -> tuple[str, str]:
    """Part the name of a parameter from its keys. A bracket that never closes belongs to the name."""
    text = name.decode()
    top, bracket, rest = text.partition("[")
    return (top.strip(), bracket + rest) if "]" in rest else (text.strip(), "")


def named_back(tree: Tree) -> Tree:
    return [(own_name(name), value) for name, value in tree]


def own_name(name: str) -> str:
    return bytes.fromhex(name[4:]).decode() if name.startswith("hex-") else name


def trimmed(name: str, value: str) -> str:
    """Outer white space is nothing, but where it counts."""
    return value if own_name(name) in KEPT_NAMES else value.strip()


def trimmed_tree(tree: Tree) -> Tree:
    def inside(name: str, value: str | Tree) -> str | Tree:
        return trimmed(name, value) if isinstance(value, str) else [(key, inside(name, one)) for key, one in value]

    return [(own_name(name), inside(name, value)) for name, value in tree]


def leaves_count(tree: Tree) -> int:
    return sum(1 if isinstance(value, str) else leaves_count(value) for _, value in tree)


def sorted_out(given: list[tuple[Path, str]]) -> Tree:
    """Build the tree in which all that was given at one place stands there, and nothing where it is at odds.

    At odds are a value and an array: `pid=2&pid[0]=1`.
    """
    values = {path for path, _ in given}
    arrays = {path[:length] for path, _ in given for length in range(1, len(path))}
    standing: dict[Path, list[str]] = {}
    for path, value in given:
        odds = (path[:length] for length in range(1, len(path) + 1) if path[:length] in values & arrays)
        standing.setdefault(next(odds, path), []).append(value)
    shown = {
        path: several([]) if path in arrays else found[0] if len(found) == 1 else several(found)
        for path, found in standing.items()
    }
    return nested(shown)


def nested(shown: Mapping[Path, str]) -> Tree:
    """Make a tree of paths, in their order."""
    tops = dict.fromkeys(path[0] for path in shown)
    tree: Tree = []
    for top in tops:
        below = {path[1:]: text for path, text in shown.items() if path[0] == top}
        tree.append((top, below[()] if () in below else nested(below)))
    return tree


def several(values: Iterable[str]) -> str:
    return f"several: {list(values)}"


def listed(tree: Mapping[str, Value]) -> Tree:
    """Show what the decoder made in the form in which PHP tells it."""
    return [(key, _shown(value)) for key, value in tree.items()]


def _shown(value: Value) -> str | Tree:
    match value:
        case str():
            return value
        case Repeated(values=values):
            return several(values)
        case _:
            return listed(value)


# ---------------------------------------------------------------- the comparison


def decoded(body: bytes) -> Tree | str:
    """Return the decoder's tree, or the words with which it refuses."""
    try:
        return listed(decode(body, FORM))
    except Rejected as rejected:
        return ", ".join(f"{fault.code}: {fault.message}" for fault in rejected.faults)


def texts_of(tree: Tree) -> str:
    return "".join(value if isinstance(value, str) else texts_of(value) for _, value in tree)


def assert_as_expected(came: Tree | str, expected: Expected) -> None:
    if expected.refusal:
        assert isinstance(came, str)
        assert re.fullmatch(f"malformed: .*({expected.refusal}).*", came)
    elif expected.values:
        assert "levels" in came if isinstance(came, str) else all(value in texts_of(came) for value in expected.values)
    else:
        assert came == expected.tree


def test_a_form_body_is_phps_tree_or_a_difference_that_is_decided(php: Php) -> None:
    rules: Counter[str] = Counter()

    for body in bodies():
        expected = expected_of(body, php)
        assert_as_expected(decoded(body), expected)
        rules[expected.rule] += 1

    assert rules["the same tree"] > BODIES_COUNT / 2
    assert min(rules[rule] for rule in RULES) > 5
    assert not rules.keys() - {"the same tree", *RULES}


@pytest.mark.parametrize(
    "body",
    [
        *("pid[0]=1&pid[2]=5", "pid[2]=1&pid[0]=5&pid[]=7", "pid[]=1&pid[]=5", "pid[7]=1&pid[]=5&pid[x]=2&pid[]=3"),
        *("domainrenewals[domain1.com]=1", "domainrenewals%5Bdomain1%2Ecom%5d=1", "%70id%5b%5D=1&pid[%30]=2"),
        *("clientid=1&&paymentmethod=paypal&", "&", "&&&", "noinvoice", "noinvoice&clientid=1", "clientid=1;pid=3"),
        *("=x", "=", "a==b", "a=b=c", "a[b=c]=d", "a[b=c]d=e", "a&b=", "a[=1", "a[b=1", "a[b][=1", "a[b][c=1"),
        *("a[]b=1", "a[b]c=1", "a[b]c[d]=1", "a[b] [c]=1", "a]b[=1", "a]b[c]=1", "a][=1", "a[[b]]=1", "a[[]]=1"),
        *("[a]=1", "[]=1", "a[ 0]=1&a[]=2", "a[0 ]=1&a[]=2", "a[-1]=1", "a[00]=1", "a[-0]=1&a[]=2", "a[1.0]=1&a[]=2"),
        *("a[9223372036854775807]=1", "a[9223372036854775808]=1&a[]=2", "a[99999999999999999]=1&a[]=2"),
        *("a[x][]=1&a[x][]=2&a[][x]=3&a[]=4", "a[][]=1&a[][]=2", "a[b][c][d][e][f]=1", "a[b][c][d][e][f][g]=1"),
        *("a=1&a=2", "a[0]=1&a[0]=2", "a=1&a[0]=2", "a[0]=1&a=2", "a[b][c]=1&a[b]=2&a[d]=3", "a=1&a[]=2&a[]=3&a=4"),
        *("a=1&A=2", "A[]=1&a[]=2", "a%00=1", "a=%00", "a=%FF", "%FF=a", "a[%FF]=1", "a=%C3%A4", "a=%C3", "a=\u00e4"),
        *("a=%", "a=%%41", "a=%4", "a=%zz", "a=%u00e4", "a=+%2B+%20", "a+b=1", "a[b+c]=1", "a.b=1", "a.b[c.d]=1"),
        *(
            "&".join(f"pid[{index}]={index}" for index in range(200)),
            "a=" + "x" * 100_000,
            "a[" + "x" * 100_000 + "]=1",
        ),
    ],
    ids=lambda body: body[:40],
)
def test_brackets_and_percents_mean_what_they_mean_to_php(body: str, php: Php) -> None:
    expected = expected_of(body.encode(), php)

    assert_as_expected(decoded(body.encode()), expected)
