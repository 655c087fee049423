import pytest

from tests.unit.broker.stand_in import Broker


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """The broker that whoever connects is connected to."""
    made = Broker()
    monkeypatch.setattr("aio_pika.connect", made.connect)
    return made
