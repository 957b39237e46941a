"""Where things are and how a deployment is set up: every variable of the product, with its meaning and its default.

Values come from environment variables (``DP_STATS_…``) and nowhere else, so that a task in a worker and a command
in a shell see the same places. An empty variable counts as not set; relative paths are taken from the current folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextvars import ContextVar
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from dp_stats import errors

PREFIX = "DP_STATS_"
_given: ContextVar[EnvSettingsSource | None] = ContextVar("given", default=None)
_CHECKOUT = {"reports": "reports", "expectations": "expectations", "catalogue": "dags/catalogue"}


def shipped(name: Literal["reports", "expectations", "catalogue"]) -> Path:
    """A folder that comes with the package: inside it where a wheel is installed, beside it in a checkout."""
    package = Path(str(resources.files("dp_stats")))
    inside = package / "shipped" / name
    return inside if inside.is_dir() else package.parent / _CHECKOUT[name]


def is_installed(folder: Path) -> bool:
    """Whether a folder came with an installed package: it is no place to write to."""
    return folder.is_relative_to(Path(str(resources.files("dp_stats"))))


Folder = Annotated[Path, AfterValidator(Path.absolute)]


class Notifier(BaseModel):
    """One of Airflow's notifiers, by its class's import path, and what it is made with besides subject and text."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    path: str = Field(alias="class", min_length=1)
    arguments: dict[str, Any] = {}


def _field(default: Any, meaning: str, *, said: str = "", secret: bool = False, **more: Any) -> Any:
    """A variable: its default (or how it follows from others), its meaning, and the default in words for the manual."""
    extra: dict[str, Any] = {"said": said or f"`{default}`"}
    if callable(default):
        return Field(default_factory=default, description=meaning, json_schema_extra=extra, repr=not secret, **more)
    return Field(default, description=meaning, json_schema_extra=extra, repr=not secret, **more)


