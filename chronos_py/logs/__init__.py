"""Task output: kept when a task ends, read from the pool while it runs."""

from chronos_py.logs.archive import LogArchive
from chronos_py.logs.reading import LogChunk, TaskLogs

__all__ = ["LogArchive", "LogChunk", "TaskLogs"]
