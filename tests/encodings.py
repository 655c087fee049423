"""One request, written down in each of the encodings."""

import base64
import json
from typing import Any
from urllib.parse import quote_plus

import phpserialize

MAPS = {"customfields", "configoptions"}


def packed(value: dict[str, Any]) -> str:
    return base64.b64encode(phpserialize.dumps(value)).decode()


def as_form(request: dict[str, Any]) -> bytes:
    pairs: list[tuple[str, Any]] = []
    for name, value in request.items():
        elements = (
            [(f"{name}[{key}]", one) for key, one in value.items()] if isinstance(value, dict) else [(name, value)]
        )
        pairs += [(place, packed(one) if isinstance(one, dict) else one) for place, one in elements]
    return "&".join(f"{quote_plus(name)}={quote_plus(str(value))}" for name, value in pairs).encode()


def as_json(request: dict[str, Any]) -> bytes:
    return json.dumps(request).encode()


def as_php(request: dict[str, Any]) -> bytes:
    maps = {name: {key: packed(one) for key, one in request[name].items()} for name in MAPS & request.keys()}
    return bytes(phpserialize.dumps({**request, **maps}))
