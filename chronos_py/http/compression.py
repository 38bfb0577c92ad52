"""Long answers are compressed for clients that take it."""

from __future__ import annotations

import gzip

from flask import Response, request

SMALLEST = 1024  # shorter ones gain nothing
LEVEL = 5
_KINDS = ("text/", "image/svg+xml", "application/json", "application/problem+json", "application/javascript")


def compress(answer: Response) -> Response:
    """gzip for whole texts. Streams, parts of files and answers without a body stay as they are.

    Every answer that might be compressed says that it varies, so that caches keep both forms apart; the compressed
    form has a weak ETag, for its bytes are not those of the other.
    """
    if not (answer.mimetype or "").startswith(_KINDS) or answer.status_code in (204, 304):
        return answer
    answer.vary.add("Accept-Encoding")
    is_whole = answer.status_code != 206 and "Content-Encoding" not in answer.headers
    if not is_whole or request.method == "HEAD" or request.accept_encodings["gzip"] <= 0:
        return answer
    if (answer.content_length or 0) < SMALLEST or (answer.is_streamed and not answer.direct_passthrough):
        return answer
    answer.direct_passthrough = False  # a file of ours: small enough to be read
    answer.set_data(gzip.compress(answer.get_data(), LEVEL, mtime=0))
    answer.headers["Content-Encoding"] = "gzip"
    answer.headers.pop("Accept-Ranges", None)
    tag, is_weak = answer.get_etag()
    if tag is not None and not is_weak:
        answer.set_etag(tag, weak=True)
    return answer
