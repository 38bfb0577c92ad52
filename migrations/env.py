"""Alembic's entry: runs on the connection that ``chronos_py.store.schema`` hands over."""

from __future__ import annotations

from alembic import context

from chronos_py.store.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
context.run_migrations()
