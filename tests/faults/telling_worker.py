"""A worker that tells of each delivery that it is handed: python -m tests.faults.telling_worker."""

import sys

import structlog
from aiormq.abc import DeliveredMessage

from worker import __main__ as program
from worker.pipeline.delivery_buffer import DeliveryBuffer

log = structlog.get_logger()
put = DeliveryBuffer.put


async def put_and_tell(buffer: DeliveryBuffer, message: DeliveredMessage) -> None:
    log.info("delivery.received", message_id=message.header.properties.message_id, redelivered=message.redelivered)
    await put(buffer, message)


def main() -> None:
    setattr(DeliveryBuffer, "put", put_and_tell)  # noqa: B010  # a method, which is not to be assigned
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
