"""How the original answers: JSON on a single line, nothing at all after a write."""

from __future__ import annotations

import json
from typing import Any

from flask import Response


def json_answer(value: Any) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), content_type="application/json")


def done() -> Response:
    """204 without a body, but with a content type: some clients read that header whatever comes."""
    return Response(status=204, content_type="application/json")
