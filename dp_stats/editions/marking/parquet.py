"""A mark in a Parquet file: another footer behind the sealed file, whose key-value metadata has the mark beside what was there.

Readers find the footer from the end of the file, and pages by their place from its start, so the sealed bytes stay as they
are (Apache Parquet, *File Format*; Apache Thrift, *Compact protocol*).
"""

from __future__ import annotations

from dataclasses import dataclass

from dp_stats.editions.marking.mark import Mark

MAGIC = b"PAR1"
KEY = "dp_stats.download"
_KEY_VALUE_FIELD, _LIST, _STRUCT = 5, 9, 12
_BOOLEANS, _BYTE, _VARINTS, _DOUBLE, _BINARY, _SET, _MAP = (1, 2), 3, (4, 5, 6), 7, 8, 10, 11


def mark(content: bytes, said: Mark) -> bytes:
    """A Parquet file with its mark.

    Raises:
        ValueError: its footer has no metadata to which one could be added.
    """
    footer = _footer(content)
    start, end, size = _entries(footer)
    head = bytes([size + 1 << 4 | _STRUCT]) if size + 1 < 15 else bytes([0xF0 | _STRUCT]) + _varint(size + 1)
    added = b"\x18" + _text(KEY) + b"\x18" + _text(said.json) + b"\x00"
    made = footer[: start.header] + head + footer[start.first : end] + added + footer[end:]
    return content + made + len(made).to_bytes(4, "little") + MAGIC


def take(content: bytes) -> tuple[bytes, Mark]:
    """The sealed file and its mark.

    Raises:
        ValueError: it has none.
    """
    footer = _footer(content)
    sealed = content[: len(content) - len(footer) - 8]
    _footer(sealed)
    _, end, _ = _entries(footer)
    place = footer.rfind(b"\x18" + _text(KEY) + b"\x18", 0, end)
    if place < 0:
        raise ValueError("no mark")
    read = _Reader(footer, place + 1 + len(_text(KEY)) + 1)
    return sealed, Mark.read(read.binary().decode())


def _footer(content: bytes) -> bytes:
    if content[:4] != MAGIC or content[-4:] != MAGIC:
        raise ValueError("no Parquet")
    size = int.from_bytes(content[-8:-4], "little")
    if size > len(content) - 12:
        raise ValueError("no Parquet")
    return content[-8 - size : -8]


@dataclass(frozen=True)
class _Start:
    """Where the list of key-value entries begins: its header, and its first entry."""

    header: int
    first: int


def _entries(footer: bytes) -> tuple[_Start, int, int]:
    """Where the entries of the metadata begin, where they end, and how many there are."""
    read, field = _Reader(footer, 0), 0
    while (kind := footer[read.place]) != 0:
        read.place += 1
        field = field + (kind >> 4) if kind >> 4 else read.zigzag()
        if field == _KEY_VALUE_FIELD and kind & 15 == _LIST:
            header = read.place
            size, _ = read.list_head()
            start = _Start(header, read.place)
            for _ in range(size):
                read.skip(_STRUCT)
            return start, read.place, size
        read.skip(kind & 15)
    raise ValueError("no metadata")


class _Reader:
    """Goes through values in Thrift's compact protocol."""

    def __init__(self, content: bytes, place: int) -> None:
        self.content, self.place = content, place

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.content[self.place]
            self.place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def zigzag(self) -> int:
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def binary(self) -> bytes:
        size = self.varint()
        self.place += size
        return self.content[self.place - size : self.place]

    def list_head(self) -> tuple[int, int]:
        head = self.content[self.place]
        self.place += 1
        return (self.varint() if head >> 4 == 15 else head >> 4), head & 15

    def skip(self, kind: int) -> None:
        if kind in _VARINTS:
            self.varint()
        elif kind == _BYTE:
            self.place += 1
        elif kind == _DOUBLE:
            self.place += 8
        elif kind == _BINARY:
            self.binary()
        elif kind in (_LIST, _SET):
            size, of = self.list_head()
            for _ in range(size):
                self.skip(_BYTE if of in _BOOLEANS else of)
        elif kind == _STRUCT:
            while (head := self.content[self.place]) != 0:
                self.place += 1
                if not head >> 4:
                    self.zigzag()
                self.skip(head & 15)
            self.place += 1
        elif kind not in _BOOLEANS:
            raise ValueError("unknown kind of value")


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


def _text(text: str) -> bytes:
    content = text.encode()
    return _varint(len(content)) + content
