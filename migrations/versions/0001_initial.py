"""The first schema: jobs, schedules, edges, runs, attempts, leadership, outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", identity, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("overlap", sa.String(length=20), nullable=False),
        sa.Column("success_count", sa.BigInteger(), nullable=False),
        sa.Column("error_count", sa.BigInteger(), nullable=False),
        sa.Column("errors_since_last_success", sa.BigInteger(), nullable=False),
        sa.Column("last_success", instant, nullable=True),
        sa.Column("last_error", instant, nullable=True),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("updated_at", instant, nullable=False),
        sa.Column("deleted_at", instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_jobs_live_name",
        "jobs",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "leadership",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cluster", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(length=300), nullable=False),
        sa.Column("address", sa.String(length=300), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("acquired_at", instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leadership")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", identity, nullable=False),
        sa.Column("topic", sa.String(length=60), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("delivered_at", instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_outbox_undelivered",
        "outbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("delivered_at IS NULL"),
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "edges",
        sa.Column("parent_id", identity, autoincrement=False, nullable=False),
        sa.Column("child_id", identity, autoincrement=False, nullable=False),
        sa.Column("satisfied_by", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["child_id"], ["jobs.id"], name=op.f("fk_edges_child_id_jobs")),
        sa.ForeignKeyConstraint(["parent_id"], ["jobs.id"], name=op.f("fk_edges_parent_id_jobs")),
        sa.PrimaryKeyConstraint("parent_id", "child_id", name=op.f("pk_edges")),
    )
    op.create_index(op.f("ix_edges_child_id"), "edges", ["child_id"], unique=False)
    op.create_table(
        "job_revisions",
        sa.Column("job_id", identity, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_revisions_job_id_jobs")),
        sa.PrimaryKeyConstraint("job_id", "revision", name=op.f("pk_job_revisions")),
    )
    op.create_table(
        "runs",
        sa.Column("id", identity, nullable=False),
        sa.Column("job_id", identity, nullable=False),
        sa.Column("trigger", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("occurrence", instant, nullable=True),
        sa.Column("scheduled_at", instant, nullable=False),
        sa.Column("scheduled_until", instant, nullable=True),
        sa.Column("occurrences", sa.BigInteger(), nullable=True),
        sa.Column("high_priority", sa.Boolean(), nullable=False),
        sa.Column("not_before", instant, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("overrides", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("root_run_id", sa.BigInteger(), nullable=True),
        sa.Column("parent_run_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("started_at", instant, nullable=True),
        sa.Column("finished_at", instant, nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_runs_job_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("job_id", "occurrence", name=op.f("uq_runs_job_id_occurrence")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_runs_job_id_id", "runs", ["job_id", "id"], unique=False)
    op.create_index("ix_runs_state_id", "runs", ["state", "id"], unique=False)
    op.create_index(
        "ix_runs_unfinished",
        "runs",
        ["job_id", "state"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'starting', 'running', 'waiting_retry')"),
        postgresql_where=sa.text("state IN ('queued', 'starting', 'running', 'waiting_retry')"),
    )
    op.create_index(
        "ix_runs_waiting",
        "runs",
        ["high_priority", "scheduled_at", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'waiting_retry')"),
        postgresql_where=sa.text("state IN ('queued', 'waiting_retry')"),
    )
    op.create_table(
        "schedules",
        sa.Column("job_id", identity, autoincrement=False, nullable=False),
        sa.Column("expression", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.String(length=100), nullable=False),
        sa.Column("defined_at", instant, nullable=False),
        sa.Column("next_due", instant, nullable=True),
        sa.Column("repetitions_left", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_schedules_job_id_jobs")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_schedules")),
    )
    op.create_index(op.f("ix_schedules_next_due"), "schedules", ["next_due"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", identity, nullable=False),
        sa.Column("run_id", identity, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("task_name", sa.String(length=300), nullable=False),
        sa.Column("pool", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("node", sa.String(length=300), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("launched_at", instant, nullable=True),
        sa.Column("started_at", instant, nullable=True),
        sa.Column("finished_at", instant, nullable=True),
        sa.Column("kill_requested_at", instant, nullable=True),
        sa.Column("kill_reason", sa.String(length=20), nullable=False),
        sa.Column("unreachable_since", instant, nullable=True),
        sa.Column("recovered", sa.Boolean(), nullable=False),
        sa.Column("cpu_seconds", sa.Float(), nullable=True),
        sa.Column("max_memory_mb", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_attempts_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("run_id", "number", name=op.f("uq_attempts_run_id_number")),
        sa.UniqueConstraint("task_name", name=op.f("uq_attempts_task_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_attempts_live",
        "attempts",
        ["pool", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('starting', 'running')"),
        postgresql_where=sa.text("state IN ('starting', 'running')"),
    )
