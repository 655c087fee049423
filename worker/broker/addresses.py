"""What can be told from ORDERS_AMQP_URL: the nodes of the broker, its virtual host, and as whom one comes to it."""

import re
from urllib.parse import unquote, urlsplit


def nodes_of(url: str) -> list[str]:
    """Tell the nodes of a broker apart: a URL each, with commas between them."""
    return re.split(r",(?=amqps?://)", url)


def user_of(url: str) -> str:
    """Name the broker's user, whatever the node."""
    return unquote(urlsplit(nodes_of(url)[0]).username or "guest")


def vhost_of(url: str) -> str:
    """Name the virtual host, whatever the node."""
    return unquote(urlsplit(nodes_of(url)[0]).path.removeprefix("/")) or "/"
