"""A real Postgres and a real RabbitMQ on this machine, for development, the demo and the tests.

with local_servers() as servers:
    connect(servers.postgres_url, servers.amqp_url)

broker = start_rabbitmq(folder)  # one of a test's own
broker.kill()
broker.start()  # same port, same data
"""

from deploy.local.host import LocalServerError
from deploy.local.postgres import Postgres, start_postgres
from deploy.local.rabbitmq import RabbitMQ, start_rabbitmq
from deploy.local.server import Server
from deploy.local.servers import Servers, local_servers

__all__ = [
    "LocalServerError",
    "Postgres",
    "RabbitMQ",
    "Server",
    "Servers",
    "local_servers",
    "start_postgres",
    "start_rabbitmq",
]
