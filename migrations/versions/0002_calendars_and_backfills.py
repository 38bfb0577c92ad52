"""Calendars, backfills, and what a run needs to know of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "calendars",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("updated_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_calendars")),
    )
    op.create_table(
        "job_calendars",
        sa.Column("job_id", identity, autoincrement=False, nullable=False),
        sa.Column("calendar", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_calendars_job_id_jobs")),
        sa.PrimaryKeyConstraint("job_id", "calendar", name=op.f("pk_job_calendars")),
    )
    op.create_index(op.f("ix_job_calendars_calendar"), "job_calendars", ["calendar"])
    op.create_table(
        "backfills",
        sa.Column("id", identity, nullable=False),
        sa.Column("job_id", identity, nullable=False),
        sa.Column("first", instant, nullable=False),
        sa.Column("last", instant, nullable=False),
        sa.Column("parallel", sa.Integer(), nullable=False),
        sa.Column("with_children", sa.Boolean(), nullable=False),
        sa.Column("force", sa.Boolean(), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("cancelled_at", instant, nullable=True),
        sa.Column("cancelled_by", sa.String(length=200), nullable=False),
        sa.Column("finished_at", instant, nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_backfills_job_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfills")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_backfills_job_id"), "backfills", ["job_id"])
    op.create_index(
        "ix_backfills_open",
        "backfills",
        ["id"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.add_column("schedules", sa.Column("next_run", instant, nullable=True))
    op.execute("UPDATE schedules SET next_run = next_due")
    op.add_column("attempts", sa.Column("kill_message", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("runs", sa.Column("start_before", instant, nullable=True))
    op.add_column("runs", sa.Column("backfill_id", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("starts_children", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("runs", sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.create_index("ix_runs_job_id_scheduled_at", "runs", ["job_id", "scheduled_at"])
    op.create_index(
        "ix_runs_start_before",
        "runs",
        ["start_before"],
        sqlite_where=sa.text("start_before IS NOT NULL"),
        postgresql_where=sa.text("start_before IS NOT NULL"),
    )
    op.create_index(
        "ix_runs_backfill",
        "runs",
        ["backfill_id", "state"],
        sqlite_where=sa.text("backfill_id IS NOT NULL"),
        postgresql_where=sa.text("backfill_id IS NOT NULL"),
    )
