"""What every page has in common: templates, texts, addresses, and where it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dp_stats.charts.reading import ReleaseView
from dp_stats.outlets.budgets import DatasetSpend, budgets
from dp_stats.outlets.restricted import RestrictedUse
from dp_stats.site.terms import LINKED, with_links
from dp_stats.site.tongues import Tongue, from_page, towards_data
from dp_stats.site.writer import Writer
from dp_stats.texts.foreign import in_html
from dp_stats.texts.words import Texts

MISSING = "404.html"
"""The page that is shown where there is none; it has no address of its own."""

EMBED = "embed.html"
"""The small page of a release that other sites show in a frame; search engines are not led to it."""

MENU = (
    ("home", "index.html"),
    ("methodology", "methodology.html"),
    ("budget", "budget.html"),
    ("register", "register.html"),
    ("data", "data.html"),
    ("calendar", "calendar.html"),
    ("corrections", "corrections.html"),
)
"""The main menu: key of its text, and address."""


@dataclass(frozen=True, eq=False)
class Site:
    """One build of the site.

    Attributes:
        base_url: address of the public folder, for metadata that needs absolute links; empty if not known.
        uses: of records that are not for the public; the register tells of them, and no other page.
        tree: folder of this language's pages below the public folder, with a slash at the end; none for the first language.
        tongues: every language that the site is made in.
    """

    public: Path
    reports: Path
    texts: Texts
    templates: Environment
    writer: Writer
    releases: tuple[ReleaseView, ...]
    base_url: str
    uses: tuple[RestrictedUse, ...] = ()
    tree: str = ""
    tongues: tuple[Tongue, ...] = ()

    def address(self, path: str) -> str:
        """The full address of a page of this language; empty where the site's is not known."""
        return f"{self.base_url}/{self.tree}{path}" if self.base_url else ""

    @cached_property
    def budgets(self) -> dict[str, DatasetSpend]:
        """What has been spent of each dataset, by its id: the same on every page."""
        return budgets(self.public, (r.edition for view in self.releases for r in view.revisions))

    def render(
        self,
        template: str,
        path: str,
        *,
        linked: Mapping[str, Any] | None = None,
        root: str | None = None,
        data: Sequence[str] = (),
        **values: Any,
    ) -> None:
        """Fill in a template and write the page at ``path``; ``root`` leads from there to the front page.

        Args:
            data: files below the public folder that say the same to programs; those that are there are linked.
        """
        feed = "feed.atom" if (self.public / "feed.atom").is_file() else ""
        up = from_page(self.tree, path)
        tongues = [] if path == MISSING else self.tongues
        html = self.templates.get_template(template).render(
            t=self.texts,
            root=root if root is not None else "../" * path.count("/"),
            here=path,
            menu=MENU,
            feed=feed,
            linked=script(linked) if linked else "",
            address=self.address(path) if path != MISSING else "",
            switch=[(t.language, t.name, f"{up}{t.tree}{path}") for t in tongues if t.language != self.texts.language],
            alternates=[(t.language, f"{self.base_url}/{t.tree}{path}") for t in tongues] if self.base_url else [],
            data=[name for name in data if (self.public / name).is_file()],
            shown=self.texts.get("front.shown"),
            **values,
        )
        if template in LINKED:
            html = with_links(html, self.texts, root if root is not None else "../" * path.count("/"))
        if self.tree:
            html = towards_data(html, path, tree=self.tree, own=lambda name: (self.writer.public / name).is_file())
        self.writer.write(path, in_html(html))


@lru_cache(maxsize=8)
def environment(reports: Path) -> Environment:
    """Jinja2 with escaping on and an error for every name that is not given; a template is compiled when it has changed."""
    return Environment(
        loader=FileSystemLoader(reports / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def trusted(html: str) -> Markup:
    """Markup that templates must not escape again: our own drawings and texts, whose words were escaped as they were put in."""
    return Markup(html)  # noqa: S704


def script(data: Mapping[str, Any]) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return trusted(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@dataclass(frozen=True)
class Cell:
    """One cell of a table of values; ``n`` for a number."""

    text: str
    n: bool = False


@dataclass(frozen=True)
class Row:
    name: str
    cells: Sequence[Cell]
    href: str = ""


@dataclass(frozen=True)
class Rows:
    """A table of values, as the templates draw it; ``marks`` explains the marks that occur in it."""

    caption: str
    head: Sequence[Cell]
    rows: Sequence[Row]
    marks: str = ""
    sortable: bool = False


@dataclass(frozen=True)
class Card:
    """A big number with its interval, or a word in its place."""

    label: str
    value: str
    unit: str = ""
    interval: str = ""
    note: str = ""
    bar: Markup | str = ""
    ends: tuple[str, str] = ("", "")
    word: bool = False


@dataclass(frozen=True)
class Notice:
    text: str
    css: str = ""
    href: str = ""
    link: str = ""
