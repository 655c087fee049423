"""What the tests of pages share: their labelled examples, and what two messages of one kind have in common."""

import re
from typing import Any

_BLOCK = re.compile(r"^```\w+ ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Values that are another's each time. Of all others, those that are documented are those that come.
_VARYING = re.compile(
    r"""
      [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
    | [0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z)?
    | [0-9]{2}/[0-9]{2}/[0-9]{4}
    | (?<=credential:)[0-9]+
    | ^[0-9a-f]{8}:[0-9a-f]{32}$
    """,
    re.VERBOSE,
)
_IDS = {
    "id",
    "relid",
    "orderid",
    "ordernum",
    "invoiceid",
    "serviceids",
    "productids",
    "addonids",
    "domainids",
    "subject",
}


def examples_of(page: str) -> dict[str, str]:
    """Find the labelled examples of a page, such as one that begins with ```json order.added"""
    found = _BLOCK.findall(page)
    labels = [label for label, _ in found]
    assert sorted(set(labels)) == sorted(labels), "a label stands twice"
    return dict(found)


def one_line(example: str) -> bytes:
    """Undo the breaks that are there for reading."""
    return example.replace("\n", "").encode()


def shape_of(value: Any, name: str = "") -> Any:
    """What two messages of one kind have in common: keys, types, and values that are no ids and no times."""
    if isinstance(value, dict):
        return {key: shape_of(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [shape_of(member, name) for member in value]
    if name in _IDS:
        return type(value).__name__
    return _VARYING.sub("#", value) if isinstance(value, str) else value
