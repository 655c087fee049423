"""What is told of messages that the broker did not take in time (`unsent`)."""

from datetime import timedelta

from repository.unsent import Kind, Summary


def sentence_of(kept: Summary) -> str:
    """Say how many, of what, and since when."""
    what = f"event{_s(kept)} {kept.destination}"
    if kept.kind is Kind.LETTER:
        what = f"dead letter{_s(kept)} for {kept.destination}"
    return f"{kept.count:,} {what}"


def since(kept: Summary) -> str:
    return f"the oldest for {span(timedelta(seconds=kept.oldest_seconds))}"


def span(length: timedelta) -> str:
    """Write a span in its largest whole unit: what matters is whether it is seconds or days."""
    seconds = int(length.total_seconds())
    for unit, unit_seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * unit_seconds:
            return f"{seconds // unit_seconds} {unit}"
    return f"{seconds} s"


def _s(kept: Summary) -> str:
    return "" if kept.count == 1 else "s"
