"""How a request ends, line by line of the table in messages.md: placed, repeated, rejected."""

import asyncio
import json

import pytest

from schemas import wire
from tests.shop import Shop, form

ONE_SERVICE = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
UNKNOWN_METHOD = {"clientid": 1, "pid": 7, "paymentmethod": "bitcoin"}


async def test_a_good_request_is_placed_answered_and_announced(shop: Shop) -> None:
    await shop.start_worker()

    asked = await shop.publish(ONE_SERVICE)
    reply = json.loads(await shop.reply(asked))
    events = await shop.until_events(
        asked.message_id or "", "order.added", "email.invoice-created", "email.order-confirmation"
    )

    assert reply["result"] == "success"
    [order] = await shop.fetch("SELECT * FROM orders WHERE id = $1", reply["orderid"])
    assert (order["status"], str(order["amount"]), order["asked_by"]) == ("Pending", "4.00", shop.user)
    assert len(order["order_number"]) == 10
    [service] = await shop.fetch("SELECT * FROM services WHERE order_id = $1", reply["orderid"])
    assert str(service["id"]) == reply["serviceids"] == reply["productids"]
    [invoice] = await shop.fetch("SELECT * FROM invoices WHERE order_id = $1", reply["orderid"])
    assert (invoice["id"], str(invoice["total"]), invoice["status"]) == (reply["invoiceid"], "4.00", "Unpaid")
    added = next(event.data for event in events if event.type == "order.added")
    assert (added["amount"], added["caller"]) == ("4.00", f"publisher:{shop.user}")
    assert await shop.waiting("orders.email.invoice-created") == 1
    assert await shop.waiting("orders.email.order-confirmation") == 1


async def test_the_same_request_again_is_answered_with_the_very_same_bytes(shop: Shop) -> None:
    await shop.start_worker()
    first = await shop.publish(ONE_SERVICE)
    await shop.reply(first)

    again = await shop.publish(ONE_SERVICE, message_id=first.message_id)
    await shop.reply(again)
    await shop.until(lambda: len(shop.events_of(first.message_id or "")) == 6)

    assert again.replies == first.replies
    assert len({event.raw for event in shop.events_of(first.message_id or "")}) == 3
    assert await shop.orders_placed() == 1


async def test_an_answer_that_another_version_wrote_is_repeated_to_the_byte(shop: Shop) -> None:
    await shop.start_worker()
    first = await shop.publish(ONE_SERVICE)
    await shop.reply(first)
    written = b'{"result": "success", "orderid" : 17, "shop":"\\u006eorth", "warnings": []}'
    await shop.database.execute("UPDATE answers SET reply = $1::text::json", written.decode())

    again = await shop.publish(ONE_SERVICE, message_id=first.message_id)
    as_xml = await shop.publish({**ONE_SERVICE, "responsetype": "xml"}, message_id=first.message_id)

    assert await shop.reply(again) == written
    assert b"<orderid>17</orderid><shop>north</shop><warnings></warnings>" in await shop.reply(as_xml)


async def test_a_repeat_in_another_encoding_is_the_same_request(shop: Shop) -> None:
    await shop.start_worker()
    body = form({"clientid": "1", "pid[0]": "7", "paymentmethod": "paypal"})
    first = await shop.publish(body, content_type=wire.FORM)
    reply = json.loads(await shop.reply(first))

    as_json = json.dumps({"username": "IDENT", "password": "SECRET", "responsetype": "xml", **ONE_SERVICE}).encode()
    again = await shop.publish(as_json, message_id=first.message_id)

    assert f"<orderid>{reply['orderid']}</orderid>" in (await shop.reply(again)).decode()
    assert await shop.orders_placed() == 1


async def test_a_message_id_of_another_caller_is_another_request(shop: Shop) -> None:
    await shop.start_worker()
    body = form({"clientid": "1", "pid[0]": "7", "paymentmethod": "paypal"})
    first = await shop.ask(body, content_type=wire.FORM, message_id="order-1")

    second = await shop.ask(ONE_SERVICE, message_id="order-1")

    assert first["orderid"] != second["orderid"]