def _listed(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise PydanticCustomError("no_json", "no JSON") from None


class Settings(BaseSettings):
    """Places a run reads from and writes to, and what a deployment decides once."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", validate_default=True
    )

    home: Folder = _field(Path("home"), "state folder: ledger, secure store, site", said="`home` in the current folder")
    catalogue: Folder = _field(lambda: shipped("catalogue"), "declarations", said="the example that is installed")
    catalogue_version: str = _field(
        "",
        "version of the declarations, which plans and privacy records name, where they do not lie in a Git repository: an image's",
        said="the Git commit of the folder",
    )
    expectations: Folder = _field(
        lambda: shipped("expectations"),
        "suites not found in the catalogue's own `expectations/`",
        said="those that are installed",
    )
    reports: Folder = _field(
        lambda: shipped("reports"), "page templates, texts, chart style and layouts", said="those that are installed"
    )
    language: str = _field("en", "language of what is published: the name of a file in `texts/` of the reports")
    further_languages: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = _field(
        (),
        "other languages that everything is published in, too, with blanks between: names of files in `texts/`, such as `cy`",
        said="none",
    )
    ledger_url: str = _field(
        lambda known: f"sqlite:///{known['home'] / 'ledger.db'}",
        "SQLAlchemy URL of the ledger",
        said="SQLite in the state folder",
        secret=True,
    )
    public: str = _field(
        lambda known: str(known["home"] / "public"),
        "public folder, or an fsspec URL such as `s3://bucket/statistics` to which it is copied",
        said="`public` in the state folder",
    )
    rehearsed: Folder = _field(
        lambda known: known["home"] / "work" / "rehearsed",
        "where it is kept which declarations have been rehearsed; machines that share it rehearse each once",
        said="`work/rehearsed` in the state folder",
    )
    base_url: Annotated[str, AfterValidator(lambda url: url.rstrip("/"))] = _field(
        "http://127.0.0.1:8000", "address of the published site, for absolute links in metadata and feeds"
    )
    new_ledger: str = _field(
        "",
        "the day (UTC, as in `2026-03-01`) on which a first ledger may be made although something was released",
        said="never",
    )
    ckan_url: str = _field("", "address of a CKAN site that public editions are registered at", said="none")
    ckan_organisation: str = _field("", "the organisation there that they belong to", said="none")
    ckan_key_env: str = _field("CKAN_API_KEY", "name of the variable that holds the API key of that site")
    approval_hours: float = _field(
        168.0, "how many hours custodians have to answer a request", said="`168`, a week", gt=0, le=24 * 366
    )
    notifiers: Annotated[tuple[Notifier, ...], NoDecode, BeforeValidator(_from_json)] = _field(
        (),
        'who hears of failures: JSON, a list of `{"class": …, "arguments": {…}}` of Airflow\'s notifiers',
        said="`[]`, nobody",
        secret=True,
    )
    letters: Annotated[tuple[Notifier, ...], NoDecode, BeforeValidator(_from_json)] = _field(
        (),
        "how custodians and analysts are told that a request waits or is answered: JSON as for the notifiers, with `{to}` "
        "where a person's address goes",
        said="`[]`, nobody is told",
        secret=True,
    )
    digest_hours: float = _field(
        0.0,
        "how many hours lie at least between two letters to a custodian, each of which then lists all that waits for her",
        said="`0`, a letter for each request",
        ge=0,
        le=24 * 7,
    )
    addresses: str = _field(
        "", "the address of a user that no dataset declares, such as `{user}@agency.example`", said="none"
    )
    queue: str = _field(
        "",
        "the queue of the Celery workers that mount the state folder; every task of dp_stats waits for one of them",
        said="none: any worker may take them",
    )
    simple_passwords: bool = _field(
        False, "on one machine, for trying out: each user's password is the user's name", said="`false`"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment alone: no file in the current folder can change where rows go."""
        return (_given.get() or env_settings,)

    @property
    def secure(self) -> Path:
        """The only folder that ever holds rows (mode 0700)."""
        return self.home / "secure"

    @property
    def work(self) -> Path:
        """What need not be done twice (rehearsals); no rows, and nothing that is missed when it is lost."""
        return self.home / "work"

    @property
    def requests(self) -> Path:
        """Ad hoc releases that analysts asked for."""
        return self.home / "requests"

    @property
    def withdrawn(self) -> Path:
        """Names of requests that who asked has taken back: all that a web server writes."""
        return self.home / "withdrawn"

    @property
    def restricted(self) -> Path:
        """Published editions that no public server shows."""
        return self.home / "restricted"

    @property
    def heads(self) -> Path:
        """The heads of the ledger that were kept, beside the secure store; only ever appended to."""
        return self.home / "ledger.heads"

    @property
    def public_dir(self) -> Path:
        """The local copy of the published site."""
        return self.home / "public" if "://" in self.public else Path(self.public)

    @property
    def ckan_key(self) -> str | None:
        """The API key of the CKAN site, from the variable that ``ckan_key_env`` names."""
        return os.environ.get(self.ckan_key_env)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment, or from what is given in its place.

    Raises:
        errors.SettingsError: every variable that is wrong, by name, with what to write instead.
    """
    try:
        if environ is None:
            return Settings()
        source = EnvSettingsSource(Settings)
        source.env_vars = {name.lower(): value for name, value in environ.items() if value}
        token = _given.set(source)
        try:
            return Settings()
        finally:
            _given.reset(token)
    except ValidationError as error:
        faults = [f"  {_place(fault['loc'])}: {_remedy(fault)}." for fault in error.errors(include_url=False)]
        raise errors.SettingsError("Environment variables are wrong:\n" + "\n".join(faults)) from None


def _place(loc: tuple[int | str, ...]) -> str:
    first, *rest = (str(part) for part in loc)
    name = first if first.startswith(PREFIX) else PREFIX + first.upper()
    return ".".join([name, *rest])


def _remedy(fault: Any) -> str:
    """What is wrong with a value, without the value: it may be a password."""
    limits = fault.get("ctx") or {}
    said = {
        "float_parsing": "must be a number such as 168",
        "bool_parsing": "must be true or false",
        "greater_than": f"must be above {limits.get('gt')}",
        "less_than_equal": f"must be at most {limits.get('le')}",
        "tuple_type": 'must be a JSON list such as [{"class": "package.Notifier", "arguments": {}}]',
        "model_type": 'must be an object such as {"class": "package.Notifier", "arguments": {}}',
        "no_json": "is no JSON. See the table of settings in the manual",
        "missing": "is missing",
        "extra_forbidden": "is not known here",
    }
    return said.get(fault["type"]) or str(fault["msg"])


def described() -> list[tuple[str, str, str]]:
    """Every variable as (name, meaning, default in words), in the order of the manual."""
    found = []
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        found.append((PREFIX + name.upper(), field.description or "", str(extra["said"])))
    return found
