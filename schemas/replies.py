"""The WHMCS answer in json, xml and nvp (messages.md, "The reply")."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Self
from xml.sax.saxutils import escape

import orjson

from schemas.order import PlacedOrder, PricedAddon, PricedDomain, PricedOrder, PricedService
from schemas.rejections import Rejection

Reply = Mapping[str, str | int | list[str]]


class ResponseType(StrEnum):
    """Encoding of the reply. The value is the wire's."""

    JSON = "json"
    XML = "xml"
    NVP = "nvp"

    @classmethod
    def of(cls, written: object) -> Self | None:
        """Match without case; None for a word that is none of the three."""
        try:
            return cls(written.strip().lower()) if isinstance(written, str) else None
        except ValueError:
            return None

    @property
    def content_type(self) -> str:
        return _CONTENT_TYPES[self]


_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_ENDS = re.compile(r"[\r\n]+")

_CONTENT_TYPES = {
    ResponseType.JSON: "application/json",
    ResponseType.XML: "application/xml",
    ResponseType.NVP: "text/plain; charset=utf-8",
}


def success(order: PricedOrder, placed: PlacedOrder) -> Reply:
    """Answer for a placed order. Id lists are comma-separated text, numbers are numbers (addorder.md 4)."""
    services = _ids(order, placed, PricedService)
    reply: dict[str, str | int | list[str]] = {
        "result": "success",
        "orderid": placed.order_id,
        "invoiceid": placed.invoice_id,
        "serviceids": services,
        "productids": services,
        "addonids": _ids(order, placed, PricedAddon),
        "domainids": _ids(order, placed, PricedDomain),
    }
    if order.warnings:
        reply["warnings"] = list(order.warnings)
    return reply


def ids_of(order: PricedOrder, placed: PlacedOrder, kind: type) -> list[int]:
    """The ids that the items of one kind were given, in item order."""
    pairs = zip(order.items, placed.item_ids, strict=True)
    return [item_id for item, item_id in pairs if isinstance(item, kind)]


def _ids(order: PricedOrder, placed: PlacedOrder, kind: type) -> str:
    return ",".join(map(str, ids_of(order, placed, kind)))


def error(rejection: Rejection) -> Reply:
    return {"result": "error", "message": rejection.message, "code": rejection.code}


def render(reply: Reply, response_type: ResponseType) -> bytes:
    """Encode a reply. The same reply always gives the same bytes."""
    match response_type:
        case ResponseType.JSON:
            return orjson.dumps(reply)
        case ResponseType.XML:
            return _xml(reply).encode()
        case ResponseType.NVP:
            return "".join(f"{name}={_nvp(value)};" for name, value in reply.items()).encode()


def _xml(reply: Reply) -> str:
    elements = "".join(f"<{name}>{_xml_value(value)}</{name}>" for name, value in reply.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<whmcsapi>{elements}</whmcsapi>\n'


def _xml_value(value: str | int | list[str]) -> str:
    if isinstance(value, list):
        return "".join(f"<warning>{_xml_text(member)}</warning>" for member in value)
    return _xml_text(str(value))


def _xml_text(text: str) -> str:
    """Escape markup and drop what XML 1.0 has no character for."""
    return escape(_NO_XML.sub("", text))


def _nvp(value: str | int | list[str]) -> str:
    # Readers split at `;` and know no escape, so a `;` inside a value becomes a comma.
    texts: Iterable[object] = value if isinstance(value, list) else (value,)
    return " | ".join(_LINE_ENDS.sub(" ", str(text).replace(";", ",")) for text in texts)
