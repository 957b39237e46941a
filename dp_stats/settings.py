"""Where things are: the catalogue, the state folder, the ledger and the public site.

Every value comes from an environment variable (``DP_STATS_…``) or its default, so that a task in a
worker and a command in a shell see the same places.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Places a run reads from and writes to.

    Attributes:
        home: the state folder (``DP_STATS_HOME``); ``catalogue``: the declarations (``DP_STATS_CATALOGUE``).
        expectations: Great Expectations suites (``DP_STATS_EXPECTATIONS``); a folder ``expectations`` inside
            the catalogue is searched first, so that a catalogue can be carried in one piece.
        reports: page templates and texts (``DP_STATS_REPORTS``).
        ledger_url: SQLAlchemy URL (``DP_STATS_LEDGER_URL``; SQLite in the state folder by default).
        public: where editions are published: a folder, or an fsspec URL such as ``s3://bucket/statistics``
            to which the local public folder is copied (``DP_STATS_PUBLIC``).
        ckan_url, ckan_organisation, ckan_key_env: a CKAN site that public editions are registered at
            (``DP_STATS_CKAN_URL``, ``DP_STATS_CKAN_ORGANISATION``), and the name of the environment variable that
            holds its API key (``DP_STATS_CKAN_KEY_ENV``); off by default.
        base_url: address of the published site in metadata that needs absolute links (``DP_STATS_BASE_URL``).
    """

    home: Path
    catalogue: Path
    expectations: Path
    reports: Path
    ledger_url: str
    public: str
    base_url: str
    ckan_url: str = ""
    ckan_organisation: str = ""
    ckan_key_env: str = "CKAN_API_KEY"

    @property
    def secure(self) -> Path:
        """The only folder that ever holds rows (mode 0700)."""
        return self.home / "secure"

    @property
    def work(self) -> Path:
        """Estimates on their way to publication; no rows."""
        return self.home / "work"

    @property
    def requests(self) -> Path:
        """Ad hoc releases that analysts asked for."""
        return self.home / "requests"

    @property
    def public_dir(self) -> Path:
        """The local copy of the published site."""
        return self.home / "public" if "://" in self.public else Path(self.public)

    def override(self, *, home: Path | None = None, catalogue: Path | None = None) -> Settings:
        """These settings with another state or catalogue folder, and what depends on them moved along."""
        environ = dict(os.environ)
        environ["DP_STATS_HOME"] = str(home or self.home)
        environ["DP_STATS_CATALOGUE"] = str(catalogue or self.catalogue)
        moved = load_settings(environ)
        return moved if home else replace(moved, ledger_url=self.ledger_url, public=self.public)


def load_settings(environ: dict[str, str] | None = None) -> Settings:
    """Read the settings from the environment; relative paths are taken from the current folder."""
    env = dict(os.environ) if environ is None else environ
    home = Path(env.get("DP_STATS_HOME", "home")).absolute()
    return Settings(
        home=home,
        catalogue=Path(env.get("DP_STATS_CATALOGUE", str(ROOT / "dags" / "catalogue"))).absolute(),
        expectations=Path(env.get("DP_STATS_EXPECTATIONS", str(ROOT / "expectations"))).absolute(),
        reports=Path(env.get("DP_STATS_REPORTS", str(ROOT / "reports"))).absolute(),
        ledger_url=env.get("DP_STATS_LEDGER_URL", f"sqlite:///{home / 'ledger.db'}"),
        public=env.get("DP_STATS_PUBLIC", str(home / "public")),
        base_url=env.get("DP_STATS_BASE_URL", "http://127.0.0.1:8000").rstrip("/"),
        ckan_url=env.get("DP_STATS_CKAN_URL", ""),
        ckan_organisation=env.get("DP_STATS_CKAN_ORGANISATION", ""),
        ckan_key_env=env.get("DP_STATS_CKAN_KEY_ENV", "CKAN_API_KEY"),
    )
