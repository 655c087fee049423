"""The WHMCS answer, as types, and in json, xml and nvp (messages.md, "The reply")."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self
from xml.sax.saxutils import escape

import orjson

from schemas.bodies import value, write
from schemas.rejections import Code, Rejection


@value
class OrderPlaced:
    """The answer to AddOrder. Ids are text with commas between them, in the order of the items; `invoiceid` 0: none."""

    result: Literal["success"]
    orderid: int
    invoiceid: int
    serviceids: str
    productids: str
    addonids: str
    domainids: str
    warnings: tuple[str, ...] = ()


@value
class RejectionReply:
    """The answer to whatever is refused."""

    result: Literal["error"]
    message: str
    code: Code


ReplyData = OrderPlaced | RejectionReply

# What a member of a reply is once it is read back.
Member = str | int | list[str]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as it goes out. `body` is its JSON: what is remembered, so that a repeat says the very same bytes."""

    body: bytes

    @classmethod
    def of(cls, data: ReplyData) -> "Reply":
        return cls(write(data))

    @property
    def members(self) -> Mapping[str, Member]:
        """Read what it says, whatever version said it."""
        members: dict[str, Member] = orjson.loads(self.body)
        return members


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


def error(rejection: Rejection) -> Reply:
    return Reply.of(RejectionReply(result="error", message=rejection.message, code=rejection.code))


def render(reply: Reply, response_type: ResponseType) -> bytes:
    """Encode a reply. The same reply always gives the same bytes."""
    match response_type:
        case ResponseType.JSON:
            return reply.body
        case ResponseType.XML:
            return _xml(reply.members).encode()
        case ResponseType.NVP:
            return _nvp(reply.members).encode()


# ---------------------------------------------------------------- xml


def _xml(members: Mapping[str, Member]) -> str:
    elements = "".join(_xml_element(name, member) for name, member in members.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<whmcsapi>{elements}</whmcsapi>\n'


def _xml_element(name: str, member: Member) -> str:
    inner = (
        "".join(_xml_element("warning", one) for one in member) if isinstance(member, list) else _xml_text(str(member))
    )
    return f"<{name}>{inner}</{name}>"


def _xml_text(text: str) -> str:
    """Escape markup and drop what XML 1.0 has no character for."""
    return escape(_NO_XML.sub("", text))


# ---------------------------------------------------------------- nvp


def _nvp(members: Mapping[str, Member]) -> str:
    return "".join(f"{name}={_nvp_value(member)};" for name, member in members.items())


def _nvp_value(member: Member) -> str:
    # Readers split at `;` and know no escape, so a `;` inside a value becomes a comma.
    texts: Iterable[object] = member if isinstance(member, list) else (member,)
    return " | ".join(_LINE_ENDS.sub(" ", str(text).replace(";", ",")) for text in texts)
