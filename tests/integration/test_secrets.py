"""What is encrypted at rest, and its way under a new key (reliability.md, "Security")."""

import asyncio
import json

from repository import unsent
from repository.unsent import Kind, Unsent
from tests.integration.test_commands import run
from tests.shop import SECRET_KEY, Shop
from worker.key_ring import KeyRing

KEYS = "ORDERS_SECRET_KEYS"
NEW_KEY = "another-key-of-the-tests-and-no-secret"
PLANTED = "correct horse battery staple"
ORDER = {
    "clientid": 1,
    "paymentmethod": "paypal",
    "pid": [20],
    "rootpw": [PLANTED],
    "customfields": [{"201": "My site", "204": PLANTED}],
    "domain": ["planted.com"],
    "domaintype": ["transfer"],
    "eppcode": [PLANTED],
}
EVERYTHING_SEALED = """
    SELECT root_password_encrypted AS sealed FROM services WHERE root_password_encrypted IS NOT NULL
    UNION ALL SELECT epp_code_encrypted FROM domains WHERE epp_code_encrypted IS NOT NULL
    UNION ALL SELECT convert_to(custom_fields #>> '{204,sealed}', 'UTF8') FROM services WHERE custom_fields ? '204'
"""


async def sealed(shop: Shop) -> list[bytes]:
    return [row["sealed"] for row in await shop.fetch(EVERYTHING_SEALED)]


def rotating(shop: Shop, *keys: str) -> "asyncio.Future[tuple[int, str]]":
    environment = {**shop.environment, KEYS: ",".join(keys)}

    def ended() -> tuple[int, str]:
        process = run("secrets", "rotate", **environment)
        return process.returncode, process.stderr

    return asyncio.get_running_loop().run_in_executor(None, ended)


async def test_passwords_and_transfer_codes_are_encrypted_and_the_other_fields_are_not(shop: Shop) -> None:
    await shop.start_worker()

    reply = await shop.ask(ORDER)

    assert reply["result"] == "success", reply
    [service] = await shop.fetch("SELECT custom_fields FROM services WHERE root_password_encrypted IS NOT NULL")
    fields = json.loads(service["custom_fields"])
    assert fields["201"] == "My site"
    assert PLANTED not in str(fields)
    assert [KeyRing([SECRET_KEY.encode()]).decrypt(one) for one in await sealed(shop)] == [PLANTED] * 3


async def test_a_new_key_takes_over_and_the_old_one_may_go(shop: Shop) -> None:
    await shop.start_worker()
    await shop.ask(ORDER)

    status, said = await rotating(shop, NEW_KEY, SECRET_KEY)

    assert (status, said.strip()) == (0, "3 encrypted anew")
    assert [KeyRing([NEW_KEY.encode()]).decrypt(one) for one in await sealed(shop)] == [PLANTED] * 3
    [service] = await shop.fetch("SELECT custom_fields FROM services WHERE root_password_encrypted IS NOT NULL")
    assert json.loads(service["custom_fields"])["201"] == "My site"


async def test_a_dead_letter_that_is_kept_goes_under_the_new_key_too_and_events_stay_as_they_are(shop: Shop) -> None:
    letter = Unsent("l-1", Kind.LETTER, "orders.dead", KeyRing([SECRET_KEY.encode()]).encrypt(PLANTED))
    event = Unsent("e-1", Kind.EVENT, "order.added", b"{}")
    async with shop.database.acquire() as connection:
        await unsent.keep(connection, [letter, event])

    lost = await asyncio.to_thread(run, "doctor", "--json", **{**shop.worker_environment, KEYS: NEW_KEY})
    status, said = await rotating(shop, NEW_KEY, SECRET_KEY)

    assert "of 1 secrets that were tried, 1 are under a key that ORDERS_SECRET_KEYS does not name" in lost.stdout
    assert (status, said.strip()) == (0, "1 encrypted anew")
    kept = {row["id"]: row["body"] for row in await shop.fetch("SELECT id, body FROM unsent")}
    assert KeyRing([NEW_KEY.encode()]).decrypt(kept["l-1"]) == PLANTED
    assert kept["e-1"] == b"{}"


async def test_without_the_old_key_nothing_is_touched(shop: Shop) -> None:
    await shop.start_worker()
    await shop.ask(ORDER)
    before = await sealed(shop)

    status, said = await rotating(shop, NEW_KEY)

    assert status == 1
    assert "encrypted under a key that ORDERS_SECRET_KEYS does not name" in said
    assert await sealed(shop) == before
