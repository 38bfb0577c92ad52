"""A process that commits rows and says so, one line each, until it is killed.

Run as ``python acknowledging_writer.py DATABASE_URL``.
"""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime

from chronos_py.store import outbox
from chronos_py.store.database import Database


def main(url: str) -> None:
    database = Database(url)
    for number in itertools.count(1):
        with database.write() as connection:
            outbox.put(connection, "written", {"number": number}, datetime.now(UTC))
            outbox.put(connection, "with it", {"number": number}, datetime.now(UTC))
        print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
