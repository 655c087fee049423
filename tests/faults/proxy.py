"""A wire between clients and a server that can be cut in every way.

A black hole is not a reset: both ends keep a connection on which nothing comes any more, and nobody is told.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

PIECE_BYTES = 16 * 1024
FIRST_WORDS_BYTES = 4 * 1024  # in which a client tells its name
NO_TIME = 0.0


@dataclass(eq=False)
class Wire:
    """One connection through a proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    first_words: bytes = b""  # of the client

    def names(self, name: str) -> bool:
        """Whether the client has come under this name."""
        return name.encode() in self.first_words


Chosen = Callable[[Wire], bool]


def every(_: Wire) -> bool:
    return True


def none(_: Wire) -> bool:
    return False


def _place(server_url: str) -> tuple[str, int]:
    address = urlsplit(server_url)
    assert address.hostname is not None
    assert address.port is not None
    return address.hostname, address.port


class Proxy:
    """Forwards connections from a port of its own to a server, and is the fault that a test wants.

    What does not get through is held, as TCP would hold it, and goes through once the proxy is mended: a commit may
    reach the server long after its client has given up on it.
    """

    def __init__(self, server_url: str) -> None:
        self._server = _place(server_url)
        self._listener: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._wires: set[Wire] = set()
        self._holds_words: Chosen = none  # of clients
        self._holds_answers: Chosen = none  # of the server
        self._watch: bytes | None = None
        self._happened = asyncio.Event()
        self._mended = asyncio.Condition()
        self.bytes_a_second: float | None = None  # on each wire, each way; None: as fast as it goes
        self.delay_seconds = NO_TIME  # of each piece
        self.opened = 0  # connections since the start

    @classmethod
    @asynccontextmanager
    async def to(cls, server_url: str) -> AsyncIterator[Self]:
        proxy = cls(server_url)
        proxy._listener = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        try:
            yield proxy
        finally:
            proxy._listener.close()
            await proxy.mend()  # else what is held would wait for it for ever
            proxy.reset()
            await asyncio.gather(*proxy._serving)

    def url(self, server_url: str) -> str:
        """Lead a URL of the server through this proxy."""
        assert self._listener is not None, "a proxy is used inside `async with` only"
        port = self._listener.sockets[0].getsockname()[1]
        login, at, _ = urlsplit(server_url).netloc.rpartition("@")
        return urlsplit(server_url)._replace(netloc=f"{login}{at}127.0.0.1:{port}").geturl()

    # ---------------------------------------------------------------- faults

    def lead_to(self, server_url: str) -> None:
        """Let who connects from now on come to another server, as a failover does."""
        self._server = _place(server_url)

    def swallow(self, chosen: Chosen = every) -> None:
        """Be a black hole for these connections, and for those of them that are still to come."""
        self._holds_words = self._holds_answers = chosen

    def half_open(self, chosen: Chosen = every) -> None:
        """Let what clients say reach the server, and no answer come back."""
        self._holds_answers = chosen

    def half_open_at(self, words: bytes) -> asyncio.Event:
        """Be half-open from the moment on that a client says these words, which still arrive.

        Returns:
            What is set when it happens.
        """
        self._watch, self._happened = words, asyncio.Event()
        return self._happened

    async def mend(self) -> None:
        """Forward everything as it should be, beginning with what was held."""
        self._holds_words = self._holds_answers = none
        self._watch, self.bytes_a_second, self.delay_seconds = None, None, NO_TIME
        async with self._mended:
            self._mended.notify_all()

    def reset(self, chosen: Chosen = every) -> None:
        """Cut connections so that both ends are told at once."""
        for wire in filter(chosen, list(self._wires)):
            for end in (wire.client, wire.server):
                _reset(end)

    # ---------------------------------------------------------------- forwarding

    async def _accept(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self.opened += 1
        try:
            server_reader, server = await asyncio.open_connection(*self._server)
        except OSError:
            _reset(client)
            return
        wire = Wire(client, server)
        self._wires.add(wire)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward_words(wire, client_reader))
                both.create_task(self._forward_answers(wire, server_reader))
        finally:
            self._wires.discard(wire)
            for end in (client, server):
                end.close()

    async def _forward_words(self, wire: Wire, source: asyncio.StreamReader) -> None:
        async for piece in _pieces(source):
            if len(wire.first_words) < FIRST_WORDS_BYTES:
                wire.first_words += piece
            if self._watch is not None and self._watch in piece:
                self._watch = None
                self.half_open()
                self._happened.set()
            await self._through(piece, wire.server, lambda: self._holds_words(wire))

    async def _forward_answers(self, wire: Wire, source: asyncio.StreamReader) -> None:
        async for piece in _pieces(source):
            await self._through(piece, wire.client, lambda: self._holds_answers(wire))

    async def _through(self, piece: bytes, target: asyncio.StreamWriter, is_held: Callable[[], bool]) -> None:
        """Bring a piece to the other end, or its end: an empty one closes."""
        async with self._mended:
            await self._mended.wait_for(lambda: not is_held())
        seconds = self.delay_seconds + (len(piece) / self.bytes_a_second if self.bytes_a_second else NO_TIME)
        if seconds:
            await asyncio.sleep(seconds)
        with contextlib.suppress(OSError, RuntimeError):
            if piece:
                target.write(piece)
                await target.drain()
            else:
                target.close()


async def _pieces(source: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Read until the other end closes, and tell that with an empty piece; a reset is an end like any other."""
    piece = b"?"
    while piece:
        try:
            piece = await source.read(PIECE_BYTES)
        except ConnectionError:
            piece = b""
        yield piece


def _reset(end: asyncio.StreamWriter) -> None:
    """Close a connection as a crash would: with a reset, and without what was still to be sent."""
    connection = end.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()
