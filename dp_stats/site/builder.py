"""Build the site from the edition folders alone, all of it or only what changed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dp_stats import files
from dp_stats.charts.drawing import Studio
from dp_stats.charts.maps import layout_of
from dp_stats.charts.merged_areas import FILE
from dp_stats.charts.outline import area_levels
from dp_stats.charts.reading import ReleaseView, releases
from dp_stats.editions import formats
from dp_stats.editions.edition import Edition
from dp_stats.editions.isolated import noted, said, without_failing
from dp_stats.editions.languages import said_in
from dp_stats.editions.latest import folder_lock
from dp_stats.editions.revisions import STATUS
from dp_stats.outlets import places
from dp_stats.outlets.budgets import budget_json
from dp_stats.outlets.restricted import RestrictedUse, restricted_uses
from dp_stats.outlets.statement import FILE as STATEMENT
from dp_stats.settings import Settings, shipped
from dp_stats.site import budget_page, edition_pages, parts, record_pages, release_pages, site_pages, sitemap
from dp_stats.site.accessibility_page import accessibility_page
from dp_stats.site.area_pages import area_pages
from dp_stats.site.common import area_links, shown_together
from dp_stats.site.frame import Site, environment
from dp_stats.site.tongues import Tongue
from dp_stats.site.writer import MANIFEST, Writer, digest
from dp_stats.texts.words import Texts

LISTS = ("feed.atom", "catalog.jsonld", "register.json", "calendar.ics", "corrections.json", "budget.json")
"""Files that pages link to where they are there."""
PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Rough:
    """A build that nobody keeps: each page is made and none put in place, and pictures are rough.

    ``areas``: how many areas of a kind get their page (None: each).
    """

    areas: int | None = None


@dataclass(frozen=True)
class Built:
    """What a build did: files written, left as they were, and removed; and how long it took in seconds.

    ``not_shown`` names each release that could not be shown, and why; its page says that it cannot be shown now.
    """

    written: int
    kept: int
    removed: int
    seconds: float
    not_shown: Mapping[str, str] = field(default_factory=dict)


def build(
    public: Path,
    *,
    reports: Path | None = None,
    base_url: str = "",
    language: str = "en",
    further: Sequence[str] = (),
    incremental: bool = True,
    isolate: bool = True,
    rough: Rough | None = None,
    restricted: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Built:
    """Write every page of the site below ``public``.

    Equal editions give equal pages. Pages whose sources (editions, templates, texts, this code) have not
    changed since the last build are left alone; pages that nothing makes any more are removed. A page is
    put in place in one step, and the files of an edition are never touched.

    Args:
        public: the public folder with the editions. reports: templates, texts, style (default: those that come with the package).
        base_url: address of the public folder, for metadata and citations; no slash at the end.
        further: languages in which every page is made, too, each in a folder of its own (``cy/``).
        incremental: False writes everything anew.
        isolate: a release that cannot be shown gets a page that says so, and the others are built; False: its error is raised.
        rough: keep nothing of what is made (a rehearsal).
        restricted: the folder of editions that are not public, of whose use the register tells.
        progress: called with each step's name.

    Raises:
        CatalogueError: a text or a template is missing. PublishedError: without ``isolate``, an edition cannot be read.
    """
    started = time.monotonic()
    reports = reports or shipped("reports")
    say = progress or (lambda _: None)
    public.mkdir(parents=True, exist_ok=True)
    with folder_lock(public):
        spoken = [Texts.load(reports, one, marked=bool(further)) for one in (language, *further)]
        tongues = Tongue.each(spoken[0], spoken[1:])
        put = files.could_replace if rough else files.replace_file
        not_shown: dict[str, str] = {}
        untold: dict[str, str] = {}
        uses = tuple(restricted_uses(restricted, untold))
        sites: list[Site] = []
        known: dict[Path, Edition] = {}
        made_by = digest(base_url, tongues, *sources(reports))
        for texts, tongue in zip(spoken, tongues, strict=True):
            writer = Writer(public / tongue.tree, incremental=incremental, put=put)
            views, unreadable = releases(public, texts, known=known)
            site = Site(
                public,
                reports,
                texts,
                environment(reports),
                writer,
                views,
                base_url.rstrip("/"),
                said_of_uses(uses, texts),
                tongue.tree,
                tongues,
            )
            not_shown |= _isolated(site, unreadable, digest(made_by, tongue), isolate, rough, say)
            sites.append(site)
        sitemap.sitemap(sites)
        removed = sum(site.writer.finish() for site in sites) + _without_others(public, tongues, put)
    written, kept = (sum(numbers) for numbers in zip(*((s.writer.written, s.writer.kept) for s in sites), strict=True))
    return Built(written, kept, removed, time.monotonic() - started, {**untold, **not_shown})


def build_for(settings: Settings, *, incremental: bool = True) -> Built:
    """Write the site of a deployment, in the languages that it publishes in."""
    return build(
        settings.public_dir,
        reports=settings.reports,
        base_url=settings.base_url,
        language=settings.language,
        further=settings.further_languages,
        incremental=incremental,
        restricted=settings.restricted,
    )


def said_of_uses(uses: Sequence[RestrictedUse], texts: Texts) -> tuple[RestrictedUse, ...]:
    """Uses that are not for the public, as they read in a language."""
    return tuple(replace(use, editions=tuple(said_in(e, texts) for e in use.editions)) for use in uses)


def _without_others(public: Path, tongues: Sequence[Tongue], put: files.Put) -> int:
    """Remove the pages of languages that the site is not made in any more; how many they were."""
    spoken = {tongue.tree for tongue in tongues}
    left = [found.parent for found in public.glob(f"*/{MANIFEST}") if f"{found.parent.name}/" not in spoken]
    return sum(Writer(folder, incremental=True, put=put).finish() for folder in left)


def _isolated(
    site: Site,
    unreadable: Mapping[str, Exception],
    tools: str,
    isolate: bool,
    rough: Rough | None,
    say: Callable[[str], None],
) -> dict[str, str]:
    """Build every page; a release that fails anywhere gets a page that says so. Returns those, with what they failed with."""
    if unreadable and not isolate:
        raise next(iter(unreadable.values()))
    not_shown = {id: said(error) for id, error in unreadable.items()}
    titles = dict.fromkeys(unreadable, "")
    everything = [tools, *(f"{path} {sums}" for use in site.uses for path, sums in use.checksums.items())]
    for path in (site.public / STATEMENT, site.public / site.tree / site_pages.CALENDAR):
        everything.append(digest(path.read_bytes()) if path.is_file() else "")
    since = max((v.latest.edition.published for v in site.releases if v.current), default=None)
    for view in sorted(site.releases, key=lambda view: bool(view.renamed)):  # their pages lead to those of others
        titles[view.id] = view.latest.edition.release.title
        with noted(not_shown, view.id, isolate=isolate):
            due = site_pages.planned(replace(site, releases=(view,)), since)
            next_due = site.texts.day(due[0].local.date()) if due else ""
            everything.append(_release(site, view, tools, next_due, rough, say))
    feeds = [str((site.public / name).is_file()) for name in LISTS]
    views = {view.id: view for view in site.releases if view.id not in not_shown}

    def together(ids: Collection[str]) -> None:
        """The pages that speak of all these releases."""
        part = replace(site, releases=tuple(views[id] for id in ids))
        if site.writer.due("site", digest(*everything, *feeds, *sorted(not_shown), *ids)):
            say("front page and registers")
            _whole(part)

    if isolate:
        failed = without_failing(list(views), together)[1]
        not_shown |= failed
    else:
        together(list(views))
    for id in not_shown:
        site_pages.not_shown_page(site, id, titles[id] or id)
    return not_shown


def _whole(site: Site) -> None:
    """The pages that speak of all releases."""
    _assets(site)
    site_pages.front_page(site)
    site_pages.plain_pages(site)
    accessibility_page(site)
    record_pages.corrections_page(site)
    record_pages.register_page(site)
    budget_page.budget_page(site)
    record_pages.calendar_page(site, site_pages.calendar(site))
    site_pages.data_page(site)


def sources(reports: Path) -> list[bytes]:
    """Everything but the editions that pages are made from."""
    code = sorted(PACKAGE.rglob("*.py"))  # of every room: charts draw for pages, texts and editions word them
    looks = sorted(p for p in reports.rglob("*") if p.is_file())
    return [part for path in (*code, *looks) for part in (path.name.encode(), path.read_bytes())]


def _release(
    site: Site, view: ReleaseView, tools: str, next_due: str, rough: Rough | None, say: Callable[[str], None]
) -> str:
    """Build the pages of one release; a digest of its sources."""
    facts = {
        r.edition.path: digest(
            (r.folder / formats.CHECKSUMS).read_bytes(), (site.public / r.edition.id / STATUS).read_bytes(), r.status
        )
        for r in (*view.earlier, *view.revisions)
    }
    led_to = sorted(site.writer.files_of(view.renamed)) if view.renamed else ()
    before = site.public / view.id / FILE
    merged = [before.read_bytes()] if before.is_file() else []
    also = site.public / view.id / places.FILE
    found_by = [also.read_bytes()] if also.is_file() else []
    whole = digest(tools, next_due, *sorted(facts.items()), *led_to, *merged, *found_by)
    story = parts.outline_of(view)
    area_job, tiles_needed = f"{view.id}/areas", story.areas is not None
    tiles = None
    if story.areas is not None and not shown_together(view, area_levels(view.latest.edition, story)[0][0]):
        tiles = layout_of(view.latest.edition, story.areas, kept=site.reports / "layouts")
    dataset = view.latest.edition.dataset.id
    told = digest(whole, budget_json({id: spend for id, spend in site.budgets.items() if id == dataset}))
    if site.writer.due(view.id, told):
        say(f"{view.id}: release and charts")
        studio = Studio(site.reports, site.texts, rough=rough is not None)
        release_pages.release_page(site, view, story, tiles, studio, next_due)
        if view.renamed:
            site_pages.moved_pages(site, view, _pages(site, view.id))
    if tiles_needed and site.writer.due(area_job, whole):
        say(f"{view.id}: areas")
        for _ in area_pages(site, view, story, tiles, most=rough.areas if rough else None):
            pass
        if view.renamed:
            site_pages.moved_pages(site, view, _pages(site, area_job))
    say(f"{view.id}: editions")
    order = [r.edition.path for r in view.current]
    areas = digest(*sorted(area_links(view, story).values()))
    for revision in view.revisions:
        path = revision.edition.path
        at = order.index(path) if path in order else -1
        around = [order[i] for i in (at - 1, at + 1) if at >= 0 and 0 <= i < len(order)]
        same = [facts[r.edition.path] for r in view.revisions if r.edition.id == revision.edition.id]
        key = digest(tools, facts[path], *same, *(f"{p}{facts[p]}" for p in around), story, areas)
        if site.writer.due(path, key):
            edition_pages.edition_page(site, view, story, tiles, revision)
    return told


def _pages(site: Site, job: str) -> list[str]:
    """The pages of a job, without its pictures and tables."""
    return [file for file in dict.fromkeys(site.writer.jobs[job]["files"]) if file.endswith(".html")]


def _assets(site: Site) -> None:
    """The style sheet, the script and the icon: one for all languages."""
    if site.tree:
        return
    for path in sorted((site.reports / "assets").iterdir()):
        content, leaner = path.read_bytes(), LEAN.get(path.suffix)
        site.writer.write(f"assets/{path.name}", leaner(content.decode()) if leaner else content)


def lean(script: str) -> str:
    """A script without indentation and lines of comment: a quarter less to load. No template of ours goes over several lines."""
    lines = (line.strip() for line in script.split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"


def lean_style(style: str) -> str:
    """A style sheet without comments, and without blanks that nothing needs: a tenth less to load."""
    style = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL))
    return re.sub(r" ?([{};,]) ?|(?<=:) ", r"\1", style).replace(";}", "}").strip() + "\n"


LEAN: dict[str, Callable[[str], str]] = {".js": lean, ".css": lean_style}
