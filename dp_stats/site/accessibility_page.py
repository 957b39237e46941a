"""The accessibility statement: what the software knows of its pages and their publisher declares, in the form of the law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dp_stats.catalogue.accessibility import Accessibility
from dp_stats.outlets.statement import declared_statement
from dp_stats.site.frame import Site, trusted
from dp_stats.site.site_pages import text_page
from dp_stats.texts.foreign import foreign


def accessibility_page(site: Site) -> None:
    """``accessibility.html``; what its publisher has not declared, it says is not declared."""
    contacts = dict.fromkeys(
        v.latest.edition.release.contact for v in site.releases if v.latest.edition.release.contact
    )
    declared = declared_statement(site.public)
    said = _declared(site, declared) if declared else _undeclared(site, list(contacts))
    body = trusted(site.texts.page("accessibility", **said))
    text_page(site, "accessibility", "accessibility.html", template="text.html", body=body, link=None)


def _undeclared(site: Site, contacts: Sequence[str]) -> dict[str, str]:
    texts = site.texts
    told = texts("accessibility.contacts", contacts=", ".join(contacts)) if contacts else ""
    return {
        "run_by": "",
        "feedback": f"{texts('accessibility.write_to_releases')} {told}".strip(),
        "enforcement": texts("accessibility.enforcement"),
        "committed": "",
        "problems": "",
        "burdens": texts("accessibility.no_burdens"),
        "plans": "",
        "prepared": texts("accessibility.undated"),
    }


def _declared(site: Site, declared: Accessibility) -> dict[str, str]:
    texts = site.texts
    words = _Words(site, declared)
    who = words("organisation")
    dated = [texts("accessibility.prepared", day=texts.day(declared.prepared))]
    dated += [texts("accessibility.reviewed", day=texts.day(declared.reviewed))] if declared.reviewed else []
    if declared.tested:
        dated.append(texts("accessibility.tested", day=texts.day(declared.tested)))
        dated += [texts("accessibility.tested_by", who=words("tested_by"))] if declared.tested_by else []
        dated += [words("how_tested")] if declared.how_tested else []
    plans = words("plans")
    return {
        "run_by": texts("accessibility.run_by", organisation=who),
        "feedback": texts.plural("accessibility.write_to", declared.answer_days, contact=words("contact")),
        "enforcement": words("enforcement") or texts("accessibility.enforcement"),
        "committed": texts("accessibility.committed", organisation=who),
        "problems": _items(words.each("problems")),
        "burdens": _items(words.each("burdens")) or texts("accessibility.no_burdens"),
        "plans": f"## {texts('accessibility.plans')}\n\n{plans}" if plans else "",
        "prepared": " ".join(dated),
    }


class _Words:
    """What is declared, in the page's language, or marked as being in that of the declaration."""

    def __init__(self, site: Site, declared: Accessibility) -> None:
        self._declared, self._said = declared, declared.languages.get(site.texts.language)
        own = site.tongues[0].language if site.tongues else site.texts.language
        self._other = own if own != site.texts.language else ""

    def __call__(self, name: str) -> str:
        return self._in(getattr(self._declared, name), getattr(self._said, name, ""))

    def each(self, name: str) -> list[str]:
        here: Any = getattr(self._said, name, ())
        listed = getattr(self._declared, name)
        return [self._in(one, here[at] if at < len(here) else "") for at, one in enumerate(listed)]

    def _in(self, text: str, here: str) -> str:
        line = " ".join((here or text).split())
        return foreign(line, self._other) if self._other and not here else line


def _items(texts: Sequence[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)
