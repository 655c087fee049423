"""Codes are the public interface: each is listed once."""

import ast
import inspect
from types import ModuleType

from schemas import add_order, rejections


def codes_in(module: ModuleType) -> set[str]:
    """Every code with which the module makes a fault, or lets pydantic make one."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
    return {
        str(call.args[0].value)
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id in ("Fault", "fault", "PydanticCustomError")
        and isinstance(call.args[0], ast.Constant)
    }


def test_every_code_is_listed() -> None:
    assert codes_in(rejections) | codes_in(add_order) == rejections.CODES
