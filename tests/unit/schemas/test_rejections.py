"""Codes are the public interface: each is a member of one enumeration, and is given by something."""

import ast
import inspect
from types import ModuleType

import pytest

from schemas import add_order, rejections
from schemas.rejections import Code, Fault, Rejection
from worker.pipeline import outcomes


def members_in(module: ModuleType) -> set[str]:
    """Name the members of Code that a module gives."""
    return {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Code"
    }


def test_every_code_is_given_by_something() -> None:
    given = members_in(rejections) | members_in(add_order) | members_in(outcomes)

    assert given == set(Code.__members__)


@pytest.mark.parametrize("code", Code)
def test_a_code_is_its_name_in_lower_case(code: Code) -> None:
    assert code == code.name.lower()


def test_a_value_that_pydantic_refuses_has_a_code_of_ours() -> None:
    with pytest.raises(rejections.Rejected) as refused:
        add_order.parse({"clientid": "x", "noemail": "perhaps", "clientip": "nowhere"})

    assert [fault.code for fault in refused.value.faults] == [
        Code.NUMBER_INVALID,
        Code.BOOLEAN_INVALID,
        Code.IP_INVALID,
    ]
    assert all(isinstance(fault.code, Code) for fault in refused.value.faults)


def test_a_rejection_tells_the_first_of_its_faults_and_lists_no_more_than_twenty() -> None:
    faults = [Fault(Code.ITEM_EMPTY, f"item [{number}]", None, number) for number in range(21)]

    rejection = Rejection.of(faults)

    assert (rejection.code, rejection.message) == (Code.ITEM_EMPTY, "item [0]")
    assert rejection.faults == tuple(faults[:20])


def test_a_fault_begins_with_its_place_as_the_caller_wrote_it() -> None:
    of_an_item = rejections.parameter_missing("pid", 1)
    of_the_request = rejections.contact_not_found()

    assert of_an_item == Fault(Code.PARAMETER_MISSING, "pid[1]: required", "pid", 1)
    assert of_the_request.message == "contactid: no contact of this client"
