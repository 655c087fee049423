"""The one way to write a parsed request down, so that its fingerprint is of what it asks and of nothing else.

A fingerprint must not move by accident (docs/decisions/fingerprints.md): yesterday's repeat would become
`message_id_reused`. So what equals its default is left out: a field that is added changes nothing for requests that
do not give it. Names are sorted, wherever a field stands in its class. A field that is renamed moves the
fingerprint, and so does whatever changes how a request is read: then FORMAT moves as well.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass
from decimal import Decimal

import orjson

from schemas.members import members

# Moves whenever the same request would be written down, or read, differently. What was signed under another format
# counts as the same content.
FORMAT = "2"

ADD_ORDER = "addorder"  # the one action whose name is not written: it had a format before there were others
_ACTION = "\0action"  # sorts first, and no field has such a name


def canonical(request: object, action: str = ADD_ORDER) -> bytes:
    """Write a request's content as bytes: equal for equal requests, whatever encoding they came in.

    `request` is a dataclass of schemas; `action` is WHMCS's word for what is asked, in lower case.
    """
    told = members(request)
    if action != ADD_ORDER:
        told = {_ACTION: action, **told}
    # Keys of dicts are sorted by orjson; those of dataclasses are not.
    return orjson.dumps(told, default=_json_value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS)


def _json_value(value: object) -> object:
    if is_dataclass(value):
        return members(value)
    match value:
        case Decimal():
            return str(value)
        case frozenset():
            return sorted(value)
        case Mapping():
            return dict(value)
    raise TypeError(type(value).__name__)
