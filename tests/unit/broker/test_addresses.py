"""The URL of a broker: its nodes, and as whom we come."""

import pytest

from worker.broker.addresses import nodes_of, user_of


@pytest.mark.parametrize(
    ("url", "nodes", "user"),
    [
        ("amqp://host", ["amqp://host"], "guest"),
        ("amqp://me%40x:p@a/v,amqps://me%40x:p,q@b/v", ["amqp://me%40x:p@a/v", "amqps://me%40x:p,q@b/v"], "me@x"),
    ],
)
def test_the_url_of_a_broker_may_name_several_nodes(url: str, nodes: list[str], user: str) -> None:
    assert (nodes_of(url), user_of(url)) == (nodes, user)
