"""How much each part of this node says in its log; can be changed while it runs, until it ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from chronos_py.errors import InvalidDefinition, NotFound
from chronos_py.model.reader import shown

ROOT = "ROOT"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# The words of the original's log library for ours.
_OTHER_WORDS = {"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "CRITICAL", "ALL": "DEBUG", "OFF": "CRITICAL"}


def log_levels() -> Mapping[str, str]:
    """The level in force of every logger, by name; the root's first."""
    known = logging.root.manager.loggerDict
    names = sorted(name for name, each in known.items() if isinstance(each, logging.Logger))
    return {ROOT: _level(logging.root), **{name: _level(logging.getLogger(name)) for name in names}}


def set_log_level(name: object, level: object) -> str:
    """Set a logger's level, "" takes it back to that of the logger above it; the level in force.

    Raises NotFound for a logger that there is not, InvalidDefinition for what is no level.
    """
    if not isinstance(name, str) or (name not in ("", ROOT) and name not in logging.root.manager.loggerDict):
        raise NotFound(f"Logger {shown(name)} not found; GET /logging lists them.")
    logger = logging.root if name in ("", ROOT) else logging.getLogger(name)
    if level in ("", None) and logger is not logging.root:
        logger.setLevel(logging.NOTSET)
        return _level(logger)
    word = level.strip().upper() if isinstance(level, str) else ""
    word = _OTHER_WORDS.get(word, word)
    if word not in LEVELS:
        raise InvalidDefinition(f"level is {shown(level)} but must be one of {', '.join(LEVELS)}.", "level")
    logger.setLevel(word)
    return _level(logger)


def _level(logger: logging.Logger) -> str:
    return logging.getLevelName(logger.getEffectiveLevel())
