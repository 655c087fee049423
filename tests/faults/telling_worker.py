"""A worker that tells of each delivery that it is handed: python -m tests.faults.telling_worker."""

import sys

import structlog
from aiormq.abc import DeliveredMessage

from worker import __main__ as program
from worker.pipeline.delivery_buffer import Hand

log = structlog.get_logger()
put = Hand.put


async def put_and_tell(hand: Hand, message: DeliveredMessage) -> None:
    log.info("delivery.received", message_id=message.header.properties.message_id, redelivered=message.redelivered)
    await put(hand, message)


def main() -> None:
    setattr(Hand, "put", put_and_tell)  # noqa: B010  # a method, which is not to be assigned
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
