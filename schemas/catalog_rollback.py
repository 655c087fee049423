"""The catalogue file that takes changes back. A load deletes nothing: what was not there then is no longer sold."""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.catalog_changes import AMOUNTS, COUNTED_BY_SALES, EntryChange, identity

_NOT_SOLD = "-1.00"
# What is not sold any more, or does not apply. Of a currency that is so when nothing has a price in it.
_OFF: Mapping[str, Mapping[str, Any]] = {
    "products": {"retired": True},
    "addons": {"retired": True},
    "tlds": {},
    "promotions": {"start_date": None, "end_date": "1970-01-01"},
    "payment_methods": {"active": False},
    "affiliates": {"active": False},
    "client_groups": {"discount_percent": "0.00"},
}


def file_back_to(changes: Iterable[EntryChange]) -> dict[str, Any]:
    """Write a file that makes entries what they were before `changes`, as near as a load can.

    Tax rules that were not there then are not in it: they have to go, because one that charges 0 % would still stand
    before the rule of the country or of everywhere.
    """
    settings: dict[str, Any] = {}
    sections: dict[str, list[Any]] = {}
    for change in changes:
        if change.section == "settings":
            settings[change.key] = change.before
            continue
        entry = (
            _taken_off(change.section, change.after)
            if change.before is None
            else _as_before(change.before, change.after or {})
        )
        if entry is None:
            continue
        if change.section in COUNTED_BY_SALES:
            entry[COUNTED_BY_SALES[change.section]] = 0  # a file must name it, and a load lets stand what there is
        sections.setdefault(change.section, []).append(entry)
    return {"settings": settings, **sections}


def _taken_off(section: str, now: Mapping[str, Any]) -> dict[str, Any] | None:
    """Let an entry be sold no more, or apply no more; None: a file can not say that, or need not."""
    if section not in _OFF:
        return None
    prices = {key: _none_of(now[key]) for key in ("pricing", "extras") if key in now and section != "products"}
    return {**now, **prices, **_OFF[section]}


def _as_before(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Take an entry as it was; what it has got since is withdrawn."""
    entry = dict(then)
    for key in AMOUNTS & then.keys():
        entry[key] = _with_withdrawn(then[key], now.get(key, {}))
    for key in {"custom_fields", "fields"} & then.keys():
        entry[key] = [*then[key], *({**one, "required": False} for one in _added(then, now, key))]
    for key in {"config_options", "choices"} & then.keys():
        were = {one["id"]: one for one in now.get(key, [])}
        kept = [_as_before(one, were.get(one["id"], {})) for one in then[key]]
        entry[key] = [*kept, *(_withdrawn_option(one) for one in _added(then, now, key))]
    return entry


def _added(then: Mapping[str, Any], now: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """List the members that were not there then. They stand last, so that no default is another one."""
    there = {identity(one) for one in then[key]}
    return [one for one in now.get(key, []) if identity(one) not in there]


def _withdrawn_option(one: dict[str, Any]) -> dict[str, Any]:
    """Take the prices off a choice, or off all choices of an option: a default one is then 0.00, any other refused."""
    if "choices" in one:
        return {**one, "choices": [_withdrawn_option(choice) for choice in one["choices"]]}
    return {**one, "pricing": _none_of(one["pricing"])}


def _with_withdrawn(then: Any, now: Any) -> Any:
    if not isinstance(then, Mapping) or "price" in then:
        return then
    since = {key: _none_of(member) for key, member in now.items() if key not in then}
    return {key: _with_withdrawn(member, now.get(key, {})) for key, member in then.items()} | since


def _none_of(amounts: Any) -> Any:
    """Withdraw all amounts of a table."""
    if not isinstance(amounts, Mapping):
        return _NOT_SOLD
    if "price" in amounts:
        return {"price": _NOT_SOLD, "setup": "0.00"}
    return {key: _none_of(member) for key, member in amounts.items()}
