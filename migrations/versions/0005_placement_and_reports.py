"""Where a job's tasks may run, and what tasks of asynchronous and data jobs report."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BATCH = 1000
OPERATORS = ("EQUALS", "LIKE", "UNLIKE")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("placement", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("attempts", sa.Column("elements_processed", sa.BigInteger(), nullable=True))
    op.add_column("attempts", sa.Column("reported_status", sa.Integer(), nullable=True))
    op.add_column("attempts", sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_attempts_created_at", "attempts", ["created_at"])
    _place()


def _place() -> None:
    """Constraints were kept, and had no effect, before: from now on they have one."""
    connection = op.get_bind()
    jobs = sa.table("jobs", sa.column("id"), sa.column("document", sa.JSON()), sa.column("placement"))
    after = 0
    while rows := connection.execute(
        sa.select(jobs.c.id, jobs.c.document).where(jobs.c.id > after).order_by(jobs.c.id).limit(BATCH)
    ).all():
        for job_id, document in rows:
            if placement := _placement(document.get("constraints")):
                connection.execute(jobs.update().where(jobs.c.id == job_id).values(placement=placement))
        after = rows[-1].id


def _placement(constraints: Any) -> str:
    """In the form of that time; what was no constraint then is none now."""
    entries = sorted(
        {
            tuple(entry)
            for entry in (constraints if isinstance(constraints, list) else ())
            if isinstance(entry, list) and len(entry) == 3 and all(isinstance(part, str) for part in entry)
            if entry[1] in OPERATORS
        }
    )
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":")) if entries else ""
