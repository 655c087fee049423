"""What counts is whole at every width, and where there is none: ids, amounts and what is to be copied."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.integration.test_operator_commands import EVERYTHING, orders, run
from tests.shop import Shop
from tests.terminal import at_terminal

WIDTHS = (40, 60, 80, 120)
UNKNOWN_METHOD = {"clientid": 1, "pid": 7, "paymentmethod": "bitcoin"}
IDS = ("4b6a3c1e-8d1c-4a3e-9d5e-3c1b6f1f9a10", "a-cart-of-somebody-with-a-rather-long-name-0000000000000000042")


@dataclass
class Scene:
    """A shop with something in each table, and what of each command must be whole."""

    environment: Mapping[str, str]
    whole: dict[str, set[str]] = field(default_factory=dict)


async def scene_of(shop: Shop) -> Scene:
    await shop.start_worker()
    reply = await shop.ask(EVERYTHING, message_id=IDS[0])
    for message_id in IDS:
        await shop.ask({**UNKNOWN_METHOD, "clientid": 2}, message_id=message_id)
    await shop.dead_letters(1)
    scene = Scene(shop.environment)
    order_id = str(reply["orderid"])

    async def told(*arguments: str) -> list[Any]:
        ended = await orders(shop, *arguments, "--json")
        return [json.loads(line) for line in ended.stdout.splitlines()]

    [shown] = await told("show", order_id)
    [request] = shown["requests"]
    order = request["order"]
    scene.whole[f"show {order_id}"] = {
        request["message_id"],
        order["order"][0]["order_number"],
        order["order"][0]["amount"],
        *(str(row["id"]) for name in ("services", "service_addons", "domains") for row in order[name]),
        *(row["first_payment"] for name in ("services", "service_addons", "domains") for row in order[name]),
        *(row["amount"] for row in order["invoice_lines"]),
        order["invoices"][0]["subtotal"],
        order["invoices"][0]["tax"],
        order["invoices"][0]["total"],
    }
    letters = await told("dead", "list")
    scene.whole["dead list"] = {*(letter["message_id"] for letter in letters), "storefront", "invalid_payment_method:"}
    scene.whole["dead groups"] = {group["options"] for group in await told("dead", "groups")}
    scene.whole["dead groups --by client --by code"] = {
        group["options"] for group in await told("dead", "groups", "--by", "client", "--by", "code")
    }
    scene.whole[f"dead show {IDS[1]}"] = {IDS[1], "invalid_payment_method", letters[0]["publisher"], "bitcoin"}
    credentials = await told("credentials", "list")
    scene.whole["credentials list"] = {one[name] for one in credentials for name in ("identifier", "caller")}
    scene.whole["status"] = {"orders.email.order-confirmation", order_id}
    scene.whole["doctor"] = {"ok", "orders.requests"}
    scene.whole["topology show"] = {"orders.email.order-confirmation", "x-dead-letter-exchange=orders.dead"}
    form = "clientid=1&paymentmethod=paypal&pid=1&billingcycle=annually&domain=a.com&domaintype=register"
    [quote] = await told("price", "--form", form)
    scene.whole[f"price --form {form}"] = {quote["amount"], *(line["amount"] for line in quote["lines"])}
    return scene


async def test_ids_amounts_and_commands_are_whole_at_every_width_and_in_a_pipe(shop: Shop) -> None:
    scene = await scene_of(shop)
    cut: dict[str, set[str]] = {}

    for command, whole in scene.whole.items():
        assert whole, command
        for width in WIDTHS:
            seen = await asyncio.to_thread(at_terminal, width, *command.split(), environment=scene.environment)
            cut[f"{command} at {width}"] = {one for one in whole if not any(one in line for line in seen.lines)}
        piped = await asyncio.to_thread(run, *command.split(), **scene.environment)
        cut[f"{command} in a pipe"] = {
            one for one in whole if not any(one in line for line in piped.stdout.splitlines())
        }

    assert {where: what for where, what in cut.items() if what} == {}


async def test_where_the_output_is_no_terminal_no_line_is_broken(shop: Shop) -> None:
    await shop.start_worker()
    await shop.ask(UNKNOWN_METHOD, message_id=IDS[1])
    await shop.dead_letters(1)

    shown, listed = await orders(shop, "show", IDS[1]), await orders(shop, "dead", "list")

    sentence = "Invalid Payment Method. Valid options include paypal, mailin"
    for ended in (shown, listed):
        assert any(sentence in line for line in ended.stdout.splitlines()), ended.stdout
