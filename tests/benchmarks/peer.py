"""What a user would pick instead: FastStream and SQLAlchemy 2's async ORM, one transaction an order, at its best.

It reads, prices and answers with the product's own code (edge, rules, endings), so that the difference is how messages
and rows are moved. It writes every row that ours writes, with the same contents; `throughput.py` compares them.

Set up as well as we know how: uvloop and orjson; many messages in flight, each with a connection that is there already;
statements compiled and prepared once; facts read by one SELECT a table, none in a loop; ids taken by one statement; one
ORM bulk INSERT a table instead of the unit of work; nothing read back (no eager defaults, no expiry, no reset on
return); follow-ups published side by side with confirms; what was published noted for many orders at once.
What else was tried is told in docs/performance.md.
"""

import asyncio
import base64
import gc
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any

import orjson
import uvloop
from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue
from sqlalchemy import JSON, Identity, Text, func, literal_column, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.ext.declarative import DeferredReflection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from repository import catalog as catalogue
from repository.database import Database
from repository.inbox import Answer
from repository.order_numbers import order_number
from repository.orders import OrderToPlace, Row, _invoice_line_rows, _invoice_row, _item_row, _order_row
from schemas import topology
from schemas.catalog import BillingCycle, Catalog, Extra
from schemas.order import (
    Client,
    Facts,
    FactsNeeded,
    OwnedDomain,
    OwnedService,
    PlacedOrder,
    PricedAddon,
    PricedDomain,
    PricedOrder,
    PricedRenewal,
    PricedService,
    Totals,
)
from schemas.rejections import Rejection
from schemas.replies import Reply
from worker.broker.messages import Delivery, Outgoing, Properties
from worker.broker.republish import Republisher
from worker.intake.authentication import Authenticator
from worker.intake.edge import Edge, Reading
from worker.key_ring import KeyRing
from worker.pipeline import outcomes
from worker.pipeline.outcomes import Outcome
from worker.pipeline.publication import event_message
from worker.settings import Settings

IN_FLIGHT = 40  # messages, each with a connection of its own
GARBAGE_OBJECTS = 50_000  # between two collections, instead of Python's own 700
MARK_SECONDS = 0.25  # between two statements that note what was published

log = logging.getLogger("peer")


class Base(DeferredReflection, DeclarativeBase):
    """Tables as the migrations made them. Nothing is read back that is not used: `eager_defaults` would."""

    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012  # SQLAlchemy's own name


class InboxRow(Base):
    __tablename__ = "inbox"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    fingerprint: Mapped[bytes]
    deliveries: Mapped[int]


class OrderRow(Base):
    __tablename__ = "orders"


class ServiceRow(Base):
    __tablename__ = "services"
    id: Mapped[int] = mapped_column(primary_key=True)


class AddonRow(Base):
    __tablename__ = "service_addons"


class DomainRow(Base):
    __tablename__ = "domains"
    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int]
    name: Mapped[str]


class RenewalRow(Base):
    __tablename__ = "renewals"


class InvoiceRow(Base):
    __tablename__ = "invoices"


class LineRow(Base):
    __tablename__ = "invoice_lines"


class AnswerRow(Base):
    __tablename__ = "answers"
    request_id: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    replays: Mapped[int]
    reply: Mapped[Any] = mapped_column(JSON)
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    answered_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ClientRow(Base):
    __tablename__ = "clients"
    id: Mapped[int] = mapped_column(primary_key=True)


class StockRow(Base):
    __tablename__ = "product_stock"
    product_id: Mapped[int] = mapped_column(primary_key=True)
    quantity: Mapped[int]


