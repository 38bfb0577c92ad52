"""The tables, as SQLAlchemy models. Migrations in ``migrations/`` bring a database here.

All times are aware UTC: :class:`UtcDateTime` refuses anything else on the way in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Identity = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Aware in Python; UTC in SQL (SQLite has no zones, so it is stored without one there)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of all tables; names its constraints, so that migrations can."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime(), dict[str, Any]: JSON()}  # noqa: RUF012


class JobRow(Table):
    """A job. Deleted ones stay for their history, and free their name."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(
            "uq_jobs_live_name",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # Counting all jobs reads these alone, and not the documents.
        Index(
            "ix_jobs_standing",
            "disabled",
            "last_outcome",
            "id",
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_jobs_owner",
            "owner",
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Identity, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    revision: Mapped[int] = mapped_column(Integer, default=1)
    document: Mapped[dict[str, Any]]
    disabled: Mapped[bool] = mapped_column(default=False)
    overlap: Mapped[str] = mapped_column(String(20))  # of the document; the dispatcher's query needs it
    max_concurrent: Mapped[int | None] = mapped_column(BigInteger)
    placement: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))  # its constraints, as JSON
    # Of the document as well: what lists of jobs are searched, sorted and grouped by.
    owner: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    name_prefix: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    search_text: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))  # in lower case
    last_outcome: Mapped[str] = mapped_column(String(20), default="fresh", server_default=text("'fresh'"))
    success_count: Mapped[int] = mapped_column(BigInteger, default=0)
    error_count: Mapped[int] = mapped_column(BigInteger, default=0)
    errors_since_last_success: Mapped[int] = mapped_column(BigInteger, default=0)
    last_success: Mapped[datetime | None]
    last_error: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class JobRevisionRow(Table):
    """Every version of a definition; runs name theirs."""

    __tablename__ = "job_revisions"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True)
    document: Mapped[dict[str, Any]]
    author: Mapped[str] = mapped_column(String(200), default="")
    note: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))  # why, where it was no plain edit
    created_at: Mapped[datetime]


class JobLabelRow(Table):
    """The labels of live jobs, as their documents have them; what is filtered and selected by."""

    __tablename__ = "job_labels"
    __table_args__ = (Index("ix_job_labels_key_value", "key", "value"),)

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))


class ScheduleRow(Table):
    """When a scheduled job is due next. ``next_due`` NULL: paused or exhausted.

    ``next_due`` is when the planner has to look, ``next_run`` when the job may run: blocked occurrences come before.
    """

    __tablename__ = "schedules"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False)
    expression: Mapped[str] = mapped_column(Text)
    time_zone: Mapped[str] = mapped_column(String(100), default="")
    defined_at: Mapped[datetime]  # anchors an open start
    next_due: Mapped[datetime | None] = mapped_column(index=True)
    next_run: Mapped[datetime | None]
    repetitions_left: Mapped[int | None] = mapped_column(BigInteger)


class EdgeRow(Table):
    """parent -> child. The parent's last run that succeeded, and the one that failed, since the child last ran."""

    __tablename__ = "edges"

    parent_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False)
    child_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False, index=True)
    satisfied_by: Mapped[int | None] = mapped_column(BigInteger)
    failed_by: Mapped[int | None] = mapped_column(BigInteger)


