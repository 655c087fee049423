"""What we publish."""

from schemas.events import event_id


def test_the_id_of_an_event_is_the_same_for_ever() -> None:
    assert event_id("publisher:storefront", "cart-1", "order.added") == "ec997ab2-5832-54d7-b20c-cfd1b6ba031b"
