"""What the list of jobs is searched, sorted and grouped by, and views of it that people keep."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BATCH = 1000
NEW = ("owner", "name_prefix", "search_text")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("owner", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column(
        "jobs", sa.Column("name_prefix", sa.String(length=200), server_default=sa.text("''"), nullable=False)
    )
    op.add_column("jobs", sa.Column("search_text", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column(
        "jobs", sa.Column("last_outcome", sa.String(length=20), server_default=sa.text("'fresh'"), nullable=False)
    )
    _fill()
    op.execute(
        "UPDATE jobs SET last_outcome = CASE WHEN last_error IS NULL THEN 'success'"
        " WHEN last_success IS NULL OR last_success <= last_error THEN 'failure' ELSE 'success' END"
        " WHERE last_success IS NOT NULL OR last_error IS NOT NULL"
    )
    is_live = {f"{dialect}_where": sa.text("deleted_at IS NULL") for dialect in ("sqlite", "postgresql")}
    op.create_index("ix_jobs_standing", "jobs", ["disabled", "last_outcome", "id"], **is_live)
    op.create_index("ix_jobs_owner", "jobs", ["owner"], **is_live)
    op.create_table(
        "saved_views",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_saved_views")),
    )


def _fill() -> None:
    """The new columns of the jobs that are there, in batches, deleted ones too: their history is searched as well."""
    connection = op.get_bind()
    read = sa.text("SELECT id, name, document FROM jobs WHERE id > :after ORDER BY id LIMIT :batch")
    write = sa.text(f"UPDATE jobs SET {', '.join(f'{name} = :{name}' for name in NEW)} WHERE id = :id")
    after = 0
    while rows := connection.execute(read, {"after": after, "batch": BATCH}).all():
        connection.execute(write, [_values(*row) for row in rows])
        after = rows[-1].id


def _values(job_id: int, name: str, stored: Any) -> dict[str, Any]:
    document: Mapping[str, Any] = json.loads(stored) if isinstance(stored, str) else stored
    texts = {field: str(document.get(field) or "") for field in ("command", "description", "owner")}
    return {
        "id": job_id,
        "owner": texts["owner"],
        "name_prefix": re.split(r"[._\-# ]", name, maxsplit=1)[0],
        "search_text": "\n".join((name, *texts.values())).lower(),
    }
