"""An `orders dead edit` that dies when the new request is sent, and before the old one is taken out."""

import os
import signal
import sys
from typing import Any

from worker import __main__ as program
from worker.broker.dead_letters import DeadLetters

send = DeadLetters.send


async def send_and_die(self: DeadLetters, *arguments: Any) -> None:
    await send(self, *arguments)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    setattr(DeadLetters, "send", send_and_die)  # noqa: B010  # a method of its own stands in its place
    sys.argv = ["orders", "dead", "edit", sys.argv[1], "--set", "paymentmethod=paypal", "--why", "to be killed"]
    program.main()


if __name__ == "__main__":
    main()
