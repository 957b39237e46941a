"""From the ledger alone every published file is made again, byte for byte, or what stands against it is said."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dp_stats import pipeline, publishing, requests
from dp_stats.editions.verify import verify_public
from dp_stats.errors import PublishedError
from dp_stats.ledger import Ledger
from dp_stats.operations import upkeep
from dp_stats.plan.sealed import references
from dp_stats.requests.showing import facts_of
from dp_stats.settings import Settings
from tests.conftest import copied, make_clinic

FIRST, SECOND = "visits/2024-W02", "visits/2024-W03"
FORM = {
    "dataset": "visits",
    "by": ["visits/clinic/district"],
    "period": "2024-01-01--2024-01-10",
    "epsilon": 1,
    "purpose": "To plan how many nurses are needed.",
    "audience": "restricted",
}
ROOT = Path(__file__).resolve().parents[2]
RELEASE, CODES = "releases/visits.yaml", "codes/clinics.csv"


def ask_and_approve(form: dict[str, Any]) -> str:
    """The edition of a request that the custodian has approved."""
    name = requests.ask(form, requested_by="analyst").id
    card = requests.card(name)
    requests.decide(name, approver="custodian", decision="approved", reason="Useful.", shown=facts_of(card))
    return requests.request(name).edition


def publish_originals(root: Path) -> None:
    """A week with a correction, a week that was retracted, and a request for a restricted audience."""
    (root / "home").mkdir(parents=True)
    make_clinic(root / "catalogue")
    pipeline.run_edition(FIRST)
    pipeline.run_edition(FIRST, revision=2, reason="A clinic sent its visits twice.")
    pipeline.run_edition(SECOND)
    pipeline.retract(SECOND, reason="Test rows.")
    pipeline.run_edition(ask_and_approve(FORM))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was published; each test works on a copy of it."""
    root = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DP_STATS_HOME", str(root / "home"))
        patch.setenv("DP_STATS_CATALOGUE", str(root / "catalogue"))
        publish_originals(root)
    return root


