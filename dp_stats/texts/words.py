"""Every word on the site, from one file per language, so that a translation is one more file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

from dp_stats.catalogue.periods import parse_period
from dp_stats.errors import CatalogueError
from dp_stats.texts import numbers
from dp_stats.texts.numbers import Figure

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


def markdown(text: str, *, table: str = "") -> str:
    """Markdown to HTML; raw HTML in the source is shown as text, never passed through; ``table`` names tables."""
    html: str = _markdown.render(text)
    opening = f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(table)}"><table>'
    return html.replace("<table>", opening).replace("</table>", "</table></div>")


@dataclass(frozen=True, eq=False)
class Texts:
    """The texts of one language: short ones by dotted key, long ones as Markdown files beside them."""

    language: str
    words: Mapping[str, Any]
    folder: Path
    _found: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, reports: Path, language: str = "en") -> Texts:
        """Read ``texts/<language>.yaml``.

        Raises:
            CatalogueError: the file is missing or is not YAML.
        """
        path = reports / "texts" / f"{language}.yaml"
        try:
            text = path.read_text(encoding="utf-8")
            words = yaml.safe_load(text.replace("95 %", f"95{numbers.NBSP}%"))
        except (OSError, yaml.YAMLError) as error:
            raise CatalogueError(
                f"{path}: the site's texts cannot be read. Restore the file or fix its YAML."
            ) from error
        return cls(language, words, reports / "texts" / language)

    def get(self, key: str) -> Any:
        """What stands under a dotted key.

        Raises:
            CatalogueError: there is no such key.
        """
        if key in self._found:
            return self._found[key]
        found: Any = self.words
        for part in key.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise CatalogueError(f"texts/{self.language}.yaml: there is no text '{key}'. Add it.")
            found = found[part]
        self._found[key] = found
        return found

    def __call__(self, key: str, **values: object) -> str:
        """The text under ``key`` with ``{names}`` filled in."""
        return str(self.get(key)).format(**values).strip()

    def plural(self, key: str, count: int, **values: object) -> str:
        """The text for one or for many: ``key`` holds ``one`` and ``other``."""
        return self(f"{key}.{'one' if count == 1 else 'other'}", count=numbers.number(count), **values)

    def many(self, key: str) -> tuple[str, ...]:
        """The texts of a list."""
        return tuple(str(text).strip() for text in self.get(key))

    def number(self, value: float, *, decimals: int = 0) -> str:
        """A number with its separators."""
        return numbers.number(value, decimals=decimals)

    def significant(self, value: float, *, digits: int = 3) -> str:
        """A number in at most so many significant digits."""
        return numbers.significant(value, digits=digits)

    def people(self, unit: str) -> str:
        """Many of a privacy unit: ``people`` of a ``person``."""
        known = self.get("people")
        return str(known[unit]) if unit in known else self("people_other", unit=unit)

    def known_level(self, name: str) -> str:
        """What readers call a level whose name is a usual abbreviation; empty if it is none."""
        return str(self.get("level").get(name, ""))

    def page(self, name: str, **values: object) -> str:
        """The Markdown text ``<language>/<name>.md`` as HTML, with ``{{names}}`` filled in."""
        path = self.folder / f"{name}.md"
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise CatalogueError(f"{path}: the text is missing. Restore or write it.") from error
        for key, value in values.items():
            text = text.replace("{{" + key + "}}", str(value))
        return markdown(text, table=self("site.table"))

    def figure(self, figure: Figure, *, decimals: int = 0, unit: str = "") -> str:
        """``1,234 (95 % interval 1,200 to 1,268)``."""
        if not figure.known:
            return self("figure.none")
        value = numbers.number(figure.value, decimals=decimals) + unit
        return self(
            "figure.full", value=value, interval=numbers.interval(figure, to=self("figure.to"), decimals=decimals)
        )

    def between(self, figure: Figure, *, decimals: int = 0) -> str:
        """The interval alone: ``1,200 to 1,268``."""
        return numbers.interval(figure, to=self("figure.to"), decimals=decimals)

    def day(self, day: date, *, year: bool = True, short: bool = False) -> str:
        """A day in words: ``5 March 2021``, or ``5 Mar 2021``."""
        months = self.get("months.short" if short else "months.long")
        return f"{day.day} {months[day.month - 1]}" + (f" {day.year}" if year else "")

    def month(self, day: date, *, year: bool = True) -> str:
        """A month for an axis: ``Mar 2021``."""
        return str(self.get("months.short")[day.month - 1]) + (f" {day.year}" if year else "")

    def when(self, label: str) -> str:
        """A period's label as a sentence says it: ``in the week of 15 February 2021``, ``on 5 March 2021``."""
        if label.endswith("-P4W"):
            return self("when.four_weeks", day=self.day(date.fromisoformat(label[:10])))
        period = parse_period(label)
        if period.kind == "range":
            return self("when.range", start=self.day(period.start), end=self.day(period.end))
        month = f"{self.get('months.long')[period.start.month - 1]} {period.start.year}"
        return self(f"when.{period.kind}", day=self.day(period.start), month=month, year=period.start.year)

    def period(self, label: str) -> str:
        """A period's label as a heading has it: ``15 to 21 February 2021``."""
        if label.endswith("-P4W"):
            said = self.when(label)
            return said[:1].upper() + said[1:]
        return parse_period(label).text

    def place(self, name: str) -> str:
        """A place inside a sentence: some names take an article."""
        return f"{self('articles.the')} {name}" if name in self.get("articles.names") else name

    def status(self, marks: str) -> list[tuple[str, str]]:
        """What each mark of a cell's status means, as (short name, meaning)."""
        meanings = self.get("status")
        return [(str(meanings[m]["name"]), str(meanings[m]["meaning"])) for m in marks.split() if m in meanings]
