"""What search engines read first: ``robots.txt`` and the sitemap, of every page that the site has now."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dp_stats.site.frame import EMBED, MISSING, Site
from dp_stats.site.writer import digest

MOST = 50_000
"""Pages that one sitemap may list (sitemaps.org)."""
_SCHEMA = "http://www.sitemaps.org/schemas/sitemap/0.9"


def sitemap(sites: Sequence[Site]) -> None:
    """Write ``sitemap.xml`` and ``robots.txt``, where the site's address is known; called when all other pages are made.

    More pages than one file may list are in ``sitemap-1.xml`` and so on, which ``sitemap.xml`` then lists.

    Args:
        sites: the site in each language, the first one at the root.
    """
    root = sites[0]
    if not root.base_url:
        return
    pages = sorted(
        {
            f"{site.tree}{file}"
            for site in sites
            for job in site.writer.jobs.values()
            for file in job["files"]
            if file.endswith(".html") and file != MISSING and not file.endswith(f"/{EMBED}")
        }
    )
    if not root.writer.due("sitemap", digest(root.base_url, *pages)):
        return
    parts = [
        _listed("urlset", "url", root, part) for part in (pages[at : at + MOST] for at in range(0, len(pages), MOST))
    ]
    if len(parts) > 1:
        names = [f"sitemap-{number}.xml" for number in range(1, len(parts) + 1)]
        for name, part in zip(names, parts, strict=True):
            root.writer.write(name, part)
        parts = [_listed("sitemapindex", "sitemap", root, names)]
    root.writer.write("sitemap.xml", parts[0] if parts else _listed("urlset", "url", root, ()))
    root.writer.write("robots.txt", f"User-agent: *\nAllow: /\nSitemap: {root.base_url}/sitemap.xml\n")


def _listed(whole: str, each: str, site: Site, paths: Sequence[str]) -> str:
    lines = "".join(f"<{each}><loc>{escape(f'{site.base_url}/{path}')}</loc></{each}>\n" for path in paths)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{whole} xmlns="{_SCHEMA}">\n{lines}</{whole}>\n'
