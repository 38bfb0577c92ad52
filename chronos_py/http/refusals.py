"""From errors to answers: a status, and one sentence in the form of the area of the site that was asked."""

from __future__ import annotations

import logging
import secrets

from flask import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from chronos_py import api, compat, web
from chronos_py.errors import (
    ChronosError,
    Conflict,
    DatabaseUnavailable,
    InvalidDefinition,
    NotFound,
    Outdated,
)
from chronos_py.pools import PoolUnavailable

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5
STATUS_OF: tuple[tuple[type[ChronosError], int], ...] = (
    (InvalidDefinition, 400),
    (NotFound, 404),
    (Outdated, 412),
    (Conflict, 409),
    (DatabaseUnavailable, 503),
    (PoolUnavailable, 503),
)


def refuse(status: int, sentence: str, field: str | None = None) -> Response:
    """An error in the form that this area of the site answers in."""
    if compat.serves(request.path):
        return compat.error(status, sentence)
    if api.serves(request.path):
        return api.error(status, sentence, field)
    return web.error(status, sentence)


def explain(error: Exception) -> Response:
    """Every error that a view lets out, as a status and a sentence. Never a stack trace."""
    if isinstance(error, HTTPException):
        return _explain_http(error)
    for kind, status in STATUS_OF:
        if isinstance(error, kind):
            return _explain_ours(error, status)
    reference = secrets.token_hex(4)
    logger.error("Request %s %s failed (%s)", request.method, request.path, reference, exc_info=error)
    return refuse(500, f"The server made a mistake (reference {reference}); its log says more.")


def _explain_ours(error: ChronosError, status: int) -> Response:
    if isinstance(error, NotFound) and compat.serves(request.path):
        status = 400  # the original's word for it, and clients rely on that
    answer = refuse(status, str(error), error.field if isinstance(error, InvalidDefinition) else None)
    if status == 503:
        logger.warning("Request %s %s could not be served: %s", request.method, request.path, error)
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def _explain_http(error: HTTPException) -> Response:
    answer = refuse(error.code or 500, _words_of(error))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def _words_of(error: HTTPException) -> str:
    if error.code == 404 and error.description == type(error).description:
        return f"There is nothing at {request.path}."
    if error.code == 405:
        return f"{request.method} is not possible at {request.path}."
    return error.description or error.name
