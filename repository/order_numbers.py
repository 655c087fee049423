"""Ten-digit order numbers that do not show how many orders there are (addorder.md 5, "Order")."""

from hashlib import blake2b

_LEFT, _RIGHT = 90_000, 100_000  # together every ten-digit number that starts with 1 to 9
_FIRST = 1_000_000_000
_ROUNDS = 8

ORDERS_MAX = _LEFT * _RIGHT


def order_number(order_id: int, key: bytes) -> str:
    """Permute the id under the key: no two ids below ORDERS_MAX share a number, and a number tells nothing of its id.

    A Feistel network whose halves add modulo their own size, so that it maps exactly the ten-digit numbers.
    """
    assert 0 < order_id <= ORDERS_MAX, "more orders than ten digits can tell apart"
    left, right = divmod(order_id - 1, _RIGHT)
    for turn in range(0, _ROUNDS, 2):
        left = (left + _mix(turn, right, key)) % _LEFT
        right = (right + _mix(turn + 1, left, key)) % _RIGHT
    return str(_FIRST + left * _RIGHT + right)


def _mix(turn: int, half: int, key: bytes) -> int:
    digest = blake2b(half.to_bytes(4, "big"), digest_size=8, key=key, salt=turn.to_bytes(1, "big")).digest()
    return int.from_bytes(digest, "big")
