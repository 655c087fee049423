"""Entries of a catalogue file, each in order until a test changes something, and what is said of them."""

import copy
import json
from typing import Any

import pytest

from schemas.catalog_check import Known, check
from schemas.catalog_file import CatalogError, parse

PRODUCT = {
    "id": 1,
    "name": "Starter",
    "type": "hosting",
    "paytype": "recurring",
    "tax": True,
    "retired": False,
    "allowqty": "no",
    "stock_control": False,
    "stock_quantity": 0,
    "pricing": {"USD": {"monthly": {"price": "9.95", "setup": "0.00"}}},
}


DOLLAR = {"code": "USD", "prefix": "$", "suffix": " USD", "digits": 2, "default": True}


YEN = {"code": "JPY", "prefix": "¥", "suffix": "", "digits": 0, "default": False}


def faults_of(content: bytes | str) -> tuple[str, ...]:
    """What is wrong with a file that would be loaded into an empty database."""
    with pytest.raises(CatalogError) as raised:
        check(parse(content), Known())
    return raised.value.faults


def faults_in(**sections: list[Any]) -> tuple[str, ...]:
    return faults_of(json.dumps(sections))


def product(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(PRODUCT), **changes}


def option(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "name": "Disk",
        "type": "dropdown",
        "choices": [{"id": 1, "name": "1 GB", "pricing": {}}],
        **changes,
    }


def rule(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "level": 1, "name": "VAT", "country": "GB", "rate": "20", "compound": False, **changes}


def promotion(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "code": "TEN",
        "type": "percentage",
        "value": "10",
        "recurring": False,
        "recur_for": 0,
        "max_uses": 0,
        "uses": 0,
        "once_per_client": False,
        "new_signups_only": False,
        "existing_clients_only": False,
        "applies_to": {"products": "all", "addons": "all", "tlds": "all"},
        "apply_once": False,
        **changes,
    }
