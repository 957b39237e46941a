"""A mark in a workbook: a line on its cover, in a part that stands behind the sealed file.

A workbook is a ZIP archive, which is read from the directory at its end. The marked cover and another directory are
written behind the sealed bytes, which stay as they are; the archive's comment says where they end.
"""

from __future__ import annotations

import io
import re
import zipfile

from dp_stats.editions.marking.mark import Mark

COVER = "xl/worksheets/sheet1.xml"
_WHEN = (1980, 1, 1, 0, 0, 0)
_COMMENT = "dp_stats.download"


def mark(content: bytes, said: Mark) -> bytes:
    """A workbook with its mark.

    Raises:
        ValueError: it has no cover.
    """
    out = io.BytesIO(content)
    out.seek(0, io.SEEK_END)
    with zipfile.ZipFile(io.BytesIO(content)) as sealed:
        cover = sealed.read(COVER).decode()
        kept = [part for part in sealed.infolist() if part.filename != COVER]
        order = [part.filename for part in sealed.infolist()]
    made = zipfile.ZipInfo(COVER, _WHEN)
    made.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(out, "a") as archive:
        archive.start_dir = len(content)  # behind all that is there, its directory included
        archive.fp.seek(len(content))  # type: ignore[union-attr]
        archive.filelist[:] = kept
        archive.NameToInfo.pop(COVER)
        archive.writestr(made, _with_line(cover, said.line))
        archive.filelist.sort(key=lambda part: order.index(part.filename))
        archive.comment = f"{_COMMENT} {len(content)} {said.json}".encode()
    return out.getvalue()


def take(content: bytes) -> tuple[bytes, Mark]:
    """The sealed workbook and its mark.

    Raises:
        ValueError: it has none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            comment, cover = archive.comment.decode(), archive.read(COVER).decode()
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError("no workbook") from error
    found = re.fullmatch(rf"{re.escape(_COMMENT)} (\d+) (.*)", comment, re.DOTALL)
    if found is None:
        raise ValueError("no mark")
    said = Mark.read(found[2])
    if _line(said.line) not in cover:
        raise ValueError("another mark on the cover")
    return content[: int(found[1])], said


def _with_line(sheet: str, text: str) -> str:
    """A sheet of a workbook with one more line of text below its last row."""
    rows = [int(number) for number in re.findall(r'<row r="(\d+)"', sheet)]
    if "</sheetData>" not in sheet or not rows:
        raise ValueError("no cover")
    number = max(rows) + 2
    row = f'<row r="{number}"><c r="A{number}" t="inlineStr">{_line(text)}</c></row>'
    return sheet.replace("</sheetData>", f"{row}</sheetData>")


def _line(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<is><t xml:space="preserve">{escaped}</t></is>'
