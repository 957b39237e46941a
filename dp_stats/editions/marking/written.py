"""Marks in files of text: columns of a CSV file, a field of a JSON file, a line of others."""

from __future__ import annotations

import csv
import io
import json
import re

from dp_stats.editions.marking.mark import NAMES, Mark
from dp_stats.files import is_formula, plain_text

FIELDS = (*NAMES, "sealed_file")
"""The columns that a mark adds to a table: for whom, under what, when, which download, and which file that was."""
_FIELD = '"provided": '
_START = "dp_stats.download="


def mark_csv(content: bytes, mark: Mark) -> bytes:
    """A CSV file with the mark in columns of its own, in every row."""
    lines = content.decode().split("\r\n")
    own = f"{mark.edition}/{mark.file} {mark.sealed}"
    added = _row([*(getattr(mark, name) for name in NAMES), own])
    made = [f"{lines[0]},{','.join(FIELDS)}"]
    open_quote = False
    for line in lines[1:-1]:
        open_quote ^= line.count('"') % 2 == 1  # a field may hold the end of a line
        made.append(line if open_quote else f"{line},{added}")
    return "\r\n".join([*made, lines[-1]]).encode()


def take_csv(content: bytes) -> tuple[bytes, Mark]:
    """The file and its mark.

    Raises:
        ValueError: it has none, or rows of several.
    """
    text = content.decode()
    head, _, rest = text.partition("\r\n")
    ending = f",{','.join(FIELDS)}"
    if not head.endswith(ending) or not rest:
        raise ValueError("no mark")
    rows = csv.reader(io.StringIO(rest, newline=""), strict=True)
    values = next(rows)[-len(FIELDS) :]
    path, _, sealed = values[-1].rpartition(" ")
    edition, _, file = path.rpartition("/")
    plain = [value[1:] if value[:1] == "'" and is_formula(value[1:]) else value for value in values[:-1]]
    mark = Mark(**dict(zip(NAMES, plain, strict=True)), edition=edition, file=file, sealed=sealed)
    added = f",{_row(values)}\r\n"
    if not rest.endswith(added):
        raise ValueError("rows of several marks")
    return (head.removesuffix(ending) + "\r\n" + rest.replace(added, "\r\n")).encode(), mark


def _row(values: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([plain_text(value) for value in values])
    return out.getvalue()


def mark_json(content: bytes, mark: Mark) -> bytes:
    """A JSON file whose first field is the mark."""
    if content[:1] != b"{" or content[1:].lstrip()[:1] == b"}":
        raise ValueError("no object with fields")
    between = "\n " if content[1:2] == b"\n" else ""
    return f"{{{between}{_FIELD}{mark.json},".encode() + content[1:]


def take_json(content: bytes) -> tuple[bytes, Mark]:
    """The file and its mark.

    Raises:
        ValueError: it has none.
    """
    text = content.decode()
    start = next((at + len(_FIELD) for at in (1, 3) if text.startswith(_FIELD, at)), None)
    if start is None:
        raise ValueError("no mark")
    _, end = json.JSONDecoder().raw_decode(text, start)
    if text[end] != ",":
        raise ValueError("nothing but a mark")
    return f"{{{text[end + 1 :]}".encode(), Mark.read(text[start:end])


def mark_text(content: bytes, mark: Mark) -> bytes:
    """A text whose last lines are the mark, for people and for programs."""
    return content + f"# {mark.line}\n# {_START}{mark.json}\n".encode()


def take_text(content: bytes) -> tuple[bytes, Mark]:
    """The text and its mark.

    Raises:
        ValueError: it has none.
    """
    before, separator, line = content.decode().rpartition(f"\n# {_START}")
    mark = Mark.read(line)
    said = f"# {mark.line}"
    if not separator or not before.endswith(said):
        raise ValueError("no mark")
    return before.removesuffix(said).encode(), mark


STRIP = 14
"""How much taller a drawing becomes, for the line below it."""

_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')


def mark_svg(content: bytes, mark: Mark) -> bytes:
    """A drawing that holds the sealed one whole, with a line below it that shows the mark; and the mark for programs."""
    text = content.decode()
    size = _SIZE.match(text)
    if size is None:
        raise ValueError("no drawing")
    width, height, line = size[1], f"{float(size[2]) + STRIP:g}", f"{float(size[2]) + STRIP - 4:g}"
    shown = f"{mark.provided_to} · {mark.provided_at} · {mark.download}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<metadata>{_START}{_escaped(mark.json)}</metadata>"
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="6" y="{line}" font-size="8" font-family="sans-serif" fill="#44566a">{_escaped(shown)}</text>'
        f"{text}</svg>\n"
    ).encode()


def take_svg(content: bytes) -> tuple[bytes, Mark]:
    """The drawing and its mark.

    Raises:
        ValueError: it has none.
    """
    _, separator, after = content.decode().partition(f"<metadata>{_START}")
    line, closed, rest = after.partition("</metadata>")
    _, ended, inside = rest.partition("</text>")
    if not separator or not closed or not ended:
        raise ValueError("no mark")
    mark, sealed = Mark.read(_plain(line)), inside.removesuffix("\n").removesuffix("</svg>").encode()
    if mark_svg(sealed, mark) != content:
        raise ValueError("no mark")
    return sealed, mark


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