class RunRow(Table):
    """A run, or a row of skipped occurrences. ``occurrence`` is set where the run stands for a slot of a schedule."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("job_id", "occurrence"),
        Index("ix_runs_job_id_id", "job_id", "id"),
        Index(
            "ix_runs_waiting",
            "high_priority",
            "scheduled_at",
            "id",
            sqlite_where=text("state IN ('queued', 'waiting_retry')"),
            postgresql_where=text("state IN ('queued', 'waiting_retry')"),
        ),
        Index(
            "ix_runs_unfinished",
            "job_id",
            "state",
            sqlite_where=text("state IN ('queued', 'starting', 'running', 'waiting_retry')"),
            postgresql_where=text("state IN ('queued', 'starting', 'running', 'waiting_retry')"),
        ),
        Index("ix_runs_state_id", "state", "id"),
        Index("ix_runs_job_id_scheduled_at", "job_id", "scheduled_at"),
        Index("ix_runs_job_id_started_at", "job_id", "started_at"),
        Index("ix_runs_finished_at_state", "finished_at", "state"),
        Index(
            "ix_runs_root_run_id",
            "root_run_id",
            sqlite_where=text("root_run_id IS NOT NULL"),
            postgresql_where=text("root_run_id IS NOT NULL"),
        ),
        Index(
            "ix_runs_backfill",
            "backfill_id",
            "state",
            sqlite_where=text("backfill_id IS NOT NULL"),
            postgresql_where=text("backfill_id IS NOT NULL"),
        ),
        Index(
            "ix_runs_start_before",
            "start_before",
            sqlite_where=text("start_before IS NOT NULL"),
            postgresql_where=text("start_before IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Identity, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    trigger: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(20), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    occurrence: Mapped[datetime | None]
    scheduled_at: Mapped[datetime]
    scheduled_until: Mapped[datetime | None]
    occurrences: Mapped[int | None] = mapped_column(BigInteger, default=1)
    high_priority: Mapped[bool] = mapped_column(default=False)
    not_before: Mapped[datetime]
    start_before: Mapped[datetime | None]  # what still waits then is skipped; NULL once it has begun
    revision: Mapped[int] = mapped_column(Integer)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    requested_by: Mapped[str] = mapped_column(String(200), default="")
    overrides: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    root_run_id: Mapped[int | None] = mapped_column(BigInteger)
    parent_run_id: Mapped[int | None] = mapped_column(BigInteger)
    backfill_id: Mapped[int | None] = mapped_column(BigInteger)
    starts_children: Mapped[bool] = mapped_column(default=True, server_default=true())
    note: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    rank_at: Mapped[datetime | None]  # its place in the queue; NULL: its scheduled time
    outcome: Mapped[str] = mapped_column(String(10), default="", server_default=text("''"))  # as children see it
    in_wave: Mapped[bool] = mapped_column(default=False, server_default=false())
    interval_start: Mapped[datetime | None]
    parent_runs: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    outputs: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class AttemptRow(Table):
    """One try of a run. Its row is the intent, committed before the pool is called."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("run_id", "number"),
        Index(
            "ix_attempts_live",
            "pool",
            "id",
            sqlite_where=text("state IN ('starting', 'running')"),
            postgresql_where=text("state IN ('starting', 'running')"),
        ),
        Index("ix_attempts_created_at", "created_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Identity, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(20))
    task_name: Mapped[str] = mapped_column(String(300), unique=True)
    pool: Mapped[str] = mapped_column(String(40))
    epoch: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(Integer)
    handle: Mapped[str] = mapped_column(Text, default="")
    node: Mapped[str] = mapped_column(String(300), default="")
    exit_code: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(String(20), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    launched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    kill_requested_at: Mapped[datetime | None]
    kill_reason: Mapped[str] = mapped_column(String(20), default="")
    kill_message: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    unreachable_since: Mapped[datetime | None]
    recovered: Mapped[bool] = mapped_column(default=False)
    cpu_seconds: Mapped[float | None] = mapped_column(Float)
    max_memory_mb: Mapped[float | None] = mapped_column(Float)
    elements_processed: Mapped[int | None] = mapped_column(BigInteger)  # as the task of a data job reports
    reported_status: Mapped[int | None] = mapped_column(Integer)  # how an asynchronous job says that it ended
    reported_at: Mapped[datetime | None]


class CalendarRow(Table):
    """A calendar that people defined."""

    __tablename__ = "calendars"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)
    document: Mapped[dict[str, Any]]
    author: Mapped[str] = mapped_column(String(200), default="")
    updated_at: Mapped[datetime]


class JobCalendarRow(Table):
    """Which calendars a job's schedule obeys, built-in ones included."""

    __tablename__ = "job_calendars"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False)
    calendar: Mapped[str] = mapped_column(String(100), primary_key=True, index=True)


