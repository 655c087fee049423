"""The WHMCS answer, in each encoding."""

from pathlib import Path

import pytest

from schemas import replies
from schemas.replies import Reply, ResponseType
from tests.unit import said

BODIES = Path(__file__).parent / "bodies"
REPLIES = {
    "everything": replies.success(said.EVERYTHING, said.PLACED),
    "bare": replies.success(said.BARE, said.PLACED_BARE),
    "faults": replies.error(said.REJECTION),
    "unreadable": replies.error(said.UNREADABLE),
}

REPLY: Reply = {"result": "success", "orderid": 17, "serviceids": "21", "warnings": ["a < b; c", "d"]}


@pytest.mark.parametrize(
    ("response_type", "body"),
    [
        (ResponseType.JSON, b'{"result":"success","orderid":17,"serviceids":"21","warnings":["a < b; c","d"]}'),
        (
            ResponseType.XML,
            (
                b'<?xml version="1.0" encoding="UTF-8"?>\n<whmcsapi><result>success</result><orderid>17</orderid>'
                b"<serviceids>21</serviceids><warnings><warning>a &lt; b; c</warning><warning>d</warning></warnings>"
                b"</whmcsapi>\n"
            ),
        ),
        (ResponseType.NVP, b"result=success;orderid=17;serviceids=21;warnings=a < b, c | d;"),
    ],
)
def test_a_reply_in_each_encoding(response_type: ResponseType, body: bytes) -> None:
    assert replies.render(REPLY, response_type) == body


@pytest.mark.parametrize("response_type", ResponseType)
@pytest.mark.parametrize(("name", "reply"), REPLIES.items(), ids=REPLIES)
def test_a_reply_is_written_as_it_ever_was_to_the_byte(name: str, reply: Reply, response_type: ResponseType) -> None:
    assert replies.render(reply, response_type) == (BODIES / f"{name}.reply.{response_type}").read_bytes()
