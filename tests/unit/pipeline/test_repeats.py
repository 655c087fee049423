"""worker/pipeline/repeats.py: who is told again what was said, who is judged, who is refused for what was before."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import cast

import pytest

from repository.database import Connection
from repository.facts import AsOf
from repository.inbox import Answer, Claimed
from schemas import placed_order, rejections, replies, topology
from schemas.order import OrderRequest
from schemas.rejections import Rejection
from tests import samples
from worker.actions.add_order import AskedAddOrder
from worker.actions.asked import Decided, Said
from worker.broker.messages import NO_TRAIL, TRY, Delivery, Properties, Trail
from worker.intake.authentication import Caller
from worker.intake.edge import Reading
from worker.key_ring import KeyRing
from worker.pipeline import outcomes
from worker.pipeline.outcomes import Outcome, OutcomeKind
from worker.pipeline.repeats import (
    Command,
    command_of,
    last_word,
    sort_out,
    superseded_by,
    without_copies,
)

KEYS, LOST = KeyRing([b"a key of the tests, of 32 letters"]), KeyRing([b"another key, which is lost by now"])
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
AS_OF = AsOf(NOW, date(2026, 11, 23), 1, 1)
SHOP = Caller("publisher:storefront", "storefront", None)
OTHER_SHOP = Caller("credential:7", "credential 7", None)

ORDER, OTHER_ORDER = OrderRequest(client_id=10), OrderRequest(client_id=20)
REJECTION = Rejection.of([rejections.client_not_found()])
PLACED = placed_order.reply(samples.BARE, samples.PLACED_BARE)
REFUSED = replies.error(REJECTION)
DECIDED = Decided((samples.BARE,), lambda _written, _cause: Said(PLACED))


def a_reading(
    message_id: str | None = "cart-1",
    request: OrderRequest | None = ORDER,
    *,
    tag: int = 1,
    caller: Caller | None = SHOP,
    redelivered: bool = False,
    trail: Trail = NO_TRAIL,
    headers: dict[str, object] | None = None,
) -> Reading:
    properties = Properties(message_id=message_id, headers=headers or {})
    delivery = Delivery(b"{}", properties, topology.ADD_ORDER, redelivered, tag, trail)
    fingerprint = KEYS.fingerprint(request) if request else None
    asked = AskedAddOrder(request) if request else None
    return Reading(delivery, caller=caller, asked=asked, fingerprint=fingerprint)


def a_command(
    message_id: str = "cart-1",
    request: OrderRequest = ORDER,
    *,
    tag: int = 1,
    caller: Caller = SHOP,
    supersedes: tuple[str, ...] = (),
    redelivered: bool = False,
    attempts: int = 0,
    replays: int = 0,
    headers: dict[str, object] | None = None,
) -> Command:
    trail = Trail(supersedes=supersedes, attempts=attempts, replays=replays)
    reading = a_reading(
        message_id, request, tag=tag, caller=caller, redelivered=redelivered, trail=trail, headers=headers
    )
    command = command_of(reading)
    assert command is not None
    return command


def a_row(
    request: OrderRequest = ORDER,
    request_id: int = 1,
    *,
    keys: KeyRing = KEYS,
    order_id: int | None = None,
    superseded_by: str | None = None,
    answer: Answer | None = None,
) -> Claimed:
    """Make what the inbox has of a request; unless something else is said, it was never answered."""
    fingerprint = keys.fingerprint(request)
    return Claimed(request_id, fingerprint.digest, fingerprint.version, order_id, superseded_by, answer)


def placed(request: OrderRequest = ORDER, request_id: int = 1, *, keys: KeyRing = KEYS) -> Claimed:
    answer = Answer(request_id, "placed", 0, PLACED, (), NOW, is_published=True)
    return a_row(request, request_id, keys=keys, order_id=7, answer=answer)


def pruned(request: OrderRequest = ORDER) -> Claimed:
    """Make one whose answer is not kept any more."""
    return a_row(request, order_id=7)


def rejected(request: OrderRequest = ORDER, request_id: int = 1, *, replays: int = 0) -> Claimed:
    answer = Answer(request_id, "rejected", replays, REFUSED, (), NOW, is_published=True)
    return a_row(request, request_id, answer=answer)


def sorted_out(command: Command, row: Claimed, *others: tuple[str, Claimed]) -> str | Outcome:
    """Sort out one request. Returns its outcome, or what is to be done about it."""
    claimed = {command.claim.key: row} | {(command.claim.caller, message_id): other for message_id, other in others}

    settled, of_order, to_judge = sort_out([command], claimed, KEYS, AS_OF)

    assert len(settled) + len(of_order) + len(to_judge) == 1
    if settled:
        return settled[0]
    return "rebuild" if of_order else "judge"


def code_of(outcome: str | Outcome) -> str:
    assert isinstance(outcome, Outcome)
    assert outcome.kind is OutcomeKind.REJECTED
    return str(outcome.log_fields["code"])


# ---------------------------------------------------------------- what may be judged at all


@pytest.mark.parametrize(
    "reading",
    [
        replace(a_reading(request=None), rejection=REJECTION),
        a_reading(caller=None),
        a_reading(message_id=None),
    ],
    ids=["rejected", "of nobody", "without an id"],
)
def test_what_ended_at_the_edge_is_no_command(reading: Reading) -> None:
    assert command_of(reading) is None


def test_a_command_claims_its_own_key_once_and_those_that_it_supersedes_not_for_itself() -> None:
    command = a_command("cart-3", supersedes=("cart-1", "cart-3", "cart-2"))

    claimed = [(one.caller, one.message_id, one.deliveries) for one in (command.claim, *command.supersedes)]
    assert claimed == [(SHOP.name, "cart-3", 1), (SHOP.name, "cart-1", 0), (SHOP.name, "cart-2", 0)]


# ---------------------------------------------------------------- copies in one batch


def test_copies_of_a_request_are_one_command_that_counts_them_all() -> None:
    commands, _ = without_copies([a_command(tag=1), a_command("cart-2", tag=2), a_command(tag=3), a_command(tag=4)])

    assert [(one.reading.delivery.tag, one.claim.deliveries) for one in commands] == [(1, 3), (2, 1)]


def test_the_same_id_of_another_caller_is_another_request() -> None:
    commands, _ = without_copies([a_command(tag=1), a_command(tag=2, caller=OTHER_SHOP)])

    assert [one.reading.delivery.tag for one in commands] == [1, 2]


def test_other_content_under_the_same_key_waits_for_another_batch() -> None:
    commands, copies = without_copies([a_command(tag=1), a_command(tag=2, request=OTHER_ORDER)])

    assert [(one.reading.delivery.tag, one.claim.deliveries) for one in commands] == [(1, 1)]
    assert copies.of == ()


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (outcomes.placed(a_reading(), 1, Said(PLACED), NOW), OutcomeKind.REPEATED),
        (outcomes.rejected(a_reading(), REJECTION, NOW, 1), OutcomeKind.REJECTED),
    ],
    ids=["placed", "rejected"],
)
def test_copies_are_told_what_the_first_is_told_and_nothing_is_said_to_the_world_twice(
    first: Outcome, kind: OutcomeKind
) -> None:
    _, copies = without_copies([a_command(tag=1), a_command(tag=2)])

    told = copies.outcomes({1: first})

    assert list(told) == [2]
    assert (told[2].kind, told[2].reply) == (kind, first.reply)
    assert (told[2].events, told[2].moved, told[2].mark, told[2].answer) == ((), None, None, None)


@pytest.mark.parametrize(
    "first",
    [outcomes.retried(a_reading(), "Fault", 1, NOW), outcomes.failed(a_reading(), "Fault", 4, NOW)],
    ids=["retried", "failed"],
)
def test_copies_of_what_has_no_answer_wait(first: Outcome) -> None:
    _, copies = without_copies([a_command(tag=1), a_command(tag=2)])

    assert copies.outcomes({1: first}) == {}


# ---------------------------------------------------------------- what was asked before


def test_what_is_asked_for_the_first_time_is_judged() -> None:
    assert sorted_out(a_command(), a_row()) == "judge"


def test_what_came_before_and_was_not_answered_is_judged_whatever_it_is_now() -> None:
    assert sorted_out(a_command(redelivered=True), a_row()) == "judge"
    assert sorted_out(a_command(), a_row(OTHER_ORDER)) == "judge"


def test_what_was_placed_is_told_the_very_same_again() -> None:
    outcome = sorted_out(a_command(), placed())

    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.reply, outcome.events) == (OutcomeKind.REPEATED, PLACED, ())


def test_what_was_placed_and_is_remembered_by_its_order_alone_is_rebuilt() -> None:
    assert sorted_out(a_command(), pruned()) == "rebuild"


@pytest.mark.parametrize("row", [placed(OTHER_ORDER), pruned(OTHER_ORDER)], ids=["answered", "pruned"])
def test_another_request_under_the_id_of_one_that_was_placed_is_refused(row: Claimed) -> None:
    assert code_of(sorted_out(a_command(), row)) == "message_id_reused"


def test_the_same_content_of_another_action_is_another_request() -> None:
    fingerprint = KEYS.fingerprint(ORDER, "of tomorrow")
    row = Claimed(1, fingerprint.digest, fingerprint.version, order_id=7)

    assert code_of(sorted_out(a_command(), row)) == "message_id_reused"


def test_a_request_whose_key_is_lost_counts_as_the_same() -> None:
    outcome = sorted_out(a_command(), placed(OTHER_ORDER, keys=LOST))

    assert isinstance(outcome, Outcome)
    assert outcome.kind is OutcomeKind.REPEATED


def test_who_asks_anew_for_what_was_rejected_is_judged_anew() -> None:
    assert sorted_out(a_command(), rejected()) == "judge"
    assert sorted_out(a_command(), rejected(OTHER_ORDER)) == "judge"


@pytest.mark.parametrize(
    ("command", "is_set_aside"),
    [
        (a_command(redelivered=True), True),
        (a_command(attempts=1), True),
        (a_command(headers={TRY: 2}), False),
    ],
    ids=["handed over again", "back from a delay", "sent again by its caller"],
)
def test_another_copy_of_a_try_that_was_rejected_is_told_the_very_same_again(
    command: Command,
    is_set_aside: bool,  # noqa: FBT001
) -> None:
    outcome = sorted_out(command, rejected())

    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.reply) == (OutcomeKind.REJECTED, REFUSED)
    assert (outcome.moved is not None) == is_set_aside


def test_another_copy_with_other_content_is_judged() -> None:
    assert sorted_out(a_command(redelivered=True), rejected(OTHER_ORDER)) == "judge"


def test_a_replay_is_a_new_try_until_it_is_answered_itself() -> None:
    assert sorted_out(a_command(redelivered=True, replays=1), rejected(replays=0)) == "judge"
    assert code_of(sorted_out(a_command(redelivered=True, replays=1), rejected(replays=1))) == "client_not_found"


# ---------------------------------------------------------------- what was edited


def test_what_was_placed_in_another_form_is_refused_with_the_id_of_that() -> None:
    outcome = sorted_out(a_command(), a_row(superseded_by="cart-2"))

    assert code_of(outcome) == "superseded"
    assert isinstance(outcome, Outcome)
    assert outcome.reply is not None
    assert outcome.reply.members["message"] == "This request was edited by an operator, and placed as cart-2"


@pytest.mark.parametrize(
    "original",
    [placed(OTHER_ORDER, 2), pruned(OTHER_ORDER), a_row(OTHER_ORDER, 2, superseded_by="cart-3")],
    ids=["as it was", "long ago", "as another edit of it"],
)
def test_an_edit_of_what_was_placed_meanwhile_is_refused(original: Claimed) -> None:
    command = a_command("cart-2", supersedes=("cart-0", "cart-1"))

    outcome = sorted_out(command, a_row(), ("cart-0", a_row(OTHER_ORDER, 3)), ("cart-1", original))

    assert code_of(outcome) == "supersedes_placed"
    assert isinstance(outcome, Outcome)
    assert outcome.reply is not None
    assert outcome.reply.members["message"] == (
        "The request that this one was edited from, cart-1, was placed meanwhile"
    )


@pytest.mark.parametrize("original", [a_row(OTHER_ORDER, 2), rejected(OTHER_ORDER, 2)], ids=["new", "rejected"])
def test_an_edit_of_what_was_not_placed_is_judged(original: Claimed) -> None:
    assert sorted_out(a_command("cart-2", supersedes=("cart-1",)), a_row(), ("cart-1", original)) == "judge"


def test_an_edit_that_was_placed_itself_is_told_so_again() -> None:
    original = a_row(OTHER_ORDER, 2, superseded_by="cart-2")

    outcome = sorted_out(a_command("cart-2", supersedes=("cart-1",)), placed(), ("cart-1", original))

    assert isinstance(outcome, Outcome)
    assert outcome.kind is OutcomeKind.REPEATED


def test_an_edit_that_is_placed_supersedes_all_that_it_was_made_of_and_one_that_is_not_none() -> None:
    good, bad, ill = (a_command(name, supersedes=(f"{name}-before",)) for name in ("good", "bad", "ill"))
    twice = a_command("twice", supersedes=("once", "never"))
    rows = {name: a_row(request_id=number) for number, name in enumerate(("good", "bad", "ill", "twice"), 1)}
    before = ("good-before", "bad-before", "ill-before", "once", "never")
    claimed = {(SHOP.name, name): a_row(request_id=number) for number, name in enumerate(before, 11)}

    pairs = superseded_by(
        [
            (good, rows["good"], DECIDED),
            (bad, rows["bad"], REJECTION),
            (ill, rows["ill"], RuntimeError()),
            (twice, rows["twice"], DECIDED),
        ],
        claimed,
    )

    assert list(pairs) == [(11, 1), (14, 4), (15, 4)]


# ---------------------------------------------------------------- the last word


@pytest.mark.parametrize("message_id", [None, "", "x" * 129, "a\0b"])
async def test_what_fails_without_an_id_was_never_placed(message_id: str | None) -> None:
    nowhere = cast("Connection", None)  # nothing is looked up

    outcome = await last_word(nowhere, a_reading(message_id), "RuntimeError", 4, NOW)

    assert (outcome.kind, outcome.log_fields["attempts"]) == (OutcomeKind.FAILED, 4)
    assert [event.type for event in outcome.events] == ["order.failed"]
