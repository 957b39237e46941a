"""What published files say, and the phrases of the English texts, for tests of languages."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from dp_stats.catalogue import yaml

REPORTS = Path(__file__).resolve().parents[1] / "reports"
KEPT = re.compile(r"\{+[^{}]*\}+|`[^`]*`|\]\([^)]*\)")
"""What a translator leaves as it is: names in braces, code and the targets of links."""

SAME = {"locale", "authority", "names"}
"""Keys whose values are codes, or names to compare with declared ones."""


def leaves(node: Any, key: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for k, v in node.items():
            yield from leaves(v, str(k))
    elif isinstance(node, list):
        for v in node:
            yield from leaves(v, key)
    elif isinstance(node, str) and key not in SAME:
        yield node


class Words(HTMLParser):
    """What a page says: its text and the attributes that are read out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.hidden = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in ("script", "style")
        self.said += [v for k, v in attrs if v and k in ("alt", "aria-label", "title", "placeholder", "content")]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.said.append(data)


def contents(public: Path) -> Iterator[tuple[str, str]]:
    """(path, text) of every file that is text, and of the sheets of the workbook."""
    for path in sorted(p for p in public.rglob("*") if p.is_file()):
        name = path.relative_to(public).as_posix()
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                for part in book.namelist():
                    yield f"{name}/{part}", book.read(part).decode(errors="replace")
        elif path.suffix not in (".parquet", ".png", ".css", ".js", ".woff2"):
            yield name, path.read_text(encoding="utf-8")


def english_phrases() -> set[str]:
    """Every run of at least two words in the English texts."""
    files = [*leaves(yaml.parse((REPORTS / "texts" / "en.yaml").read_text(encoding="utf-8")))]
    files += [page.read_text(encoding="utf-8") for page in (REPORTS / "texts" / "en").glob("*.md")]
    runs = (run.strip() for text in files for part in KEPT.split(text) for run in re.split(r"[|\n*#]", part))
    return {run for run in runs if len(run) > 8 and re.search(r"[a-z]{2,} [a-z]{2,}", run)}
