"""How alembic runs here: on the connection and in the transaction that repository/migrate.py lends it."""

from typing import Any

from alembic import context

lent = context.config.attributes


def _remember(ctx: object, step: Any, heads: object, run_args: object) -> None:  # noqa: ARG001  # alembic's names
    lent["applied"].append(step.up_revision_id)


context.configure(connection=lent["connection"], on_version_apply=_remember)
with context.begin_transaction():
    context.run_migrations()