async def test_a_message_id_with_other_content_is_refused_and_the_first_order_untouched(shop: Shop) -> None:
    await shop.start_worker()
    first = await shop.ask(ONE_SERVICE, message_id="order-1")

    second = await shop.ask({**ONE_SERVICE, "pid": 1}, message_id="order-1")
    third = await shop.ask(ONE_SERVICE, message_id="order-1")

    assert (second["result"], second["code"]) == ("error", "message_id_reused")
    assert third == first
    assert await shop.orders_placed() == 1


async def test_fifty_copies_for_two_workers_place_one_order_and_all_are_answered(shop: Shop) -> None:
    await asyncio.gather(shop.start_worker(), shop.start_worker())

    copies = await asyncio.gather(*(shop.publish(ONE_SERVICE, message_id="order-1") for _ in range(50)))
    replies = await asyncio.gather(*map(shop.reply, copies))
    events = await shop.until_events("order-1", "order.added", "email.invoice-created", "email.order-confirmation")

    assert len(set(replies)) == 1
    assert len({event.raw for event in events}) == 3
    assert await shop.orders_placed() == 1


async def test_a_rejected_request_places_nothing_and_lies_among_the_dead_letters(shop: Shop) -> None:
    await shop.start_worker()

    asked = await shop.publish(UNKNOWN_METHOD, headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "mine": 7})
    reply = json.loads(await shop.reply(asked))
    [event] = await shop.until_events(asked.message_id or "", "order.rejected")
    [letter] = await shop.dead_letters()

    sentence = (
        "Invalid Payment Method. Valid options include paypal, mailin, authorize, banktransfer, quantumgateway, stripe"
    )
    assert reply == {"result": "error", "message": sentence, "code": "invalid_payment_method"}
    assert event.data["clientid"] == 1
    assert event.data["faults"] == [
        {"code": "invalid_payment_method", "message": sentence, "parameter": "paymentmethod", "item": None}
    ]
    assert await shop.orders_placed() == 0
    assert json.loads(letter.delivery.body) == UNKNOWN_METHOD
    properties = letter.delivery.properties
    assert (properties.message_id, properties.user_id) == (asked.message_id, shop.user)
    assert properties.correlation_id == asked.correlation_id
    assert (letter.reason, letter.code, letter.message) == ("rejected", "invalid_payment_method", sentence)
    assert (letter.routing_key, letter.replays, properties.headers["mine"]) == ("order.add", 0, 7)


async def test_a_trace_goes_on_in_every_event_and_in_its_messages_headers(shop: Shop) -> None:
    trace = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "tracestate": "vendor=a1,other=b2"}
    await shop.start_worker()
    asked = await shop.publish(ONE_SERVICE, headers=trace)
    events = await shop.until_events(asked.message_id or "", "order.added", "email.invoice-created")

    assert [event.headers for event in events] == [trace] * len(events)
    assert {json.loads(event.raw)["tracestate"] for event in events} == {trace["tracestate"]}


async def test_a_replayed_dead_letter_is_judged_anew(shop: Shop) -> None:
    await shop.start_worker()
    asked = await shop.publish({**UNKNOWN_METHOD, "paymentmethod": "oldgateway"})
    await shop.reply(asked)
    await shop.dead_letters()
    await shop.database.execute("UPDATE payment_methods SET active = true WHERE name = 'oldgateway'")
    await shop.database.execute("UPDATE catalogue SET version = version + 1")

    assert await shop.replay(asked.message_id or "") == 1
    reply = json.loads(await shop.reply(asked, 2))

    assert reply["result"] == "success"
    assert await shop.waiting("orders.dead") == 0