MOMENT = text(
    "SELECT now() AS now, (now() AT TIME ZONE coalesce(timezone, 'UTC'))::date AS today, version FROM catalogue"
)
ALLOCATE = text(
    """
    SELECT
        nextval('orders_id_seq') AS order_id,
        nextval('invoices_id_seq') AS invoice_id,
        ARRAY(SELECT nextval('services_id_seq') FROM generate_series(1, :services)) AS services,
        ARRAY(SELECT nextval('service_addons_id_seq') FROM generate_series(1, :addons)) AS addons,
        ARRAY(SELECT nextval('domains_id_seq') FROM generate_series(1, :domains)) AS domains
    """
)
# In the order of their foreign keys.
INSERTED: Sequence[type[Base]] = (OrderRow, ServiceRow, AddonRow, DomainRow, RenewalRow, InvoiceRow, LineRow)
ITEMS: Mapping[str, type[Base]] = {
    "services": ServiceRow,
    "service_addons": AddonRow,
    "domains": DomainRow,
    "renewals": RenewalRow,
}
SECRETS: Mapping[type[Base], str] = {ServiceRow: "root_password_encrypted", DomainRow: "epp_code_encrypted"}


class Peer:
    def __init__(self, settings: Settings, engine: AsyncEngine, catalog: Catalog, broker: RabbitBroker) -> None:
        keys = KeyRing(settings.keys())
        self._keys = keys
        self._republisher = Republisher(keys)
        self._edge = Edge(
            keys,
            Authenticator(keys.keyed_hash, settings.trusted_publishers, settings.callers),
            settings.request_bytes_max,
        )
        self._catalog = catalog
        self._broker = broker
        self._sessions = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
        self._exchanges = {name: RabbitExchange(name, declare=False) for name in ("", topology.EVENTS, topology.DEAD)}
        self._published: list[int] = []
        self._client = _columns(ClientRow, Client)
        self._service = _columns(ServiceRow, OwnedService)
        self._domain = _columns(DomainRow, OwnedDomain)

    async def handle(self, message: RabbitMessage) -> None:
        try:
            await self._handle(message)
        except Exception:
            log.exception("what is measured went wrong")
            raise

    async def _handle(self, message: RabbitMessage) -> None:
        """Carry out one request: one transaction, then every confirm, then the acknowledgement."""
        raw = message.raw_message
        delivery = Delivery(
            body=raw.body,
            properties=Properties(
                message_id=raw.message_id,
                content_type=raw.content_type,
                user_id=raw.user_id,
                headers=raw.headers,
            ),
            routing_key=raw.routing_key or "",
            redelivered=bool(raw.redelivered),
            tag=raw.delivery_tag or 0,
        )
        [reading] = await self._edge.read([delivery], self._catalog, datetime.now(UTC))
        async with self._sessions.begin() as session:
            ending = await self._carry_out(session, reading)
        await asyncio.gather(*map(self._publish, self._messages(ending)))
        await message.ack()
        if ending.mark:
            self._published.append(ending.mark[0])

    def _messages(self, ending: Outcome) -> Iterator[Outgoing]:
        yield from map(event_message, ending.events)
        if ending.moved:
            yield self._republisher.copy(ending.reading.delivery, ending.moved)

    async def _publish(self, outgoing: Outgoing) -> None:
        properties = outgoing.properties
        await self._broker.publish(
            outgoing.body,
            exchange=self._exchanges[outgoing.exchange],
            routing_key=outgoing.routing_key,
            mandatory=outgoing.mandatory,
            persist=True,
            message_id=properties.message_id,
            content_type=properties.content_type,
            user_id=properties.user_id,
            headers=dict(properties.headers),
        )

    async def _carry_out(self, session: AsyncSession, reading: Reading) -> Outcome:
        asked, caller, fingerprint = reading.asked, reading.caller, reading.fingerprint
        assert asked is not None, "every request of the load can be read"
        assert caller is not None, "its publisher is trusted"
        assert fingerprint is not None, "it was parsed"
        claim = insert(InboxRow).values(
            caller=caller.name,
            message_id=reading.delivery.properties.message_id,
            fingerprint=fingerprint.digest,
            fingerprint_version=fingerprint.version,
        )
        taken: Any = claim.on_conflict_do_update(
            index_elements=["caller", "message_id"], set_={"deliveries": InboxRow.deliveries + 1}
        ).returning(InboxRow.id, InboxRow.fingerprint, literal_column("(xmax = 0)").label("is_new"))
        request_id, digest, is_new = (await session.execute(taken)).one()
        if not is_new:
            assert digest == fingerprint.digest, "the load repeats what it said"
            return outcomes.repeated(reading, await self._answer(session, request_id))
        now, today, version = (await session.execute(MOMENT)).one()
        assert version == self._catalog.version, "nobody changes the catalogue meanwhile"
        needed = asked.facts_needed(self._catalog)
        totals = await self._lock(session, needed)
        verdict, _ = asked.decide(await self._facts(session, needed, today), totals, self._catalog)
        if isinstance(verdict, Rejection):
            ending = outcomes.rejected(reading, verdict, now, request_id)
        else:
            (order,) = verdict.changes
            ids = await self._place(session, OrderToPlace(request_id, caller.asked_by, order))
            said = verdict.say((ids,), outcomes.cause_of(reading, now))
            ending = outcomes.placed(reading, request_id, said, now)
        assert ending.answer is not None, "a first answer is remembered"
        answer = ending.answer
        session.add(
            AnswerRow(
                request_id=answer.request_id,
                outcome=answer.outcome,
                replays=answer.replays,
                reply=answer.reply.members,
                events=list(answer.events),
            )
        )
        await session.flush()
        return ending

    async def _answer(self, session: AsyncSession, request_id: int) -> Answer:
        row = await session.get_one(AnswerRow, request_id)
        reply = Reply(orjson.dumps(row.reply))
        return Answer(row.request_id, row.outcome, row.replays, reply, tuple(row.events), row.answered_at)

    async def _lock(self, session: AsyncSession, needed: FactsNeeded) -> Totals:
        assert not needed.limited_promotions
        assert not needed.history_clients
        if not needed.stock_products:
            return Totals()
        rows = await session.execute(
            select(StockRow.product_id, StockRow.quantity)
            .where(StockRow.product_id.in_(needed.stock_products))
            .order_by(StockRow.product_id)
            .with_for_update()
        )
        return Totals(dict(rows.all()))

    async def _facts(self, session: AsyncSession, needed: FactsNeeded, today: date) -> Facts:
        """Read what the request names, a statement a table, and none where it names nothing."""
        assert not needed.contacts
        assert not needed.addons
        assert not needed.owned_products_clients
        clients = await session.execute(select(*self._client).where(ClientRow.id.in_(needed.clients)))
        services: dict[int, OwnedService] = {}
        if needed.services:
            found = await session.execute(select(*self._service).where(ServiceRow.id.in_(needed.services)))
            services = {
                row["id"]: OwnedService(**{**row, "cycle": BillingCycle(row["cycle"])}) for row in found.mappings()
            }
        domains: dict[tuple[int, str], tuple[OwnedDomain, ...]] = {}
        if needed.domains:
            names = tuple_(DomainRow.client_id, DomainRow.name).in_(needed.domains)
            found = await session.execute(select(*self._domain).where(names).order_by(DomainRow.id))
            for row in found.mappings():
                one = OwnedDomain(**{**row, "extras": frozenset(map(Extra, row["extras"]))})
                domains[one.client_id, one.name] = (*domains.get((one.client_id, one.name), ()), one)
        return Facts(
            today=today,
            clients={
                row["id"]: Client(**{**row, **_said(dict(row), "address2", "tax_id")}) for row in clients.mappings()
            },
            contacts={},
            services=services,
            addons={},
            domains=domains,
            owned_products={},
        )

    async def _place(self, session: AsyncSession, one: OrderToPlace) -> PlacedOrder:
        ids = await self._allocate(session, one.order)
        rows: dict[type[Base], list[Row]] = {table: [] for table in INSERTED}
        rows[OrderRow].append({"status": "Pending", **_order_row(one, ids, self._catalog.version)})
        for item, item_id in zip(one.order.items, ids.item_ids, strict=True):
            table, values = _item_row(one.order, ids, item, item_id, self._keys.encrypt)
            kind = ITEMS[table]
            if secret := values.get(SECRETS.get(kind, "")):
                values[SECRETS[kind]] = base64.b64decode(secret)
            rows[kind].append({"status": "Pending", **values})
        rows[InvoiceRow].append(_invoice_row(one.order, ids))
        rows[LineRow] += _invoice_line_rows(one.order, ids)
        for kind, several in rows.items():
            if several:
                await session.execute(insert(kind), several)
        for product_id, units in one.order.stock_taken.items():
            taken = update(StockRow).where(StockRow.product_id == product_id)
            await session.execute(taken.values(quantity=StockRow.quantity - units))
        return ids

    async def _allocate(self, session: AsyncSession, order: PricedOrder) -> PlacedOrder:
        """Take all ids in one statement: an order number stands for its id, and invoice lines name items."""
        assert order.bill.invoiced, "every order of the load has an invoice"
        kinds = Counter(type(item) for item in order.items)
        counts = {"services": kinds[PricedService], "addons": kinds[PricedAddon], "domains": kinds[PricedDomain]}
        row = (await session.execute(ALLOCATE, counts)).one()
        ids = {PricedService: iter(row.services), PricedAddon: iter(row.addons), PricedDomain: iter(row.domains)}
        return PlacedOrder(
            order_id=row.order_id,
            order_number=order_number(row.order_id, self._catalog.order_number_key),
            invoice_id=row.invoice_id,
            item_ids=tuple(
                item.target_id if isinstance(item, PricedRenewal) else next(ids[type(item)]) for item in order.items
            ),
        )

    async def mark(self) -> None:
        """Note what the broker has confirmed: many at once, beside the orders."""
        while True:
            await asyncio.sleep(MARK_SECONDS)
            published, self._published = self._published, []
            if published:
                async with self._sessions.begin() as session:
                    await session.execute(
                        update(AnswerRow)
                        .where(AnswerRow.request_id.in_(published))
                        .values(published_at=func.now())
                        .execution_options(synchronize_session=False)
                    )


