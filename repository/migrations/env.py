"""How alembic runs here: on the connection that repository/migrate.py lends it, a transaction for each revision."""

from typing import Any

from alembic import context

lent = context.config.attributes


def _remember(ctx: object, step: Any, heads: object, run_args: object) -> None:  # noqa: ARG001  # alembic's names
    lent["applied"].append(step.up_revision_id)


context.configure(connection=lent["connection"], on_version_apply=_remember, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
