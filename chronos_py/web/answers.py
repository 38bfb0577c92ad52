"""What all pages share."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Response, g, render_template, request

# The greatest number that the parts of an address may have; no row has it.
LARGEST = 2**62


def person() -> str:
    """Who asks, "" when the server knows nobody by name."""
    name: str = g.get("person", "")
    return name


def html(page: str, status: int = 200) -> Response:
    """A page of that status."""
    return Response(page, status, content_type="text/html; charset=utf-8")


def page(template: str, **values: Any) -> Response:
    """A page with an ETag, so that a browser that asks again for the same gets nothing."""
    answer = html(render_template(template, **values))
    answer.headers["Cache-Control"] = "no-cache"
    answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest()[:20])
    answer.make_conditional(request)
    return answer


def number(text: str) -> int | None:
    """The whole number from 0 that ``text`` is, None for anything else."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return min(int(text), LARGEST) if len(text) < 20 else LARGEST
