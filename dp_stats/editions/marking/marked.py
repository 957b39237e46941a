"""Put a mark into a file that is handed out, of any format, and take it out again: the sealed file is left, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from dp_stats.editions.marking import parquet, spreadsheet, written
from dp_stats.editions.marking.mark import Mark
from dp_stats.errors import PublishedError
from dp_stats.files import sha256

Put = Callable[[bytes, Mark], bytes]
Take = Callable[[bytes], tuple[bytes, Mark]]

FORMATS: dict[str, tuple[Put, Take]] = {
    ".csv": (written.mark_csv, written.take_csv),
    ".json": (written.mark_json, written.take_json),
    ".md": (written.mark_text, written.take_text),
    ".svg": (written.mark_svg, written.take_svg),
    "": (written.mark_text, written.take_text),
    ".parquet": (parquet.mark, parquet.take),
    ".xlsx": (spreadsheet.mark, spreadsheet.take),
}
"""Ending → how a mark is put into such a file, and taken out; a file without one is the list of checksums."""

MARKABLE = frozenset(FORMATS)


def marked(content: bytes, mark: Mark) -> bytes:
    """A file with its mark.

    Raises:
        PublishedError: the file is not the one that the mark names, or it would not come out again as it was.
    """
    if sha256(content) != mark.sealed:
        raise PublishedError(f"{mark.edition}/{mark.file} is not as it was published. Run `dp-stats rebuild`.")
    put, take = FORMATS[PurePosixPath(mark.file).suffix]
    made = put(content, mark)
    if take(made) != (content, mark):
        raise PublishedError(f"{mark.edition}/{mark.file} cannot be marked. Report this.")
    return made


def unmarked(name: str, content: bytes) -> tuple[bytes, Mark]:
    """The sealed file and the mark of one that was handed out.

    Args:
        name: of the file, for its ending.

    Raises:
        PublishedError: it has no mark, or was changed since: without its mark it is not the file that the mark names.
    """
    try:
        sealed, mark = FORMATS[PurePosixPath(name).suffix][1](content)
    except (KeyError, IndexError, ValueError) as error:
        raise PublishedError(
            f"{name} bears no mark of a download. Give a file as it was downloaded; of one that was saved by another program, the "
            "columns or the last lines still say for whom it was."
        ) from error
    if sha256(sealed) != mark.sealed:
        raise PublishedError(
            f"{name} was changed after it was handed out (download {mark.download} of {mark.provided_to}): without its mark it "
            f"is not {mark.edition}/{mark.file} as published."
        )
    return sealed, mark
