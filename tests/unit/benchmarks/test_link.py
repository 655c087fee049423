"""What was published is over when the broker has confirmed all of it."""

import asyncio

from tests.benchmarks.link import Link


class Socket:
    """Stands in for a transport: it keeps nothing."""

    def write(self, data: bytes) -> None: ...


def ack(tag: int, *, multiple: bool) -> bytes:
    payload = b"\x00\x3c\x00\x50" + tag.to_bytes(8) + bytes([multiple])
    return b"\x01\x00\x01" + len(payload).to_bytes(4) + payload + b"\xce"


async def test_a_run_of_messages_is_confirmed_when_every_one_is() -> None:
    link = Link()
    link.connection_made(Socket())  # type: ignore[arg-type]  # enough of a transport
    publishing = asyncio.ensure_future(link.publish([b"one", b"two", b"three"]))
    await asyncio.sleep(0)

    link.data_received(ack(3, multiple=False) + ack(1, multiple=True)[:5])
    await asyncio.sleep(0)
    assert not publishing.done()
    link.data_received(ack(1, multiple=True)[5:])
    await asyncio.sleep(0)
    assert not publishing.done()
    link.data_received(ack(2, multiple=True))
    await publishing
