"""What tests of pages share."""

from __future__ import annotations

import re
from typing import Any

from chronos_py.model.run import Run
from chronos_py.services import Application, jobs, runs


def define(application: Application, name: str, **fields: Any) -> None:
    jobs.save_job(application, {"name": name, "command": "true", **fields})


def newest(application: Application, name: str) -> Run:
    return runs.list_runs(application, name)[0]


def text_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", "", page))
