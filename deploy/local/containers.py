"""The servers as Docker containers, where an engine answers. Testcontainers finds the engine and the way to it."""

import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from deploy.local.host import free_port, last_lines, say
from deploy.local.server import Server

PASSWORD = "orders"  # noqa: S105 - for a server on a developer's machine


@dataclass(frozen=True, slots=True)
class Recipe:
    image: str
    port: int
    url: str
    environment: dict[str, str]


RECIPES = {
    "Postgres": Recipe(
        "postgres:18",
        5432,
        "postgresql://orders:{password}@{host}:{port}/orders",
        {"POSTGRES_USER": "orders", "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "orders"},
    ),
    "RabbitMQ": Recipe(
        "rabbitmq:4",
        5672,
        "amqp://orders:{password}@{host}:{port}/",
        {
            "RABBITMQ_DEFAULT_USER": "orders",
            "RABBITMQ_DEFAULT_PASS": PASSWORD,
            # The tags have no variable of their own.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-rabbit default_user_tags [administrator,impersonator]",
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Container(Server):
    kind: str
    name: str
    host: str
    port: int

    @property
    def url(self) -> str:
        return RECIPES[self.kind].url.format(password=PASSWORD, host=self.host, port=self.port)

    def launch(self) -> None:
        if container := self._find():
            container.start()

    def is_running(self) -> bool:
        container = self._find()
        return container is not None and container.status == "running"

    def stop(self) -> None:
        if container := self._find():
            container.stop()

    def kill(self) -> None:
        if self.is_running():
            self._find().kill()

    def delete(self) -> None:
        if container := self._find():
            container.remove(force=True, v=True)

    def last_words(self) -> str:
        container = self._find()
        log = container.logs(tail=100).decode(errors="replace") if container else "it was removed"
        return f"mend: what its log says; `docker logs {self.name}`:\n{last_lines(log)}"

    def _find(self) -> Any:
        from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415 - see _engine_listens

        try:
            return DockerClient().client.containers.get(self.name) if _engine_listens() else None
        except Exception:  # noqa: BLE001 - whatever the foreign libraries raise: no such container any more
            return None


def start_container(kind: str, name: str) -> Container | None:
    """Start a new container, or return None: in silence if no engine answers, else saying why."""
    if not _engine_listens():
        return None
    from testcontainers.core.config import ConnectionMode, testcontainers_config  # noqa: PLC0415 - see _engine_listens
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - ditto

    # No reaper beside it: `up` leaves containers running, and `down` finds them by their name.
    testcontainers_config.ryuk_disabled = True
    recipe = RECIPES[kind]
    say(f"{kind}: a container of {recipe.image} (the first time, it is downloaded)")
    leftover = Container(kind, name, "", 0)
    try:
        leftover.delete()
        container = DockerContainer(recipe.image, name=name, env=recipe.environment)
        engine = container.get_docker_client()
        is_here = engine.get_connection_mode() is ConnectionMode.docker_host and engine.host() == "localhost"
        port = free_port(1)  # ours to choose, for it must be the same after a restart
        where: Any = ("127.0.0.1", port) if is_here else port  # typed as a number only, but the engine takes both
        container.ports[str(recipe.port)] = where
        container.start()
        return Container(kind, name, container.get_container_host_ip(), container.get_exposed_port(recipe.port))
    except Exception as error:  # noqa: BLE001 - whatever the foreign libraries raise: no image, no right, no room
        say(f"{kind}: Docker could not start it ({str(error).partition(chr(10))[0]}); going on without")
        leftover.delete()
        return None


def _engine_listens() -> bool:
    try:
        # Imported when needed: the local extra may not be installed, and it takes 0.2 seconds.
        from testcontainers.core.docker_client import get_docker_host  # noqa: PLC0415
    except ModuleNotFoundError:
        return False
    address = urlsplit(get_docker_host() or "unix:///var/run/docker.sock")
    if address.scheme != "unix":
        return True
    # Knock first: where nobody answers, the Docker library leaves an open socket and a warning behind.
    with socket.socket(socket.AF_UNIX) as knock:
        return knock.connect_ex(address.path) == 0
