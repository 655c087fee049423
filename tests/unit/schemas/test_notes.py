"""What is kept in the broker is read with care: whoever may write there may write anything."""

import pytest

from schemas import notes
from schemas.notes import Note, NotedOrder, Owner

ORDER = NotedOrder(7, "m-7", 1, "9.95", "USD")
ADDED = (
    b'{"type":"order.added","data":{"orderid":7,"clientid":1,"amount":"9.95","currency":"USD","request_id":"m-7",'
    b'"invoiceid":12,"serviceids":[30,31],"addonids":[],"domainids":[4],"unknown":null}}'
)


def test_a_note_comes_back_as_it_was() -> None:
    assert notes.read_note(notes.note_body("s", 9, [ORDER])) == Note("s", 9, (ORDER,))
    assert notes.read_owner(notes.owner_body("s")) == Owner("s")


@pytest.mark.parametrize("body", [b"", b"x", b"\xff", b"[]", b'{"shop":1}'])
def test_what_is_none_is_passed_over(body: bytes) -> None:
    assert notes.read_note(body) is None
    assert notes.read_owner(body) is None


def test_an_event_tells_the_order_and_the_highest_id_of_what_was_born_with_it() -> None:
    assert notes.note_of_event(ADDED) == Note("", 31, (ORDER,))


def test_an_event_of_something_else_tells_nothing() -> None:
    assert notes.note_of_event(b'{"type":"email.order-confirmation","data":{"orderid":7}}') is None


@pytest.mark.parametrize("line", [b"x", b"[]", b"{}", b'{"type":"order.added"}', b'{"type":"order.added","data":{}}'])
def test_a_line_that_is_no_event_is_a_fault(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        notes.note_of_event(line)


def test_a_note_with_a_number_that_is_none_is_passed_over() -> None:
    assert notes.read_note(b'{"shop":"s","highest":"y","orders":[]}') is None
