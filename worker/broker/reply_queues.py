"""Where a publisher may have its reply sent: not where it may not write itself (messages.md, "A request")."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

DIRECT_REPLY = "amq.rabbitmq.reply-to"
BROKERS_OWN = "amq.gen-"  # a queue that the broker has named: nobody guesses it
OURS = "orders."
EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class ReplyQueues:
    """Which queues a reply may go to, by publisher: beside direct replies, and queues that the broker has named."""

    patterns: tuple[tuple[str, re.Pattern[str]], ...]

    @classmethod
    def of(cls, rules: Iterable[str]) -> Self:
        r"""Read rules such as `*=reply\..*` or `shop=shop\.answers`.

        Raises:
            ValueError: one is none; the text says which, and how it should be.
        """
        return cls(tuple(map(_rule, rules)))

    def allows(self, publisher: str | None, queue: str) -> bool:
        """Whether a reply may go there. `publisher` is the user that RabbitMQ vouches for; None: nobody."""
        if queue.startswith(OURS):
            return False
        if queue.startswith((DIRECT_REPLY, BROKERS_OWN)):
            return True
        return any(user in (publisher, EVERYBODY) and pattern.fullmatch(queue) for user, pattern in self.patterns)


def _rule(written: str) -> tuple[str, re.Pattern[str]]:
    user, equals, pattern = written.partition("=")
    if not (user and equals and pattern):
        raise ValueError(
            f"{written!r} is no rule: write user=pattern, such as shop=shop\\..*, or *=pattern for everybody"
        )
    try:
        return user, re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{written!r}: {error}; a pattern is a regular expression of the whole name") from None
