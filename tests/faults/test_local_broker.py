"""deploy/local/rabbitmq.py: a broker of one's own lets clients in a moment before it says that it runs."""

from concurrent.futures import ThreadPoolExecutor

from deploy.local import RabbitMQ


def test_rabbitmqctl_waits_for_a_broker_that_does_not_say_yet_that_it_runs(rabbitmq: RabbitMQ) -> None:
    rabbitmq.control("stop_app")
    with ThreadPoolExecutor() as beside:
        asking = beside.submit(rabbitmq.control, "list_vhosts", "name")  # its first try is over before the start is
        rabbitmq.control("start_app")

        assert "/" in asking.result().split()
