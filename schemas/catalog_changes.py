"""What differs between two states of a catalogue: entry by entry, value by value, and in words.

Entries are as the catalogue file has them (catalog_entries.py), but for what sales count: stock and uses.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from schemas.catalog_file import shown

Sections = Mapping[str, Mapping[str, Any]]  # section → key of an entry, as text → the entry; of settings, the value

COUNTED_BY_SALES = {"products": "stock_quantity", "promotions": "uses"}

_NOUNS = {
    "addons": "addon",
    "affiliates": "affiliate",
    "client_groups": "client group",
    "currencies": "currency",
    "payment_methods": "payment method",
    "products": "product",
    "promotions": "promotion",
    "settings": "setting",
    "tax_rules": "tax rule",
    "tlds": "TLD",
}
_NAMES = {"promotions": "code", "payment_methods": "display_name"}  # else name, where there is one
# Lists of an entry whose members have an identity of their own, and what one of them is called.
_MEMBERS = {"config_options": "option", "choices": "choice", "custom_fields": "field", "fields": "field"}
# Tables of amounts by currency; in these two, what has none is not sold.
AMOUNTS = frozenset({"pricing", "extras", "values"})
_PRICED = re.compile(r"(^|\.)(pricing|extras)\.")


@dataclass(frozen=True, slots=True)
class EntryChange:
    """An entry that is another one now. None in `before`: it is new; in `after`: it is gone."""

    section: str
    key: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One value of an entry that is another one now. `path` is empty where it is the entry itself that is new or gone.

    None in `before` or `after`: none, not sold, or not there.
    """

    section: str
    key: str
    name: str  # of the entry, for people; empty: it has none but its key
    path: str  # as in pricing.USD.monthly, or config_options[2].choices[7].name: with ids, not positions
    what: str  # the same, for people
    before: Any
    after: Any


def compare(before: Sections, after: Sections) -> tuple[EntryChange, ...]:
    """List the entries that differ, by section and key."""
    pairs = {(section, key) for state in (before, after) for section, entries in state.items() for key in entries}
    changes = (
        EntryChange(section, key, before.get(section, {}).get(key), after.get(section, {}).get(key))
        for section, key in sorted(pairs, key=_order)
    )
    return tuple(change for change in changes if change.before != change.after)


def _order(of: tuple[str, str]) -> tuple[str, int, str]:
    section, key = of
    return section, len(key), key  # ids as numbers


def in_detail(changes: Iterable[EntryChange]) -> Iterator[ValueChange]:
    """Take changed entries apart, into the values that differ."""
    for change in changes:
        entry = change.before if change.after is None else change.after
        named = entry.get(_NAMES.get(change.section, "name"), "") if isinstance(entry, Mapping) else ""
        for path, what, before, after in _differences(change.before, change.after):
            yield ValueChange(change.section, change.key, named, path, what, before, after)


Difference = tuple[str, str, Any, Any]  # path, what, before, after


def _differences(before: Any, after: Any) -> Iterator[Difference]:
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield "", "", before, after
        return
    for key in {**before, **after}:
        was, is_ = before.get(key), after.get(key)
        if was == is_:
            continue
        if key in AMOUNTS:
            yield from _in_table(key, (), was or {}, is_ or {})
        elif key in _MEMBERS:
            yield from _in_members(key, was or [], is_ or [])
        elif isinstance(was or is_, Mapping):
            for path, what, one, other in _differences(was or {}, is_ or {}):
                yield f"{key}.{path}", f"{key} {what}", one, other
        else:
            yield key, key, was, is_


def _in_table(path: str, keys: tuple[str, ...], before: Any, after: Any) -> Iterator[Difference]:
    """Compare tables of amounts by currency. What has a price and a setup fee is one amount."""
    if _is_amount(before) and _is_amount(after):
        yield ".".join((path, *keys)), " ".join(_words_of(path, *keys)), before, after
        return
    was, is_ = before or {}, after or {}
    for key in {**was, **is_}:
        if was.get(key) != is_.get(key):
            yield from _in_table(path, (*keys, key), was.get(key), is_.get(key))


def _words_of(table: str, currency: str, *keys: str) -> Iterator[str]:
    if table == "values":
        yield "value"
    for key in keys:
        yield f"{key} {'year' if key == '1' else 'years'}" if key.isdigit() else key
    yield currency


def _is_amount(value: Any) -> bool:
    return not isinstance(value, Mapping) or "price" in value


def _in_members(key: str, before: list[Any], after: list[Any]) -> Iterator[Difference]:
    was, is_ = ({identity(member): member for member in members} for members in (before, after))
    for own in {**was, **is_}:
        one, other = was.get(own), is_.get(own)
        if one == other:
            continue
        at, what = f"{key}[{own}]", f"{_MEMBERS[key]} {shown({**(one or {}), **(other or {})}['name'])}"
        for path, inner, value, other_value in _differences(one, other):
            yield f"{at}.{path}".removesuffix("."), f"{what}, {inner}".removesuffix(", "), value, other_value
    if was.keys() == is_.keys() and list(was) != list(is_):
        yield key, f"order of {key}", list(was), list(is_)


def identity(member: Mapping[str, Any]) -> str:
    """Tell the members of a list apart, as text. Those of a TLD's fields have no id."""
    return str(member["id"] if "id" in member else member["name"])


# ---------------------------------------------------------------- in words


def sentence(change: ValueChange) -> str:
    """Say it in a line, such as `product 7 Starter: monthly USD 4.00 → 0.40`."""
    pair = (change.before, change.after)
    if any(isinstance(value, Mapping) and not _is_amount(value) for value in pair):  # an entry, or a member of a list
        said = "new" if change.before is None else "gone"
        return ": ".join(part for part in (named(change), change.what, said) if part)
    absent = "not sold" if _PRICED.search(change.path) else "none"
    before, after = (absent if value is None else _text(value) for value in pair)
    return f"{named(change)}: {change.what and f'{change.what} '}{before} → {after}"


def named(change: ValueChange) -> str:
    parts = (_NOUNS[change.section], shown(change.key), change.name and shown(change.name))
    return " ".join(part for part in parts if part)


def _text(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(shown(str(member)) for member in value) or "none"
        case {"price": price, "setup": setup}:
            return f"{price} with setup {setup}" if Decimal(setup) else str(price)
        case str() if value != value.strip() or not value:
            return repr(shown(value)) if value else "empty"
    return shown(str(value))