async def test_a_replay_that_is_rejected_again_says_so_under_another_event_id(shop: Shop) -> None:
    await shop.start_worker()
    asked = await shop.publish(UNKNOWN_METHOD)
    await shop.reply(asked)
    await shop.dead_letters()

    await shop.replay(asked.message_id or "")
    await shop.reply(asked, 2)
    await shop.until(lambda: len(shop.events_of(asked.message_id or "")) == 2)
    [letter] = await shop.dead_letters()

    assert len({event.id for event in shop.events_of(asked.message_id or "")}) == 2
    assert letter.replays == 1


async def test_a_rejected_request_put_right_under_its_message_id_is_placed(shop: Shop) -> None:
    await shop.start_worker()
    first = await shop.ask(UNKNOWN_METHOD, message_id="order-1")

    second = await shop.ask(ONE_SERVICE, message_id="order-1")

    assert (first["result"], second["result"]) == ("error", "success")


async def test_the_brokers_own_redelivery_of_a_rejection_repeats_it(shop: Shop) -> None:
    """The shop mends the cause between the first delivery and the second: the answer was given, and stands."""
    dying = await shop.start_worker("tests.faults.killing_worker", "before ack")
    asked = await shop.publish({**UNKNOWN_METHOD, "paymentmethod": "oldgateway"})
    first = await shop.reply(asked)
    await shop.until(lambda: dying.process.poll() is not None)
    await shop.database.execute("UPDATE payment_methods SET active = true WHERE name = 'oldgateway'")
    await shop.database.execute("UPDATE catalogue SET version = version + 1")

    await shop.start_worker()

    assert await shop.reply(asked, 2) == first
    assert await shop.orders_placed() == 0
    await shop.until(lambda: len(shop.events_of(asked.message_id or "")) == 2)
    assert len({event.raw for event in shop.events_of(asked.message_id or "")}) == 1


async def test_a_reply_queue_that_is_gone_holds_nothing_up(shop: Shop) -> None:
    worker = await shop.start_worker()

    await shop.publish(ONE_SERVICE, message_id="order-1", reply_to="reply.nobody-listens-here")
    await shop.until_events("order-1", "order.added")

    assert (await shop.ask(ONE_SERVICE))["result"] == "success"
    await shop.until(lambda: any(line["event"] == "reply.lost" for line in worker.log))
    [lost] = [line for line in worker.log if line["event"] == "reply.lost"]
    assert (lost["reply_to"], lost["why"]) == ("reply.nobody-listens-here", "returned")


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{", wire.JSON, "malformed"),
        (b"clientid=1", "application/pdf", "malformed"),
        (b"clientid=%FF", wire.FORM, "malformed"),
        (b"x" * (2**20 + 1), wire.JSON, "request_too_large"),
        (b"username=IDENT&amp;password=SECRET&amp;clientid=1", wire.FORM, "malformed"),
        (b"", wire.FORM, "authentication_failed"),
        (b" \r\n", wire.FORM, "authentication_failed"),
        (b'{"action": "deleteorder", "clientid": 1}', wire.JSON, "unknown_action"),
    ],
)
async def test_what_cannot_be_read_is_rejected_with_a_code(
    shop: Shop, body: bytes, content_type: str, code: str
) -> None:
    await shop.start_worker()

    reply = await shop.ask(body, content_type=content_type)
    [letter] = await shop.dead_letters()

    assert reply["code"] == letter.code == code
    assert letter.delivery.body == body


async def test_sigterm_finishes_what_is_in_hand_and_gives_back_the_rest(shop: Shop) -> None:
    worker = await shop.start_worker()
    asked = [await shop.publish(ONE_SERVICE) for _ in range(200)]

    assert worker.stop() == 0
    answered = sum(bool(one.replies) for one in asked)
    assert await shop.orders_placed() + await shop.waiting() == 200
    heir = await shop.start_worker()
    for one in asked:
        await shop.reply(one)
    assert heir.stop() == 0

    assert answered <= 200
    assert await shop.orders_placed() == 200
    assert await shop.waiting("orders.dead") == 0