def _said(row: Mapping[str, Any], *names: str) -> dict[str, str]:
    """Take what nobody has said of a client as empty."""
    return {name: row[name] or "" for name in names}


def _columns(table: type[Base], kind: type) -> list[Any]:
    """Name the columns that a value of the rules is made of."""
    return [getattr(table, field.name) for field in fields(kind)]


async def run() -> None:
    gc.set_threshold(GARBAGE_OBJECTS, 20, 100)
    settings = Settings.read()
    url = settings.require("postgres_url")
    async with Database(url) as database, database.connection() as connection:
        catalog = await catalogue.read(connection)
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://"),
        pool_size=IN_FLIGHT + 1,
        max_overflow=0,
        pool_reset_on_return=None,  # every transaction is ended already
        json_serializer=lambda value: orjson.dumps(value, default=str).decode(),  # of amounts, the text
        json_deserializer=orjson.loads,
        connect_args={"prepared_statement_cache_size": 1_000, "timeout": 10},
        query_cache_size=5_000,
    )
    async with engine.connect() as reflecting:
        await reflecting.run_sync(lambda connection: Base.prepare(connection))  # noqa: PLW0108  # prepare's own type is no callback's
    broker = RabbitBroker(
        settings.require("amqp_url"),
        apply_types=False,
        logger=None,
        default_channel=Channel(publisher_confirms=True, on_return_raises=True),
    )
    peer = Peer(settings, engine, catalog, broker)
    broker.subscriber(
        RabbitQueue(topology.REQUESTS, declare=False),
        channel=Channel(prefetch_count=IN_FLIGHT, publisher_confirms=False),
        ack_policy=AckPolicy.MANUAL,
        no_reply=True,
        decoder=_undecoded,
    )(peer.handle)
    marking = asyncio.create_task(peer.mark())
    await FastStream(broker, logger=None).run()
    marking.cancel()
    await engine.dispose()


async def _undecoded(message: RabbitMessage) -> RabbitMessage:
    """Hand over the message as it is: the product's own code reads it."""
    return message


if __name__ == "__main__":
    uvloop.run(run())
