"""The scenes of the other files, long, and at other moments each time: `make soak`.

Each has `--seconds` of load, or what amounts to it. The seed is printed; `--seed` plays its moments again.
"""

import random

import pytest

from deploy.local import RabbitMQ
from deploy.local.postgres import Postgres
from tests.faults.cluster import Cluster
from tests.faults.disks import Disk
from tests.faults.test_black_holes import AS_IN_THE_PROGRAM, FAULTS, fall_into_holes
from tests.faults.test_broker import broker_alarmed, broker_killed, rolling_deploy
from tests.faults.test_clock import be_skewed
from tests.faults.test_cluster import node_killed
from tests.faults.test_database import be_away, be_slow, stop_under_load
from tests.faults.test_database_in_trouble import FULL, LOCKED, TROUBLES, be_in_trouble, placed_in
from tests.faults.test_killed_worker import kill_at_every_point
from tests.faults.test_killing_loop import be_killed_at_random
from tests.faults.test_locked_rows import LOCKS, be_held_up
from tests.faults.test_mixed_faults import suffer
from tests.faults.test_poison import be_killed
from tests.faults.test_poison_throughput import be_poisoned
from tests.faults.test_same_request import send_copies
from tests.faults.test_versions import migrate_under_load
from tests.shop import Shop

RATE = 50.0  # orders a second, where a scene does not have its own
KILL_EVERY_SECONDS = 2.0
ROUND_SECONDS = 20.0  # about what a round takes where a scene is counted in rounds
HOLES_SECONDS = 90.0  # until each is noticed, mended and left
WAITING = 10_000  # requests that pile up while Postgres is away
AWAY_SECONDS = 60.0

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]  # every scene has bounds of its own


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--seconds"))


@pytest.fixture
def rounds(seconds: float) -> int:
    return max(1, round(seconds / ROUND_SECONDS))


async def test_workers_killed_at_random(shop: Shop, chance: random.Random, seconds: float) -> None:
    kills = round(seconds / KILL_EVERY_SECONDS)
    await be_killed_at_random(shop, chance, orders=round(RATE * seconds), kills=kills)


async def test_workers_killed_at_every_point(shop: Shop, chance: random.Random, rounds: int) -> None:
    await kill_at_every_point(shop, chance, rounds)


async def test_the_broker_killed(
    shop_at_rabbitmq: Shop, rabbitmq: RabbitMQ, chance: random.Random, seconds: float
) -> None:
    await broker_killed(shop_at_rabbitmq, rabbitmq, chance, round(RATE * seconds), seconds)


async def test_the_broker_alarmed(
    shop_at_rabbitmq: Shop, rabbitmq: RabbitMQ, chance: random.Random, seconds: float
) -> None:
    await broker_alarmed(shop_at_rabbitmq, rabbitmq, chance, round(RATE * seconds), seconds)


async def test_workers_replaced(shop_at_rabbitmq: Shop, chance: random.Random, seconds: float) -> None:
    await rolling_deploy(shop_at_rabbitmq, chance, round(RATE * seconds), seconds)


async def test_nodes_of_a_cluster_killed(
    clustered_shop: Shop, cluster: Cluster, chance: random.Random, seconds: float
) -> None:
    await node_killed(clustered_shop, cluster, chance, round(RATE * seconds), seconds)


async def test_black_holes(shop: Shop, chance: random.Random) -> None:
    faults = chance.sample(list(FAULTS), 3)
    await fall_into_holes(shop, chance, faults, round(10 * HOLES_SECONDS), bounds=AS_IN_THE_PROGRAM, module=())


async def test_postgres_stopped_in_every_way(
    shop_at_postgres: Shop, postgres: Postgres, chance: random.Random, rounds: int
) -> None:
    await stop_under_load(shop_at_postgres, postgres, chance, rounds)


async def test_postgres_away_for_a_minute_with_ten_thousand_waiting(
    shop_at_postgres: Shop, postgres: Postgres, chance: random.Random
) -> None:
    await be_away(shop_at_postgres, postgres, chance, WAITING, AWAY_SECONDS)


async def test_a_slow_postgres(shop_at_postgres: Shop, chance: random.Random, seconds: float) -> None:
    await be_slow(shop_at_postgres, chance, orders=round(8 * seconds), delay_seconds=0.05)


@pytest.mark.parametrize("kind", TROUBLES)
async def test_a_database_in_trouble(
    hasty_shop_at_postgres: Shop, chance: random.Random, kind: str, seconds: float
) -> None:
    async with placed_in(hasty_shop_at_postgres) as place:
        await be_in_trouble(place, TROUBLES[kind], chance, seconds)


async def test_a_table_that_is_locked(hasty_shop_at_postgres: Shop, chance: random.Random, seconds: float) -> None:
    async with placed_in(hasty_shop_at_postgres) as place:
        await be_in_trouble(place, LOCKED, chance, seconds)


async def test_a_disk_that_is_full(hasty_shop_on_disk: Shop, disk: Disk, chance: random.Random, seconds: float) -> None:
    async with placed_in(hasty_shop_on_disk, disk) as place:
        await be_in_trouble(place, FULL, chance, seconds)


@pytest.mark.parametrize("kind", LOCKS)
async def test_a_row_that_is_held(shop: Shop, kind: str, seconds: float) -> None:
    await be_held_up(shop, LOCKS[kind], 2 * seconds)


async def test_poison(hasty_shop: Shop, chance: random.Random, rounds: int) -> None:
    await be_poisoned(hasty_shop, chance, orders=1_000, rounds=rounds)


async def test_killers_of_their_workers(shop: Shop, chance: random.Random, rounds: int) -> None:
    await be_killed(shop, chance, orders=200 * rounds, killers=rounds)


async def test_copies(shop: Shop, chance: random.Random, rounds: int) -> None:
    await send_copies(shop, chance, requests=10 * rounds)


async def test_clocks_that_are_wrong(shop: Shop, chance: random.Random, seconds: float) -> None:
    await be_skewed(shop, chance, orders=round(RATE * seconds))


async def test_two_versions(shop: Shop, chance: random.Random, seconds: float) -> None:
    await migrate_under_load(shop, chance, seconds)


async def test_faults_of_all_kinds(
    shop_at_both: Shop, postgres: Postgres, rabbitmq: RabbitMQ, chance: random.Random, seconds: float
) -> None:
    await suffer(shop_at_both, postgres, rabbitmq, chance, 5 * seconds)
