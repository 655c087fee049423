"""Why something that an operator asked for came to nothing."""


class OperationFault(Exception):
    """What was asked came to nothing. The text says why, and what to do about it; sometimes in several lines."""


class Unavailable(OperationFault):
    """A server does not answer, or does not let us do what we must."""
