"""How the original answers: JSON on a single line, text, nothing at all after a write."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from flask import Response, g


def json_answer(value: Any, status: int = 200) -> Response:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, content_type="application/json")


def text_answer(text: str) -> Response:
    return Response(text, content_type="text/plain; charset=utf-8")


def done() -> Response:
    """204 without a body, but with a content type: some clients read that header whatever comes."""
    return Response(status=204, content_type="application/json")


def error(status: int, sentence: str) -> Response:
    """The original's error body, of which clients read ``message``."""
    return json_answer({"message": sentence, "status": HTTPStatus(status).phrase}, status)


def person() -> str:
    """Who asks; "" when nobody has to say so."""
    name: str = g.get("person", "")
    return name
