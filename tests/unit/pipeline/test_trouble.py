"""How it is told which server is in trouble."""

import asyncpg
from aio_pika.exceptions import AMQPConnectionError

from repository.database import AccessFault
from worker.pipeline.trouble import DatabaseTrouble, fault_fields


def test_trouble_of_the_database_is_told_by_its_cause_with_what_postgres_says_and_the_fix() -> None:
    trouble = DatabaseTrouble()
    trouble.__cause__ = asyncpg.InsufficientPrivilegeError("permission denied for table orders")

    assert fault_fields(trouble) == {
        "server": "Postgres",
        "fault": "InsufficientPrivilegeError",
        "sqlstate": "42501",
        "says": "permission denied for table orders",
        "fix": "give the user of ORDERS_POSTGRES_URL its rights on the tables back",
    }


def test_a_fault_that_tells_no_more_is_told_by_its_name() -> None:
    assert fault_fields(ConnectionResetError()) == {"server": "Postgres", "fault": "ConnectionResetError"}
    assert fault_fields(AMQPConnectionError("away")) == {"server": "RabbitMQ", "fault": "AMQPConnectionError"}


def test_a_url_that_cannot_be_used_says_why_and_the_fix() -> None:
    assert fault_fields(AccessFault("it does not speak TLS", "ssl = on")) == {
        "server": "Postgres",
        "fault": "AccessFault",
        "says": "it does not speak TLS",
        "fix": "ssl = on",
    }