@pytest.fixture
def settings(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return copied(original, tmp_path, monkeypatch)


def everything(home: Path) -> dict[str, str]:
    """Every file that readers get, with its SHA-256; without locks."""
    found = {}
    for place in ("public", "restricted"):
        for path in (home / place).rglob("*"):
            if path.is_file() and path.name != ".lock":
                found[path.relative_to(home).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def lose_half(home: Path) -> None:
    """Every other file of the editions, an altered one, and all that spans editions."""
    for folder in [path for place in ("public", "restricted") for path in home.glob(f"{place}/*/*/r[0-9]")]:
        for number, path in enumerate(sorted(folder.iterdir())):
            if number % 2:
                path.unlink()
            elif number == 0:
                path.write_text("altered")
    for path in (home / "public").iterdir():
        if path.is_file():
            path.unlink()
    shutil.rmtree(home / "public" / "api")
    (home / "public" / SECOND / "retractions.json").unlink()


def lose_all_but_the_ledger(settings: Settings) -> None:
    """Also what the catalogue said: it has other names and texts today, and the request's form is gone."""
    for folder in (settings.public_dir, settings.restricted, settings.work, settings.requests):
        shutil.rmtree(folder, ignore_errors=True)
    for file, old, new in ((CODES, "North", "The north"), (RELEASE, "Visits to four clinics.", "Another summary.")):
        path = settings.catalogue / file
        path.write_text(path.read_text().replace(old, new))


OTHER_PROCESSOR = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Prescott",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
}
"""Other kernels of linear algebra and of numpy, on one thread: last digits differ."""


def recovery_of_the_docs() -> list[list[str]]:
    """The commands that the manual gives for lost files."""
    section = (ROOT / "docs" / "how-to" / "production.md").read_text(encoding="utf-8").partition("## Lost files")[2]
    lines = section.partition("```sh\n")[2].partition("```")[0].splitlines()
    return [line.removeprefix("dp-stats ").split() for line in lines]


def run(command: list[str], **environment: str) -> str:
    """What a command prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "dp_stats.cli.main", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_ledger_alone_says_which_editions_are_for_a_few(settings: Settings) -> None:
    """Neither what is declared and asked for today nor which folders there are."""
    (edition,) = (p.edition for p in Ledger.open(settings.ledger_url).publications() if "adhoc" in p.edition)
    shutil.rmtree(settings.requests)
    weekly = settings.catalogue / RELEASE
    weekly.write_text(weekly.read_text() + "audience: restricted\n")
    assert upkeep.verify_published() == 4
    shutil.copytree(settings.restricted / edition, settings.public_dir / edition)
    with pytest.raises(PublishedError, match=f"{edition}/r1: extra"):
        upkeep.verify_published()
    shutil.rmtree(settings.restricted)
    with pytest.raises(PublishedError, match=f"{edition}/r1: missing"):
        upkeep.verify_published()


def test_each_file_of_an_older_edition_is_read_once_in_four_weeks_and_its_loss_is_found_every_night(
    settings: Settings,
) -> None:
    first = Ledger.open(settings.ledger_url).publications()[0]
    altered = settings.public_dir / first.edition / "r1" / "privacy.json"
    content = altered.read_bytes()
    altered.write_bytes(content + b" ")

    def found(days: int) -> bool:
        try:
            upkeep.verify_published(night=first.at.date() + timedelta(days=days))
        except PublishedError as error:
            return "privacy.json" in str(error)
        return False

    assert all(found(days) for days in (0, 1, upkeep.ALL_READ)), "a new edition is read every night"
    later = [days for days in range(upkeep.ALL_READ + 1, 3 * upkeep.ALL_READ + 1) if found(days)]
    assert len(later) == 2, "an older one once in so many nights"
    assert later[1] - later[0] == upkeep.ALL_READ
    altered.unlink()
    assert all(found(days) for days in range(upkeep.ALL_READ + 1, 2 * upkeep.ALL_READ, 9))
    altered.write_bytes(content)
    assert upkeep.verify_published() == 4


def test_whatever_is_lost_is_made_again_byte_for_byte(settings: Settings) -> None:
    before = everything(settings.home)
    assert sum(name.endswith("/edition.json") for name in before) == 4 + 2, "four revisions, two of them also as latest"
    entries = Ledger.open(settings.ledger_url).head()
    shutil.rmtree(settings.work)
    assert {r.state for r in pipeline.rebuild()} == {"whole"}

    lose_half(settings.home)
    right = {
        path: path.stat().st_mtime_ns
        for path in settings.public_dir.glob("*/*/r[0-9]/*")
        if path.read_bytes() != b"altered"
    }
    assert {r.state for r in pipeline.rebuild()} == {"made again"}
    assert everything(settings.home) == before
    assert {path: path.stat().st_mtime_ns for path in right} == right, "what was right is left alone"

    lose_all_but_the_ledger(settings)
    commands = recovery_of_the_docs()
    assert commands[1] == ["rebuild"]
    printed = [run(command, **OTHER_PROCESSOR) for command in commands]
    assert "4 published: 0 were whole, 4 made again." in printed[1]
    assert everything(settings.home) == before
    assert Ledger.open(settings.ledger_url).head() == entries, "making again records nothing"


def alter_part(settings: Settings, name: str) -> None:
    """Put other bytes in place of a part of what the ledger keeps."""
    with sqlite3.connect(settings.home / "ledger.db") as raw:
        raw.execute("DROP TRIGGER ledger_parts_update")
        changed = raw.execute("UPDATE ledger_parts SET content = ? WHERE hash = ?", [zlib.compress(b"{}"), name])
        assert changed.rowcount == 1


def alter_vector(settings: Settings) -> None:
    """One noisy count is another one."""
    with sqlite3.connect(settings.home / "ledger.db") as raw:
        raw.execute("DROP TRIGGER ledger_measurements_update")
        where = f"edition = '{SECOND}'"
        (content,) = raw.execute(f"SELECT content FROM ledger_measurements WHERE {where}").fetchone()
        raw.execute(
            f"UPDATE ledger_measurements SET content = ? WHERE {where}", [content[:-1] + bytes([content[-1] ^ 1])]
        )


@pytest.mark.slow
def test_from_an_altered_ledger_nothing_is_made(settings: Settings) -> None:
    folder = settings.public_dir / SECOND / "r1"
    shutil.rmtree(folder)
    ledger = Ledger.open(settings.ledger_url)
    made, said = ledger.latest(SECOND), ledger.description(SECOND)
    assert made is not None
    assert said is not None
    spare = (settings.home / "ledger.db").read_bytes()
    alterations: list[Callable[[], None]] = [
        lambda: alter_vector(settings),
        *(lambda name=name: alter_part(settings, name) for name in (made.plan_hash, said.document, said.looks)),  # type: ignore[misc]
    ]
    for alter in alterations:
        alter()
        (found,) = publishing.rebuild(settings, edition=SECOND)
        assert (found.state, folder.exists()) == ("refused", False)
        assert "Restore the ledger from its backup" in found.why
        (settings.home / "ledger.db").write_bytes(spare)


@pytest.mark.slow
def test_bytes_that_are_not_those_that_were_published_are_never_written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settings.public_dir / SECOND / "r1"
    shutil.rmtree(folder)
    monkeypatch.setattr("dp_stats.editions.readers_kit.snippets", lambda *_, **__: {"r": "another way"})
    monkeypatch.setattr(publishing, "version", lambda name: "0.0")
    (found,) = publishing.rebuild(settings, edition=SECOND)
    assert (found.state, folder.exists()) == ("refused", False)
    assert "readers-kit.md, ro-crate-metadata.json." in found.why, "only what differs is named"
    assert "pandas" in found.why
    assert "(here 0.0)" in found.why
    assert not list(folder.parent.glob(".*part"))
    with pytest.raises(PublishedError, match="never published"):
        publishing.rebuild(settings, edition="visits/2030-W01")


class Killed(BaseException):
    """What a process meets that is killed."""


def killed(*_: Any, **__: Any) -> Any:
    raise Killed


@pytest.mark.slow
def test_a_publication_that_was_killed_goes_on_with_what_it_said_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    third, folder = "visits/2024-W04", settings.public_dir / "visits/2024-W04/r1"
    for step in (pipeline.pull, pipeline.check, pipeline.reserve, pipeline.measure):
        step(third)
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "publish_edition", killed)
        with pytest.raises(Killed):
            pipeline.publish(third)
    said = Ledger.open(settings.ledger_url).description(third)
    assert said is not None
    assert not folder.exists()
    codes = settings.catalogue / CODES
    codes.write_text(codes.read_text().replace("North", "The north"))
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "published", killed)
        patch.setattr("dp_stats.editions.describe.describe", killed)
        with pytest.raises(Killed):
            pipeline.publish(third)
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert b"The north" not in written["clinic-day.csv"]
    assert f'"published": "{said.published.isoformat()}"'.encode() in written["edition.json"]
    assert Ledger.open(settings.ledger_url).publication(third) is None
    pipeline.publish(third)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == written
    ledger = Ledger.open(settings.ledger_url)
    events = [e.event for e in ledger.entries() if e.payload.get("edition") == third]
    assert events[-2:] == ["publishing", "published"]
    assert ledger.problems() == []
    assert verify_public(settings.public_dir) == []

    shutil.rmtree(folder)
    pipeline.publish(third)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == written, (
        "publishing again makes it whole, too"
    )


@pytest.mark.slow
def test_what_an_earlier_version_published_is_kept_from_its_own_files_or_refused_in_words(settings: Settings) -> None:
    folder = settings.public_dir / SECOND / "r1"
    as_before_descriptions(settings)
    ledger = Ledger.open(settings.ledger_url)
    assert ledger.description(SECOND) is None
    spare = shutil.copytree(folder, settings.home / "spare")
    shutil.rmtree(folder)
    (found,) = publishing.rebuild(settings, edition=SECOND)
    assert found.state == "refused"
    assert "earlier version of dp_stats" in found.why
    shutil.copytree(spare, folder)
    assert [r.state for r in publishing.rebuild(settings, edition=SECOND)] == ["whole"]
    assert ledger.problems() == []
    shutil.rmtree(folder)
    assert [r.state for r in publishing.rebuild(settings, edition=SECOND)] == ["made again"]
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {p.name: p.read_bytes() for p in spare.iterdir()}


def as_before_descriptions(settings: Settings) -> None:
    """The ledger as an earlier version would have written it: no descriptions, no checksums, no retractions."""
    from dp_stats.ledger.chain import link
    from dp_stats.ledger.database import Database

    old = settings.home / "ledger.db"
    source = Ledger.open(old, read_only=True)
    entries = source.entries()
    with sqlite3.connect(old) as raw:
        content = dict(raw.execute("SELECT reservation, content FROM ledger_measurements").fetchall())
        kept = dict(raw.execute("SELECT hash, content FROM ledger_parts").fetchall())
    new = settings.home / "older.db"
    Ledger.open(new)
    with sqlite3.connect(new) as raw:
        for table in ("entries", "head"):
            raw.execute(f"DROP TRIGGER IF EXISTS ledger_{table}_delete")
            raw.execute(f"DELETE FROM ledger_{table}")
    with Database(new, read_only=False).write(migrating=True) as connection:
        last = None
        for entry in entries:
            payload = dict(entry.payload)
            if entry.event in ("publishing", "retracted"):
                continue
            payload.pop("software", None)
            last = link(
                connection,
                previous=last,
                now=entry.at,
                event=entry.event,
                payload=payload,
                content=content.get(payload.get("reservation", 0)) if entry.event == "stored" else None,
            )
    documents = [e.payload[name] for e in entries if e.event == "reserved" for name in ("plan", "aside")]
    needed = {name for document in documents for name in references(zlib.decompress(kept[document]))} | set(documents)
    needed |= {entry.payload["card"] for entry in entries if entry.payload.get("card")}
    with sqlite3.connect(new) as raw:
        raw.executemany(
            "INSERT INTO ledger_parts VALUES (?, ?, ?)",
            [(name, len(zlib.decompress(kept[name])), kept[name]) for name in sorted(needed)],
        )
    new.replace(old)
    (settings.home / "ledger.heads").unlink()
