"""The framing of Mesos' event streams: the length of a record in decimal digits, a newline, and the record.

The length counts bytes. Nothing is assumed of how a stream is cut into pieces on its way.
"""

from __future__ import annotations

MOST_DIGITS = 20
MOST_BYTES = 256 << 20  # a record longer than this is no event, but a broken stream


class BrokenStream(ValueError):
    """What came is not a stream of records."""


class RecordReader:
    """Takes the pieces of one stream, and gives the records that are whole."""

    def __init__(self) -> None:
        self._pieces = bytearray()
        self._wanted: int | None = None

    def feed(self, piece: bytes) -> list[bytes]:
        """The records that end in ``piece``. Raises BrokenStream, after which the stream is of no use."""
        self._pieces += piece
        records: list[bytes] = []
        begin = 0
        while True:
            if self._wanted is None:
                end = self._pieces.find(b"\n", begin, begin + MOST_DIGITS + 1)
                if end < 0:
                    if len(self._pieces) - begin > MOST_DIGITS:
                        raise BrokenStream("a record's length is longer than any length can be")
                    break
                self._wanted = _length(bytes(self._pieces[begin:end]))
                begin = end + 1
            if len(self._pieces) - begin < self._wanted:
                break
            records.append(bytes(self._pieces[begin : begin + self._wanted]))
            begin += self._wanted
            self._wanted = None
        del self._pieces[:begin]
        return records


def _length(digits: bytes) -> int:
    text = digits.strip()
    if not text.isdigit():
        raise BrokenStream(f"a record begins with {digits!r} and not with its length")
    length = int(text)
    if length > MOST_BYTES:
        raise BrokenStream(f"a record of {length} bytes is announced")
    return length
