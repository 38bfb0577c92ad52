"""By which ZooKeeper ensemble each node elects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
works_with = "0009"


def upgrade() -> None:
    op.add_column("nodes", sa.Column("ensemble", sa.String(length=32), nullable=True))