class BackfillRow(Table):
    """Runs for past occurrences that a person asked for; they name it."""

    __tablename__ = "backfills"
    __table_args__ = (
        Index(
            "ix_backfills_open",
            "id",
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Identity, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    first: Mapped[datetime]
    last: Mapped[datetime]
    parallel: Mapped[int] = mapped_column(Integer)
    with_children: Mapped[bool]
    force: Mapped[bool]
    requested_by: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[str] = mapped_column(String(200), default="")
    finished_at: Mapped[datetime | None]  # NULL while runs of it have not ended


class LimitRow(Table):
    """A named limit that jobs share: so many units may be taken at once."""

    __tablename__ = "limits"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    units: Mapped[int] = mapped_column(BigInteger)
    description: Mapped[str] = mapped_column(Text, default="")
    author: Mapped[str] = mapped_column(String(200), default="")
    updated_at: Mapped[datetime]


class JobLimitRow(Table):
    """How many units of a named limit a run of a job takes."""

    __tablename__ = "job_limits"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, autoincrement=False)
    limit_name: Mapped[str] = mapped_column(String(100), primary_key=True, index=True)
    units: Mapped[int] = mapped_column(BigInteger)


class SavedViewRow(Table):
    """A list of jobs that people keep by name: the query of its address."""

    __tablename__ = "saved_views"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    query: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(200), default="")
    updated_at: Mapped[datetime]


class LeadershipRow(Table):
    """The one row that says whose writes count. ``lease_until`` is the database's clock, seconds since 1970."""

    __tablename__ = "leadership"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    cluster: Mapped[str] = mapped_column(String(40))
    epoch: Mapped[int] = mapped_column(BigInteger, default=0)
    holder: Mapped[str] = mapped_column(String(300), default="")
    address: Mapped[str] = mapped_column(String(300), default="")
    lease_until: Mapped[float] = mapped_column(Float, default=0.0)
    acquired_at: Mapped[datetime | None]


class NodeRow(Table):
    """A server process, by what it advertises. ``seen_at`` is the database's clock, seconds since 1970."""

    __tablename__ = "nodes"

    address: Mapped[str] = mapped_column(String(300), primary_key=True)
    identity: Mapped[str] = mapped_column(String(300))  # of the process; the leadership's holder is one of them
    host: Mapped[str] = mapped_column(String(300))
    version: Mapped[str] = mapped_column(String(40))
    pool: Mapped[str] = mapped_column(String(40))
    election: Mapped[str] = mapped_column(String(40))
    started_at: Mapped[datetime]
    seen_at: Mapped[float] = mapped_column(Float)
    schema_revision: Mapped[str | None] = mapped_column(String(32))  # the newest it knows; NULL: before it was said
    ensemble: Mapped[str | None] = mapped_column(String(32))  # of ZooKeeper; NULL: before it was said


class CompatibilityRow(Table):
    """One row: the oldest schema revision whose program may work with the schema as it is."""

    __tablename__ = "compatibility"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    works_with: Mapped[str] = mapped_column(String(32))


class PoolStateRow(Table):
    """A text that a pool keeps for all nodes."""

    __tablename__ = "pool_state"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class OutboxRow(Table):
    """What others must be told, written in the transaction that decided it."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_undelivered",
            "id",
            sqlite_where=text("delivered_at IS NULL"),
            postgresql_where=text("delivered_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Identity, primary_key=True)
    topic: Mapped[str] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]


class OutboxDeliveryRow(Table):
    """How far a channel has come with a message. Without a row it has not begun."""

    __tablename__ = "outbox_deliveries"

    message_id: Mapped[int] = mapped_column(ForeignKey("outbox.id"), primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(String(40), primary_key=True)
    recipients_told: Mapped[int] = mapped_column(Integer, default=0)
    finished: Mapped[bool] = mapped_column(default=False)
