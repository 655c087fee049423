"""Play a seed again: `python -m tests.reference SEED`, on a Postgres of this machine. Tells where the two differ."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from deploy.local.servers import local_servers
from repository import migrate, scratch
from tests.reference.amended import ALL, BUILT
from tests.reference.scenes import Scene

TEMPLATE = "orders_test_reference"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("scenes", type=int, nargs="?", default=1, help="how many, from this seed on")
    parser.add_argument("--amended", action="store_true", help="with rules that the product is not known to have, too")
    arguments = parser.parse_args()
    rules = ALL if arguments.amended else BUILT
    seeds = range(arguments.seed, arguments.seed + arguments.scenes)
    with local_servers() as servers:
        asyncio.run(_hold(servers.postgres_url, [Scene(seed, rules) for seed in seeds]))


async def _hold(server_url: str, scenes: list[Scene]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="orders-reference-"))
    await migrate.migrate(await scratch.recreate(server_url, TEMPLATE))
    try:
        for scene in scenes:
            difference = await scene.hold(server_url, TEMPLATE)
            if difference:
                print(difference.write(folder), end="\n\n")  # noqa: T201  # for the person at the terminal
    finally:
        await scratch.drop(server_url, TEMPLATE)


if __name__ == "__main__":
    main()
