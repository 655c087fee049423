"""Broker and database alone: python -m tests.benchmarks.bare. It does what a recorded worker did, and thinks nothing.

It takes as many deliveries as the worker had in a batch, sends the statements of that batch with the arguments that the
worker computed, publishes the messages that it wrote, waits for every confirm and acknowledges: two batches in flight,
through asyncpg and a socket. All that is left of Python is moving bytes; JSON, frames and ids are ready-made.

The one statement that differs is the claim: with two batches in flight the database would number the inbox in another
order than the recorded orders name it, so that the ids are written along.
"""

import asyncio
import os
import pickle
import signal
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import uvloop

from repository.inbox import SQL as INBOX
from schemas import topology
from tests.benchmarks.link import Link
from tests.benchmarks.recording import Batch
from worker.settings import BATCHES_IN_FLIGHT, Settings

RECORDING = "BENCH_RECORDING"
PREFETCH = Settings.model_fields["prefetch"].default

CLAIM = (
    INBOX["claim"]
    .replace("INSERT INTO inbox (", "INSERT INTO inbox (id, ")
    .replace("SELECT request.caller", "OVERRIDING SYSTEM VALUE SELECT request.id, request.caller")
    .replace("$5::integer[])", "$5::integer[], $6::bigint[])")
    .replace("fingerprint_version, deliveries)\nORDER", "fingerprint_version, deliveries, id)\nORDER")
)
# An answer of the replay is given at another time than the recorded one.
MARK = (
    INBOX["mark_published"]
    .replace(
        "unnest($1::bigint[], $2::timestamptz[]) AS mark (request_id, answered_at)",
        "unnest($1::bigint[]) AS mark (request_id)",
    )
    .replace(" AND mark.answered_at = answers.answered_at", "")
)


class Replay:
    def __init__(self, batches: Sequence[Batch], consuming: Link, publishing: Link) -> None:
        self._batches = deque(batches)
        self._consuming = consuming
        self._publishing = publishing
        self._published: list[int] = []
        self._taken = 0
        self._unfinished: deque[tuple[int, int]] = deque()  # first and last tag of the batches that are in hand
        self._finished: set[int] = set()

    async def lane(self, connection: asyncpg.Connection) -> None:
        while self._batches:
            batch = self._batches.popleft()
            first, self._taken = self._taken + 1, self._taken + batch.deliveries
            last = self._taken
            self._unfinished.append((first, last))
            while not self._consuming.delivered or self._consuming.delivered[-1].tag < last:
                self._consuming.arrived.clear()
                await self._consuming.arrived.wait()
            await self._carry_out(batch, connection)
            await self._publishing.publish(batch.frames)
            self._published += batch.request_ids
            self._finish(last)

    async def _carry_out(self, batch: Batch, connection: asyncpg.Connection) -> None:
        for method, query, arguments in batch.statements:
            if query == INBOX["mark_published"]:
                marks, self._published = self._published, []
                await connection.execute(MARK, marks)
            elif query == INBOX["claim"]:
                await connection.fetch(CLAIM, *arguments, batch.claimed)
            else:
                await getattr(connection, method)(query, *arguments)

    def _finish(self, last: int) -> None:
        self._finished.add(last)
        acknowledged = 0
        while self._unfinished and self._unfinished[0][1] in self._finished:
            acknowledged = self._unfinished.popleft()[1]
            self._finished.discard(acknowledged)
        if acknowledged:
            self._consuming.acknowledge(acknowledged)
        delivered = self._consuming.delivered
        while len(delivered) > 1 and delivered[0].tag <= acknowledged:
            delivered.popleft()


async def run() -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    batches = pickle.loads(Path(os.environ[RECORDING]).read_bytes())
    settings = Settings.read()
    amqp_url, postgres_url = settings.require("amqp_url"), settings.require("postgres_url")
    async with Link.open(amqp_url) as consuming, Link.open(amqp_url) as publishing:
        replay = Replay(batches, consuming, publishing)
        await consuming.consume(topology.REQUESTS, PREFETCH)
        connections = [await asyncpg.connect(postgres_url) for _ in range(BATCHES_IN_FLIGHT)]
        async with asyncio.TaskGroup() as tasks:
            for connection in connections:
                tasks.create_task(replay.lane(connection))
        await stopping.wait()
        for connection in connections:
            await connection.close()


if __name__ == "__main__":
    uvloop.run(run())
