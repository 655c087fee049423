"""A request as parameters to what is asked for: items by their numbers, addon-only lines, renewals (3).

Values are taken to be well written: shapes, types and encodings are held elsewhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_OF_ITEMS = (
    "pid", "qty", "domain", "billingcycle", "domaintype", "regperiod", "eppcode", "configoptions", "priceoverride",
    "addons", "addonsqty", "dnsmanagement", "emailforwarding", "idprotection", "domainpriceoverride",
    "domainrenewoverride",
)  # fmt: skip
_MAPS = ("configoptions",)
_TRUE = ("true", "on", "yes", "1")

Item = dict[str, Any]
Request = Mapping[str, Any]


@dataclass(frozen=True)
class AddonLine:
    addon: int
    service: int
    quantity: int


def items(request: Request) -> dict[int, Item]:
    """Bring together what is said of each item, in the order of their numbers."""
    found: dict[int, Item] = {}
    for name in _OF_ITEMS:
        for key, value in _by_number(request, name).items():
            if value not in (None, ""):
                found.setdefault(key, {})[name] = value
    return {key: found[key] for key in sorted(found) if "pid" in found[key] or "domaintype" in found[key]}


def _by_number(request: Request, name: str) -> dict[int, Any]:
    written = request.get(name)
    if name in _MAPS and not isinstance(request.get("pid"), list | dict):
        return {} if written is None else {0: written}  # the map itself, beside a plain `pid`
    if isinstance(written, list):
        return dict(enumerate(written))
    if isinstance(written, dict):
        return {int(key): value for key, value in written.items()}
    return {} if written is None else {0: written}


def addon_lines(request: Request) -> Iterator[AddonLine]:
    """List addons for services that exist: the scalar form, then those of the arrays."""
    if "addonid" in request:
        yield AddonLine(int(request["addonid"]), int(request["serviceid"]), int(request.get("addonidqty", 1)))
    services, quantities = (_by_number(request, name) for name in ("serviceids", "addonidsqty"))
    for key, addon in sorted(_by_number(request, "addonids").items()):
        yield AddonLine(int(addon), int(services[key]), int(quantities.get(key) or 1))


def addons(item: Item) -> list[tuple[int, int]]:
    """List an item's addons with their quantities, paired by position (3)."""
    ids = str(item.get("addons", "")).split(",")
    quantities = str(item.get("addonsqty", "")).split(",")
    quantities += [""] * (len(ids) - len(quantities))
    return [(int(one), int(many or 1)) for one, many in zip(ids, quantities, strict=False) if one]


def domain_renewals(request: Request) -> dict[str, int]:
    return {name.lower(): int(years) for name, years in request.get("domainrenewals", {}).items()}


def renewals(request: Request, name: str) -> list[int]:
    return [int(one) for _, one in sorted(_by_number(request, name).items())]


def is_true(value: object) -> bool:
    return str(value or "").lower() in _TRUE
