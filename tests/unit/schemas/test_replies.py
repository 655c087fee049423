"""The WHMCS answer, in each encoding."""

from pathlib import Path
from typing import get_args

import orjson
import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from schemas import placed_order, replies
from schemas.replies import OrderPlaced, RejectionReply, Reply, ReplyData, ResponseType
from tests import samples

BODIES = Path(__file__).parent / "bodies"
REPLIES = {
    "everything": placed_order.reply(samples.EVERYTHING, samples.PLACED),
    "bare": placed_order.reply(samples.BARE, samples.PLACED_BARE),
    "faults": replies.error(samples.REJECTION),
    "unreadable": replies.error(samples.UNREADABLE),
}

REPLY = Reply(b'{"result":"success","orderid":17,"serviceids":"21","warnings":["a < b; c","d"]}')


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


@pytest.mark.parametrize("response_type", ResponseType)
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_reply_that_is_read_back_is_the_very_same(reply: Reply, response_type: ResponseType) -> None:
    assert replies.render(Reply(reply.body), response_type) == replies.render(reply, response_type)


def test_a_reply_of_another_version_is_said_as_it_was() -> None:
    of_tomorrow = Reply(b'{"result":"success", "orderid":17,"shop":"north","warnings":[]}')

    assert replies.render(of_tomorrow, ResponseType.JSON) == of_tomorrow.body
    assert replies.render(of_tomorrow, ResponseType.NVP) == b"result=success;orderid=17;shop=north;warnings=;"


@pytest.mark.parametrize(("name", "reply"), REPLIES.items(), ids=REPLIES)
def test_a_reply_is_what_the_schema_of_its_type_says(name: str, reply: Reply) -> None:
    kind = OrderPlaced if name in ("everything", "bare") else RejectionReply
    others = [other for other in get_args(ReplyData) if other is not kind]

    assert validator_of(kind).is_valid(orjson.loads(reply.body))
    assert not any(validator_of(other).is_valid(orjson.loads(reply.body)) for other in others)


def validator_of(body: type) -> Draft202012Validator:
    return Draft202012Validator(TypeAdapter(body).json_schema(mode="serialization"))


@pytest.mark.parametrize(
    ("written", "response_type"), [("json", ResponseType.JSON), (" XML ", ResponseType.XML), ("yaml", None), (7, None)]
)
def test_the_word_for_an_encoding_is_matched_without_case(written: object, response_type: ResponseType | None) -> None:
    assert ResponseType.of(written) is response_type
