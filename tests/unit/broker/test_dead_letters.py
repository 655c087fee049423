"""What the headers of a message that needs a person say of its end."""

from collections.abc import Mapping

import pytest

from schemas import topology
from schemas.rejections import Code, Reason
from worker.broker.dead_letters import DeadLetter
from worker.broker.messages import Delivery, Properties


def a_letter(headers: Mapping[str, object], queue: str = topology.DEAD) -> DeadLetter:
    return DeadLetter(Delivery(b"{}", Properties(headers=headers), "order.add", redelivered=False, tag=1), queue)


@pytest.mark.parametrize(
    ("letter", "reason", "code"),
    [
        (
            a_letter({"x-orders-reason": "rejected", "x-orders-code": "out_of_stock"}),
            Reason.REJECTED,
            Code.OUT_OF_STOCK,
        ),
        # A worker of a later version may say what this one has not heard of.
        (a_letter({"x-orders-reason": "of-tomorrow", "x-orders-code": "made_up"}), "of-tomorrow", "made_up"),
        (a_letter({}), Reason.DELIVERY_LIMIT, ""),
        (a_letter({"x-orders-reason": "rejected"}, topology.UNROUTED), Reason.UNROUTED, ""),
    ],
)
def test_a_letter_says_its_reason_and_code_whether_they_are_known_or_not(
    letter: DeadLetter, reason: str, code: str
) -> None:
    assert (letter.reason, letter.code) == (reason, code)
