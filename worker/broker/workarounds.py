"""What the libraries below us get wrong and cannot be told otherwise. Imported once, by `connection.py`.

pamqp 4.0 and aiormq 7.2 were read for this. Each mend has a test that fails without it.
"""

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

import aiormq
from aiormq.connection import exception_by_code
from aiormq.exceptions import AMQPConnectionError
from pamqp import encode
from pamqp.commands import Basic, Connection

from worker.broker.messages import UNREADABLE

HEARTBEAT_SECONDS = 10
# After so long without a frame the broker is taken for gone. It is looked at twice a heartbeat: noticed within two.
SILENCE_SECONDS_MAX = 1.5 * HEARTBEAT_SECONDS

# After the broker has said that it takes nothing. An alarm that is over at once is no trouble.
ALARM_SECONDS = 2.0


class TakesNothing(AMQPConnectionError):
    """The broker has an alarm: it takes nothing from anybody who publishes, and hears nothing more of them."""


_unmarshal = Basic.Properties.unmarshal
_encode_table_value = encode.encode_table_value
_close = aiormq.Connection.close
_channel = aiormq.Connection.channel
_rpc = aiormq.Connection._rpc  # noqa: SLF001
_handle_blocked = aiormq.Connection._Connection__handle_connection_blocked  # type: ignore[attr-defined]  # noqa: SLF001
_handle_unblocked = aiormq.Connection._Connection__handle_connection_unblocked  # type: ignore[attr-defined]  # noqa: SLF001
_impatient: "WeakKeyDictionary[aiormq.abc.AbstractConnection, str]" = WeakKeyDictionary()  # → why it takes nothing


def _unmarshal_what_can_be_read(self: Basic.Properties, flags: int, data: bytes) -> None:
    """Decode a message's properties as far as they make sense.

    pamqp raises on a time beyond the year 9999, on text that is not UTF-8 and on tables nested without end; aiormq then
    drops the connection, and the broker hands the same message to the next worker. Here it becomes a message like any
    other, which is rejected and set aside.

    How a request was to be kept, and for how long, means nothing to us. aio-pika raises on values that it does not know
    and drops the delivery in silence, and the next acknowledgement would end it unseen. RabbitMQ 4 lets them through.
    """
    try:
        _unmarshal(self, flags, data)
    except Exception:  # noqa: BLE001  # a foreign decoder's many kinds
        self.headers = {UNREADABLE: True}
    self.delivery_mode = self.expiration = None


def _encode_exactly(value: Any) -> bytes:
    """Write a header's value. pamqp writes floats in single precision, and a copy would say something else.

    Text that is not UTF-8 it reads as bytes, and writes none.
    """
    match value:
        case float():
            return b"d" + encode.double(value)
        case bytes():
            return b"S" + len(value).to_bytes(4, "big") + value
    return _encode_table_value(value)


async def _close_with_a_cause(
    self: aiormq.Connection,
    exc: BaseException | type[BaseException] | None = asyncio.CancelledError,
    timeout: float | None = None,  # noqa: ASYNC109  # the base's signature
) -> None:
    """Close, and tell whoever waits on the connection why.

    When heartbeats stay away, aiormq cancels its reader and hands that cancellation to all who wait on the connection:
    they would take it for their own, and end without a word.
    """
    if reason := _impatient.get(self):
        exc = TakesNothing(f"it takes nothing: {reason}")
    elif self.is_connection_was_stuck:
        exc = AMQPConnectionError(f"no sign of the broker in {SILENCE_SECONDS_MAX:g} seconds")
    await _close(self, exc, timeout)


async def _channel_or_a_fault(self: aiormq.Connection, *arguments: Any, **options: Any) -> aiormq.abc.AbstractChannel:
    """Open a channel. Of a connection that has ended meanwhile aiormq says it as of a mistake of whoever asks."""
    try:
        return await _channel(self, *arguments, **options)
    except RuntimeError as error:
        if self.is_closed:
            raise AMQPConnectionError("the connection has ended") from error
        raise


class _HearsClose:
    """Receives frames while a connection is opened. aiormq takes a refusal in words for a frame that makes no sense."""

    def __init__(self, receiver: Any) -> None:
        self._receiver = receiver

    async def get_frame(self) -> Any:
        received = await self._receiver.get_frame()
        if isinstance(received[-1], Connection.Close):
            raise exception_by_code(received[-1])
        return received


async def _rpc_in_words(request: Any, writer: Any, frame_receiver: Any, *, wait_response: bool = True) -> Any:
    return await _rpc(request, writer, _HearsClose(frame_receiver), wait_response)  # type: ignore[arg-type]


def give_up_on_alarms(connection: aiormq.abc.AbstractConnection) -> None:
    """Close this connection when the broker has an alarm that lasts.

    aiormq notes the alarm for itself. Whatever is asked on the connection from then on, the broker does not read: it
    would be waited for without an end, as heartbeats of the broker go on.
    """
    _impatient[connection] = ""


async def _blocked(self: aiormq.Connection, frame: Connection.Blocked) -> None:
    await _handle_blocked(self, frame)
    if self in _impatient:
        _impatient[self] = str(frame.reason)
        asyncio.get_running_loop().call_later(ALARM_SECONDS, _give_up, self)


async def _unblocked(self: aiormq.Connection, frame: Connection.Unblocked) -> None:
    await _handle_unblocked(self, frame)
    if self in _impatient:
        _impatient[self] = ""


def _give_up(connection: aiormq.Connection) -> None:
    """Treat it as one from which no heartbeats come: that is the way in which aiormq ends without the broker."""
    if _impatient.get(connection):
        setattr(connection, "_Connection__last_frame_time", float("-inf"))  # noqa: B010  # its own name for it
        connection._reader_task.cancel()  # noqa: SLF001


aiormq.Connection._Connection__handle_connection_blocked = _blocked  # type: ignore[attr-defined]  # noqa: SLF001
aiormq.Connection._Connection__handle_connection_unblocked = _unblocked  # type: ignore[attr-defined]  # noqa: SLF001
Basic.Properties.unmarshal = _unmarshal_what_can_be_read  # type: ignore[method-assign,assignment]
encode.encode_table_value = _encode_exactly
aiormq.Connection._rpc = staticmethod(_rpc_in_words)  # type: ignore[assignment]  # noqa: SLF001
aiormq.Connection.channel = _channel_or_a_fault  # type: ignore[method-assign]
aiormq.Connection.close = _close_with_a_cause  # type: ignore[method-assign,assignment]
# aiormq waits for three heartbeats, each a second longer than it is.
aiormq.Connection.HEARTBEAT_GRACE_MULTIPLIER = SILENCE_SECONDS_MAX / (HEARTBEAT_SECONDS + 1)  # type: ignore[assignment]
