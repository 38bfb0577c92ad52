"""The output of a run: pieces for a page without JavaScript, the whole as a file, and where a text is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from flask import Blueprint, Response, jsonify, request

from chronos_py.errors import ChronosError, NotFound
from chronos_py.services import Application, logs
from chronos_py.services.logs import Stream
from chronos_py.web.answers import LARGEST, number

PIECE = 32 * 1024
STREAMS = ("stdout", "stderr")
MOST_FOUND = 10_000
LONGEST_TEXT = 500
_LOG = f"/runs/<int(max={LARGEST}):run_id>/log/<any({', '.join(STREAMS)}):stream>"
# What only a terminal understands, and what comes before a carriage return within a line.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-9:;<=>?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|[^\n]*\r(?!\n|$)|\r|\x1b"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a stream as text, and where it begins and ends; ``problem``: why there is none."""

    text: str = ""
    offset: int = 0
    next_offset: int = 0
    complete: bool = False
    size: int | None = None
    problem: str = ""

    @property
    def earlier(self) -> int:
        """Where the piece before this one begins."""
        return max(0, self.offset - PIECE)

    @property
    def has_more(self) -> bool:
        return not self.complete and self.size is not None and self.next_offset < self.size


def add_routes(routes: Blueprint, app: Application) -> None:
    @routes.get(f"{_LOG}.txt")
    def download(run_id: int, stream: str) -> Response:
        attempt = number(request.args.get("attempt", "")) or None
        chunks = logs.whole_log(app, run_id, attempt, _stream(stream))
        answer = Response(_begun(chunks), content_type="text/plain; charset=utf-8")
        name = f"run-{run_id}-{stream}.txt" if attempt is None else f"run-{run_id}-try-{attempt}-{stream}.txt"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @routes.get(f"{_LOG}/find")
    def find(run_id: int, stream: str) -> Response:
        text, offset = request.args.get("q", "")[:LONGEST_TEXT], number(request.args.get("offset", "")) or 0
        attempt = number(request.args.get("attempt", "")) or None
        found = logs.search_log(app, run_id, text, attempt, _stream(stream), offset)
        answer = jsonify(offsets=found.offsets, next=found.next_offset, complete=found.complete, most=MOST_FOUND)
        answer.headers["Cache-Control"] = "no-store"
        return answer


def _begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, the first of them read already: what is wrong shows before the answer has begun."""
    return chain((next(chunks, b""),), chunks)


def _stream(name: str) -> Stream:
    return "stderr" if name == "stderr" else "stdout"


def read_pieces(app: Application, run_id: int, attempt: int | None, at: int | None) -> dict[str, Piece]:
    """A piece of each stream from byte ``at``, None: the end of it."""
    return {stream: _read_piece(app, run_id, attempt, stream, at) for stream in STREAMS}


def _read_piece(app: Application, run_id: int, attempt: int | None, stream: str, at: int | None) -> Piece:
    try:
        chunk = logs.read_log(app, run_id, attempt, _stream(stream), -PIECE if at is None else at, PIECE)
    except NotFound:
        raise
    except ChronosError as error:
        return Piece(problem=str(error))
    text = chunk.data.decode(errors="replace")
    return Piece(plain(text), chunk.offset, chunk.next_offset, chunk.complete, chunk.size)


def plain(text: str) -> str:
    """Lines without what only a terminal understands; of a line that was written over, what was written last."""
    return _ESCAPES.sub("", text)
