"""Every action that may be asked. A new one is its schema, its module beside this one, and its row here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas import add_order, rejections, topology
from schemas.canonical import ADD_ORDER
from schemas.rejections import Rejected
from schemas.wire import Tree
from worker.actions.add_order import AskedAddOrder
from worker.actions.asked import Asked


@dataclass(frozen=True, slots=True)
class Parser:
    parse: Callable[[Tree], Asked]
    unknown_names: Callable[[Tree], list[str]]  # parameters that the action does not know, for the log


PARSERS: Mapping[str, Parser] = {ADD_ORDER: Parser(AskedAddOrder.parse, add_order.unknown_names)}


def action_of(tree: Tree, routing_key: str) -> str:
    """Tell what is asked: the body says it, or else the routing key (addorder.md 3, `action`).

    Raises:
        Rejected: neither names an action that there is.
    """
    written = tree.get("action") or topology.ACTIONS.get(routing_key, "")
    action = written.strip().lower() if isinstance(written, str) else ""
    if action not in PARSERS:
        raise Rejected(rejections.unknown_action())
    return action
