"""What all pages share."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Response, g, render_template, request


def person() -> str:
    """Who asks, "" when the server knows nobody by name."""
    name: str = g.get("person", "")
    return name


def page(template: str, **values: Any) -> Response:
    """A page with an ETag, so that a browser that asks again for the same gets nothing."""
    answer = Response(render_template(template, **values), content_type="text/html; charset=utf-8")
    answer.headers["Cache-Control"] = "no-cache"
    answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest()[:20])
    answer.make_conditional(request)
    return answer
