import asyncio, pytest
from tests.integration.test_commands import run
from tests.shop import Shop
from urllib.parse import urlsplit

async def test_x(shop: Shop):
    amqp = shop.environment["ORDERS_AMQP_URL"]
    wrong = urlsplit(amqp)._replace(path="/nonsense").geturl()
    port_pg = urlsplit(shop.environment["ORDERS_POSTGRES_URL"]).port
    port_mq = urlsplit(amqp).port
    for name, env, args in (
        ("vhost", {"ORDERS_AMQP_URL": wrong}, ("topology","check")),
        ("vhost status", {"ORDERS_AMQP_URL": wrong}, ("status",)),
        ("vhost doctor", {"ORDERS_AMQP_URL": wrong}, ("doctor",)),
        ("amqp at postgres", {"ORDERS_AMQP_URL": f"amqp://u:p@127.0.0.1:{port_pg}/"}, ("topology","check")),
        ("amqps at postgres", {"ORDERS_AMQP_URL": f"amqps://u:p@127.0.0.1:{port_pg}/"}, ("topology","check")),
        ("pg at amqp", {"ORDERS_POSTGRES_URL": f"postgresql://u:p@127.0.0.1:{port_mq}/x"}, ("credentials","list")),
        ("pg tls at amqp", {"ORDERS_POSTGRES_URL": f"postgresql://u:p@127.0.0.1:{port_mq}/x?sslmode=require"}, ("credentials","list")),
        ("nothing", {"ORDERS_POSTGRES_URL": "", "ORDERS_AMQP_URL": ""}, ("dead","discard","x","--why","y")),
    ):
        e = await asyncio.to_thread(run, *args, **{**shop.environment, **env})
        print("==", name, e.returncode, e.stdout[-600:], e.stderr[-900:])
    w = await shop.spawn_worker(ORDERS_AMQP_URL=urlsplit(shop.worker_environment["ORDERS_AMQP_URL"])._replace(path="/nonsense").geturl())
    await asyncio.sleep(8)
    print("== worker", w.process.poll(), w.words[-1500:])
