"""Three RabbitMQ nodes on the loopback that are one broker, and any of which may be killed."""

import asyncio
import json
import secrets
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlsplit

from deploy.local import processes
from deploy.local.host import free_port, make_own_folder, make_private_folder, servable, unprivileged
from deploy.local.rabbitmq import RabbitMQ, chosen_root
from tests.shop import POLL_SECONDS, SECONDS_MAX, make_vhost
from worker.broker.connection import BROKER_FAULTS, connect

NODES = 3  # the fewest of which one may be lost

# As in production: where nodes cannot see each other, those that are fewer than half stop.
CONFIGURATION = """\
cluster_formation.peer_discovery_backend = classic_config
{nodes}
cluster_partition_handling = pause_minority
"""


@dataclass(frozen=True, slots=True)
class Node(RabbitMQ):
    """One node. The epmd that tells where each listens is the cluster's: it outlives them."""

    number: int
    epmd: int  # its port

    PORTS_COUNT: ClassVar[int] = 2
    ENDING: ClassVar[dict[str, signal.Signals]] = {"rabbitmq": signal.SIGTERM}

    def start_epmd(self, pid_file: Path) -> None:
        command, user = self.at_home(["epmd"])
        processes.spawn(command, self._environment(), pid_file, pid_file.with_suffix(".log"), user=user)

    def configuration(self) -> str:
        peers = (f"cluster_formation.classic_config.nodes.{one} = {name_of(one)}" for one in range(1, NODES + 1))
        return RabbitMQ.configuration(self) + CONFIGURATION.format(nodes="\n".join(peers))

    @property
    def node_name(self) -> str:
        return name_of(self.number)

    @property
    def epmd_port(self) -> int:
        return self.epmd

    def at(self, url: str) -> str:
        """Return the same URL at this node."""
        address = urlsplit(url)
        return address._replace(netloc=f"{address.netloc.rpartition(':')[0]}:{self.port}").geturl()


def name_of(number: int) -> str:
    return f"orders{number}@localhost"


@dataclass(frozen=True, slots=True)
class Cluster:
    folder: Path
    nodes: tuple[Node, ...]

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Start the nodes, with their data in `folder` or its stand-in, and wait until they are one broker."""
        folder, root, epmd = servable(folder), chosen_root(), free_port(1)
        make_own_folder(folder)
        numbers = range(1, NODES + 1)
        nodes = [Node(folder / str(number), free_port(Node.PORTS_COUNT), number, epmd, root=root) for number in numbers]
        cookie = secrets.token_hex(20)
        for node in nodes:
            _prepare(node, cookie)
        cluster = cls(folder, tuple(nodes))
        nodes[0].start_epmd(cluster._epmd)
        try:
            for node in nodes:
                node.launch()
            for node in nodes:
                node.wait()
            nodes[0].control("await_online_nodes", str(NODES))
        except BaseException:
            cluster.stop()
            raise
        return cluster

    @property
    def _epmd(self) -> Path:
        return self.folder / "epmd.pid"

    async def make_vhost(self) -> str:
        """Make a virtual host, and return its URL at the first node once every node lets one in.

        It is made on one, and comes to the others a little later.
        """
        url = make_vhost(self.nodes[0].url, self.nodes[0].import_definitions)
        for node in self.nodes:
            async with asyncio.timeout(SECONDS_MAX):
                while not await _lets_in(node.at(url)):
                    await asyncio.sleep(POLL_SECONDS)
        return url

    def leader_of(self, queue: str, vhost: str) -> Node:
        """Return the node that leads a quorum queue."""
        living = next(node for node in self.nodes if node.is_running())
        rows = json.loads(living.control("list_queues", "--vhost", vhost, "--formatter", "json", "name", "leader"))
        [leader] = [row["leader"] for row in rows if row["name"] == queue]
        return next(node for node in self.nodes if node.node_name == leader)

    def stop(self) -> None:
        processes.kill(filter(None, [processes.recall(node.pid_file("rabbitmq")) for node in self.nodes]))
        if epmd := processes.recall(self._epmd):
            processes.end(epmd, signal.SIGTERM)


async def _lets_in(url: str) -> bool:
    try:
        async with connect(url, "orders tests"):
            return True
    except BROKER_FAULTS:
        return False


def _prepare(node: Node, cookie: str) -> None:
    """Give a node the secret by which the others know it."""
    make_own_folder(node.folder)
    home = node.folder / "node"
    make_private_folder(home)
    file = home / ".erlang.cookie"
    file.write_text(cookie, encoding="ascii")
    file.chmod(0o400)
    if user := unprivileged():
        shutil.chown(file, user["user"], user["group"])
