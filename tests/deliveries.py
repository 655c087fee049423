"""Requests as the broker would hand them over, and what carrying them out needs: for tests that need no broker."""

from collections.abc import Mapping
from typing import Any

import orjson

from repository.database import Database
from schemas import topology, wire
from tests.shop import SECRET_KEY
from worker.broker.messages import NO_TRAIL, Delivery, Properties, Trail
from worker.broker.reply_queues import ReplyQueues
from worker.intake.authentication import Authenticator
from worker.intake.edge import Edge
from worker.key_ring import KeyRing
from worker.pipeline.context import Context

PUBLISHER = "storefront"  # as the tests' storefront is called at the broker
REQUEST_BYTES_MAX = 2**20


def context_of(database: Database) -> Context:
    """Make what carrying out needs, for a publisher that is trusted."""
    keys = KeyRing([SECRET_KEY.encode()])
    edge = Edge(keys, Authenticator(keys.keyed_hash, {PUBLISHER: None}), REQUEST_BYTES_MAX)
    return Context(database, edge, keys, {}, "", ReplyQueues.of(()))


def delivery(tag: int, message_id: str, body: Mapping[str, Any], trail: Trail = NO_TRAIL) -> Delivery:
    """Make a request as the broker would hand it over: of client 1, if the body says no other."""
    properties = Properties(message_id=message_id, content_type=wire.JSON, user_id=PUBLISHER)
    content = orjson.dumps({"clientid": 1, "paymentmethod": "paypal", **body})
    return Delivery(content, properties, topology.ADD_ORDER, redelivered=False, tag=tag, trail=trail)
