"""Frames that we write by hand are those that pamqp writes."""

from datetime import UTC, datetime

import pytest
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from worker.broker import batch
from worker.broker.messages import Outgoing, Properties

CHANNEL = 3
BODY = b"0123456789"
PIECE_BYTES = 4


@pytest.mark.parametrize(
    "properties",
    [
        Properties(message_id="of-an-event", content_type="application/cloudevents+json"),
        Properties(message_id="gar\u00e7on", content_type="application/cloudevents+json"),
        Properties(message_id="no-content-type"),
        Properties(message_id="with-a-publisher", content_type="application/json", user_id="storefront"),
        Properties(message_id="with-headers", content_type="application/json", headers={"x-orders-replays": 1}),
        Properties(message_id="with-a-time", content_type="a/b", timestamp=datetime(2026, 11, 23, tzinfo=UTC)),
        Properties(
            message_id="with-all-else", content_type="a/b", content_encoding="c", reply_to="d", correlation_id="e",
            app_id="f", type="g", priority=1,
        ),
    ],
    ids=lambda properties: properties.message_id,
)  # fmt: skip
def test_frames_say_what_the_library_would_say(properties: Properties) -> None:
    message_id = properties.message_id or ""
    outgoing = Outgoing(
        exchange="orders.events", routing_key="order.added", body=BODY, properties=properties, mandatory=True
    )

    written = batch.frames(outgoing, message_id, CHANNEL, PIECE_BYTES)

    expected = Basic.Properties(
        message_id=message_id,
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        reply_to=properties.reply_to,
        correlation_id=properties.correlation_id,
        user_id=properties.user_id,
        app_id=properties.app_id,
        message_type=properties.type,
        priority=properties.priority,
        timestamp=properties.timestamp,
        headers=dict(properties.headers) or None,
        delivery_mode=2,
    )
    pieces = [frame.marshal(ContentBody(piece), CHANNEL) for piece in (b"0123", b"4567", b"89")]
    published = Basic.Publish(exchange="orders.events", routing_key="order.added", mandatory=True)
    header = ContentHeader(body_size=len(BODY), properties=expected)
    assert written == b"".join((frame.marshal(published, CHANNEL), frame.marshal(header, CHANNEL), *pieces))
