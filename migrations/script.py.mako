"""${message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
works_with = ${repr(down_revision)}  # the oldest revision whose program may go on after this; see decision 20


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
