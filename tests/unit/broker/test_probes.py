"""worker/broker/probes.py: which messages are probes, and where they are answered."""

from dataclasses import replace

import pytest

from worker.broker.headers import trail_of
from worker.broker.messages import Delivery, Outgoing
from worker.broker.probes import pong, probe
from worker.key_ring import KeyRing

KEYS = KeyRing([b"a-key-of-the-tests-which-is-no-secret"])
OTHERS = KeyRing([b"a-key-of-somebody-else-of-32-characters"])
DIRECT = "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA"


def arrived(outgoing: Outgoing, keys: KeyRing = KEYS) -> Delivery:
    """Hand a message over to who has these keys."""
    trail = trail_of(outgoing.properties, outgoing.body, keys)
    return Delivery(outgoing.body, outgoing.properties, outgoing.routing_key, redelivered=False, tag=1, trail=trail)


def test_a_probe_is_one_to_who_has_the_key_that_sealed_it_and_to_nobody_else() -> None:
    sent = probe("order.add", "operator", KEYS)

    assert arrived(sent).is_probe
    assert not arrived(sent, OTHERS).is_probe
    assert (sent.exchange, sent.routing_key, sent.mandatory) == ("orders", "order.add", True)


@pytest.mark.parametrize("of_another", ["body", "message_id", "type"])
def test_a_seal_that_was_taken_from_a_probe_makes_none_of_another_message(of_another: str) -> None:
    sent = probe("order.add", "operator", KEYS)
    if of_another == "body":
        forged = replace(sent, body=b'{"clientid": 1}')
    else:
        other = {"message_id": replace(sent.properties, message_id="x"), "type": replace(sent.properties, type="x")}
        forged = replace(sent, properties=other[of_another])

    assert not arrived(forged).is_probe


def test_a_probe_is_answered_at_a_direct_reply_to_and_nowhere_else() -> None:
    sent = probe("order.add", "operator", KEYS)
    direct = arrived(replace(sent, properties=replace(sent.properties, reply_to=DIRECT)))
    to_a_queue = arrived(replace(sent, properties=replace(sent.properties, reply_to="somebodys.queue")))

    answer = pong(direct)

    assert answer is not None
    assert (answer[0].routing_key, answer[0].body) == (DIRECT, b"pong")
    assert answer[0].properties.correlation_id == sent.properties.message_id
    assert pong(to_a_queue) is None
