"""Every word on the site, from one file per language, so that a translation is one more file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from html import escape
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.lists import format_list
from markdown_it import MarkdownIt

from dp_stats.catalogue import yaml
from dp_stats.catalogue.periods import Period, financial_year, parse_period, quarter_of
from dp_stats.errors import CatalogueError
from dp_stats.settings import Settings
from dp_stats.texts import dates, numbers
from dp_stats.texts.foreign import foreign
from dp_stats.texts.numbers import Figure

ORIGIN = "en"
"""The language in which texts are written first: what a translation lacks is said in it."""
_OWN = frozenset({"locale", "authority", "months"})
"""What a language does not take from another."""

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


@lru_cache(maxsize=8)
def _parsed(text: str) -> Mapping[str, Any]:
    """A file of texts; its thousand lines take longer to read than most pages to write."""
    words: Mapping[str, Any] = yaml.parse(text)
    return words


def markdown(text: str, *, table: str = "") -> str:
    """Markdown to HTML; raw HTML in the source is shown as text, never passed through; ``table`` names tables."""
    html: str = _markdown.render(text)
    opening = f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(table)}"><table>'
    html = html.replace("<table>", opening).replace("</table>", "</table></div>")
    return html.replace("<pre>", '<pre tabindex="0">')  # code that is wider than the page scrolls by the keyboard, too


def _read(reports: Path, language: str) -> Mapping[str, Any]:
    path = reports / "texts" / f"{language}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        return _parsed(text.replace("95 %", f"95{numbers.NBSP}%"))
    except (OSError, yaml.YAMLError) as error:
        raise CatalogueError(f"{path}: the site's texts cannot be read. Restore the file or fix its YAML.") from error


def _filled(words: Any, origin: Any, marked: bool) -> Any:
    """``words`` with what they lack of ``origin``."""
    if words is None:
        return _said(origin) if marked else origin
    if not isinstance(words, Mapping) or not isinstance(origin, Mapping):
        return words
    lacking = {key: _filled(words.get(key), value, marked) for key, value in origin.items() if key not in _OWN}
    return {**words, **lacking}


def _said(node: Any) -> Any:
    """Every text below a node, marked as being of the language in which texts are written first."""
    if isinstance(node, Mapping):
        return {key: _said(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_said(value) for value in node]
    return foreign(node, ORIGIN) if isinstance(node, str) else node


@cache
def _locale(name: str) -> Locale:
    """One object for each name, so that caches of what is written compare it by identity."""
    return Locale.parse(name)


@dataclass(frozen=True, eq=False)
class Texts:
    """The texts of one language: short ones by dotted key, long ones as Markdown files beside them."""

    language: str
    words: Mapping[str, Any]
    folder: Path
    marked: bool = False
    """Whether words of another language are marked (``foreign``), for pages."""
    _found: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, reports: Path, language: str = ORIGIN, *, marked: bool = False) -> Texts:
        """Read ``texts/<language>.yaml``; what it lacks is taken from the language in which texts are written first.

        Args:
            marked: mark what is taken from there, for pages that say in which language it is.

        Raises:
            CatalogueError: the file is missing or is not YAML.
        """
        words, origin = _read(reports, language), reports / "texts" / f"{ORIGIN}.yaml"
        if language != ORIGIN and origin.is_file():
            words = _filled(words, _read(reports, ORIGIN), marked)
        return cls(language, words, reports / "texts" / language, marked)

    @classmethod
    def of(cls, settings: Settings) -> Texts:
        """The texts of the first language that a deployment publishes in.

        Raises:
            CatalogueError: there is no file of that language.
        """
        return cls.load(settings.reports, settings.language)

    @classmethod
    def further(cls, settings: Settings) -> tuple[Texts, ...]:
        """The texts of the other languages that a deployment publishes in.

        Raises:
            CatalogueError: there is no file of one of them.
        """
        return tuple(cls.load(settings.reports, language) for language in settings.further_languages)

    @cached_property
    def locale(self) -> Locale:
        """Whose numbers, dates and plurals these texts use.

        Raises:
            CatalogueError: the file names none that is known.
        """
        name = str(self.get("locale"))
        try:
            return _locale(name)
        except (ValueError, UnknownLocaleError) as error:
            raise CatalogueError(
                f"texts/{self.language}.yaml: locale '{name}' is not known. Write one such as en_GB or cy."
            ) from error

    @cached_property
    def _months(self) -> tuple[str, ...]:
        """The house's short names of months; empty where those of the locale are used."""
        return tuple(str(name) for name in self.words.get("months", ()))

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
        """The text for so many: ``key`` holds a form for each plural category of the language (CLDR), or ``other``."""
        forms, category = self.get(key), self.locale.plural_form(count)
        return self(f"{key}.{category if category in forms else 'other'}", count=self.number(count), **values)

    def many(self, key: str) -> tuple[str, ...]:
        """The texts of a list."""
        return tuple(str(text).strip() for text in self.get(key))

    def number(self, value: float, *, decimals: int = 0) -> str:
        """A number with its separators."""
        return numbers.number(value, decimals=decimals, locale=self.locale)

    def significant(self, value: float, *, digits: int = 3) -> str:
        """A number in at most so many significant digits."""
        return numbers.significant(value, digits=digits, locale=self.locale)

    def delta(self, chance: Fraction) -> str:
        """The δ of a privacy loss, with every digit that was declared: ``0.000001``."""
        return self.significant(float(chance), digits=6)

    def percent(self, share: float, *, decimals: int = 0) -> str:
        """A share of one as a percentage: ``12 %`` with a no-break space in English."""
        return self("figure.percent", value=self.number(share * 100, decimals=decimals))

    def file_size(self, size: int) -> str:
        """A file's size in units of 1,000 bytes: ``940 bytes``, ``12 kB``, ``3.4 MB``."""
        value, decimals, unit = numbers.size_in_units(size)
        return self(f"figure.size.{unit}", value=self.number(value, decimals=decimals))

    def tick(self, value: float) -> str:
        """A number beside an axis: ``0``, ``250``, ``1,500``, ``20k``, ``1.5m``."""
        short, decimals, unit = numbers.tick(value)
        written = self.number(short, decimals=decimals)
        return self(f"figure.{unit}", value=written) if unit else written

    def listed(self, items: Iterable[str]) -> str:
        """Several things in a sentence: ``a, b and c``."""
        return format_list(list(items), locale=self.locale)

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
        if not path.is_file():  # what a translation lacks
            path = self.folder.parent / ORIGIN / f"{name}.md"
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise CatalogueError(f"{path}: the text is missing. Restore or write it.") from error
        for key, value in values.items():
            text = text.replace("{{" + key + "}}", str(value))
        html = markdown(text, table=self("site.table"))
        return html if path.parent == self.folder else f'<div lang="{ORIGIN}">{html}</div>'

    def figure(self, figure: Figure, *, decimals: int = 0, unit: str = "") -> str:
        """``1,234 (95 % interval 1,200 to 1,268)``."""
        if not figure.known:
            return self("figure.none")
        value = self.number(figure.value, decimals=decimals) + unit
        return self("figure.full", value=value, interval=self.between(figure, decimals=decimals))

    def between(self, figure: Figure, *, decimals: int = 0) -> str:
        """The interval alone: ``1,200 to 1,268``, or ``1,200 or more``."""
        if figure.upper == math.inf:
            return self("figure.or_more", low=self.number(figure.lower, decimals=decimals))
        return numbers.interval(figure, to=self("figure.to"), decimals=decimals, locale=self.locale)

    def day(self, day: date, *, year: bool = True, short: bool = False) -> str:
        """A day in words: ``5 March 2021``, or ``5 Mar 2021``."""
        return dates.day(day, locale=self.locale, year=year, names=self._months if short else None)

    def moment(self, when: datetime) -> str:
        """A moment to the minute: ``5 March 2021, 09:30``."""
        return f"{self.day(when.date())}, {dates.time(when, locale=self.locale)}"

    def month(self, day: date, *, year: bool = True) -> str:
        """A month for an axis: ``Mar 2021``."""
        return dates.month(day, locale=self.locale, year=year, names=self._months)

    def when(self, label: str, *, kind: str = "range") -> str:
        """A period's label as a sentence says it: ``in the week of 15 February 2021``, ``on 5 March 2021``.

        Args:
            kind: of the period that a range of days is part of, if it is: ``from 28 to 31 December 2020 (part of a week)``.
        """
        period = parse_period(label)
        if period.kind == "range" and period.start == period.end:
            return self._part(self("when.day", day=self.day(period.start)), period, kind)
        said = self(
            f"when.{period.kind}", start=self.day(period.start), end=self.day(period.end), **self._names(period)
        )
        return self._part(said, period, kind)

    def period(self, label: str, *, kind: str = "range") -> str:
        """A period's label as a heading has it: ``15 to 21 February 2021``; ``kind`` as in ``when``."""
        period = parse_period(label)
        if period.kind in self.get("period.named"):
            return self(f"period.named.{period.kind}", **self._names(period))
        return self._part(self.days(period.start, period.end), period, kind)

    def _part(self, said: str, period: Period, kind: str) -> str:
        """What is said of a range of days, and of which kind of period they are only a part."""
        cut = period.kind == "range" and kind != "range"
        return self("period.part", days=said, of=self.get("period.of")[kind]) if cut else said

    def _names(self, period: Period) -> dict[str, object]:
        """What a whole period's names are made of."""
        return {
            "day": self.day(period.start),
            "month": dates.month(period.start, locale=self.locale),
            "first": dates.month(period.start, locale=self.locale, year=False),
            "last": dates.month(period.end, locale=self.locale, year=False),
            "quarter": quarter_of(period.start),
            "year": period.start.year,
            "financial_year": financial_year(period.start),
        }

    def days(self, start: date, end: date) -> str:
        """A span of days: ``15 to 21 February 2021``; what both ends share is said once where the texts allow it."""
        if start == end:
            return self.day(start)
        shared = "month" if (start.year, start.month) == (end.year, end.month) else ""
        shared = shared or ("year" if start.year == end.year else "nothing")
        first = str(start.day) if shared == "month" else self.day(start, year=shared == "nothing")
        return self(f"period.same_{shared}", first=first, start=self.day(start), end=self.day(end))

    def place(self, name: str) -> str:
        """A place inside a sentence: some names take an article."""
        return f"{self('articles.the')} {name}" if name in self.get("articles.names") else name

    def status(self, marks: str) -> list[tuple[str, str]]:
        """What each mark of a cell's status means, as (short name, meaning)."""
        meanings = self.get("status")
        return [(str(meanings[m]["name"]), str(meanings[m]["meaning"])) for m in marks.split() if m in meanings]
