"""What children see of their parents, outputs, and limits that jobs share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "limits",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("updated_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_limits")),
    )
    op.create_table(
        "job_limits",
        sa.Column("job_id", identity, autoincrement=False, nullable=False),
        sa.Column("limit_name", sa.String(length=100), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_limits_job_id_jobs")),
        sa.PrimaryKeyConstraint("job_id", "limit_name", name=op.f("pk_job_limits")),
    )
    op.create_index(op.f("ix_job_limits_limit_name"), "job_limits", ["limit_name"])
    op.add_column("jobs", sa.Column("max_concurrent", sa.BigInteger(), nullable=True))
    op.add_column("edges", sa.Column("failed_by", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("rank_at", instant, nullable=True))
    op.add_column("runs", sa.Column("outcome", sa.String(length=10), server_default=sa.text("''"), nullable=False))
    op.add_column("runs", sa.Column("in_wave", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("runs", sa.Column("interval_start", instant, nullable=True))
    op.add_column("runs", sa.Column("parent_runs", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("runs", sa.Column("outputs", sa.JSON(none_as_null=True), nullable=True))
    op.execute("UPDATE runs SET outcome = 'success' WHERE state = 'succeeded'")
    op.execute("UPDATE runs SET outcome = 'failure' WHERE state IN ('failed', 'lost')")
