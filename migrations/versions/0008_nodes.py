"""The nodes of a cluster, and indexes over runs by when they ran and by the wave that they belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("address", sa.String(length=300), nullable=False),
        sa.Column("identity", sa.String(length=300), nullable=False),
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("pool", sa.String(length=40), nullable=False),
        sa.Column("election", sa.String(length=40), nullable=False),
        sa.Column("started_at", instant, nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_nodes")),
    )
    op.create_index("ix_runs_job_id_started_at", "runs", ["job_id", "started_at"])
    op.create_index("ix_runs_finished_at_state", "runs", ["finished_at", "state"])
    in_wave = sa.text("root_run_id IS NOT NULL")
    op.create_index("ix_runs_root_run_id", "runs", ["root_run_id"], sqlite_where=in_wave, postgresql_where=in_wave)
