"""The WHMCS answer, in each encoding."""

import pytest

from schemas import replies
from schemas.replies import Reply, ResponseType

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
