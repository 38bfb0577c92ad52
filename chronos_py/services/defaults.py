"""What this server writes into a document that a person or a client saves without saying it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chronos_py.errors import ConfigurationError, InvalidDefinition
from chronos_py.model.document import DEFAULTS, read_definition


@dataclass(frozen=True, slots=True)
class JobDefaults:
    """Defaults of jobs that a server may be given.

    They are written into the document when it is saved, as far as they differ from the document's own defaults:
    from then on every node, and every later start with other settings, reads the same definition. ``epsilon`` is an
    ISO 8601 duration that is only shown to clients of Chronos 2.x; ``history_limit`` is how many tasks ``job/stat``
    tells of.
    """

    cpus: float = 0.1
    memory_mb: float = 128
    disk_mb: float = 256
    user: str = ""
    retry_seconds: float = 60
    disable_after_failures: int | None = None
    epsilon: str = "PT60S"
    history_limit: int = 5

    def __post_init__(self) -> None:
        """Raises ConfigurationError for values that no job may have."""
        try:
            read_definition({"name": "defaults", "command": "true", **self._changed()})
        except InvalidDefinition as error:
            raise ConfigurationError(f"The default for jobs cannot be used: {error}") from error

    def written_into(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """``document`` with what it does not name; a field that is null or an empty text counts as not named."""
        missing = {name: value for name, value in self._changed().items() if document.get(name) in (None, "")}
        return {**document, **missing}

    def document(self) -> dict[str, Any]:
        """Every field, with what it is for a job that is saved here without it."""
        return {**DEFAULTS, **self._changed()}

    def _changed(self) -> dict[str, Any]:
        ours = {
            "cpus": self.cpus,
            "mem": self.memory_mb,
            "disk": self.disk_mb,
            "runAsUser": self.user,
            "retryDelay": self.retry_seconds,
            "disableAfterFailures": self.disable_after_failures,
        }
        return {name: value for name, value in ours.items() if value != DEFAULTS[name]}
