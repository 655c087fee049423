"""Order numbers: ten digits that nobody else has, and that tell nothing of the next."""

from repository.order_numbers import ORDERS_MAX, order_number

KEY = b"an order-number key of a database"


def test_order_numbers_have_ten_digits_and_never_collide() -> None:
    numbers = {order_number(order_id, KEY) for order_id in range(1, 20_001)}

    assert len(numbers) == 20_000
    assert {len(number) for number in numbers} == {10}
    assert {number[0] for number in numbers} == set("123456789")


def test_the_last_order_number_is_one_too() -> None:
    assert len(order_number(ORDERS_MAX, KEY)) == 10


def test_neighbours_have_numbers_far_apart_and_another_key_gives_others() -> None:
    assert abs(int(order_number(1, KEY)) - int(order_number(2, KEY))) > 1_000
    assert order_number(1, KEY) != order_number(1, b"another")
