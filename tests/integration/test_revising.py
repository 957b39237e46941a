"""Revisions by kind: what each costs is said first, earlier files stay, and killed anywhere it is finished and charged once."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import dp_stats.estimate
from dp_stats import pipeline, publishing
from dp_stats.editions.edition import Edition
from dp_stats.editions.revisions import corrections, status_of
from dp_stats.editions.verify import verify_public
from dp_stats.errors import BudgetError, CatalogueError, LedgerError, PublishedError
from dp_stats.estimate import estimator
from dp_stats.estimate.model import EditionEstimates
from dp_stats.ledger import Ledger
from dp_stats.transparency.verifying import verify
from tests.conftest import Clinic, publish_clinic
from tests.killing import dying_in
from tests.warm_python import python

EDITION = "visits/2024-W02"
NEXT = estimator.VERSION + 1
MISSPELT = "The name of a clinic was misspelt."
TWICE = "A clinic sent its visits twice."


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week that is published; each test works on a copy."""
    return publish_clinic(tmp_path_factory.mktemp("revising"), EDITION)


@pytest.fixture
def published(original: Path, clinic: Clinic) -> Clinic:
    """The same week in a catalogue and home of this test alone."""
    shutil.copytree(original / "home", clinic.settings.home)
    return clinic


@pytest.fixture
def better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another estimator, whose values are two more, with its own version."""
    original = dp_stats.estimate.estimate

    def two_more(*args: Any, **kwargs: Any) -> EditionEstimates:
        found = original(*args, **kwargs)
        tables = {
            table: {name: replace(e, value=e.value + 2, upper=e.upper + 2) for name, e in statistics.items()}
            for table, statistics in found.tables.items()
        }
        return replace(found, tables=tables)

    monkeypatch.setattr(dp_stats.estimate, "estimate", two_more)
    monkeypatch.setattr(estimator, "VERSION", NEXT)


def rename(clinic: Clinic, old: str = "North", new: str = "Northern") -> None:
    """Give a clinic another name, in the code list."""
    path = clinic.folder / "codes" / "clinics.csv"
    path.write_text(path.read_text().replace(old, new))


def spent(clinic: Clinic) -> Fraction:
    """All that the ledger has charged."""
    ledger = Ledger.open(clinic.settings.ledger_url)
    return sum((block.spent + block.reserved for block in ledger.blocks("visits")), start=Fraction(0))


def files_of(clinic: Clinic, revision: int) -> dict[str, bytes]:
    """The files of a published revision."""
    folder = clinic.settings.public_dir / EDITION / f"r{revision}"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows(clinic: Clinic, revision: int, table: str = "clinic-week") -> list[dict[str, str]]:
    """A published table."""
    return list(csv.DictReader(files_of(clinic, revision)[f"{table}.csv"].decode().splitlines()))


def edition(clinic: Clinic, revision: int) -> Edition:
    return Edition.load(clinic.settings.public_dir / EDITION / f"r{revision}")


def everywhere(clinic: Clinic, kind: str, reason: str) -> None:
    """Pages, feeds, lists and the API tell of the last revision, of which kind it is and why."""
    public = clinic.settings.public_dir
    state = status_of(public, EDITION).revisions[-1]
    assert (state.kind, state.reason) == (kind, reason)
    line = corrections(public)[0]
    assert (line.kind, line.reason) == (kind, reason)
    assert json.loads((public / "corrections.json").read_text())[0]["kind"] == kind
    said = {"format": "Names, texts or layout", "method": "New method of estimating", "correction": "Measured again"}
    for page in (f"{EDITION}/index.html", "visits/editions.html", "corrections.html"):
        content = (public / page).read_text()
        assert said[kind] in content, page
        assert reason in content, page
    assert reason in (public / "feed.atom").read_text()
    (leaf,) = list(public.glob("api/**/clinic-week.json"))[:1]
    told = json.loads(leaf.read_text())["revisions"]
    assert told == [{"edition": f"{EDITION}/r{state.number}", "kind": kind, "reason": reason}]
    assert not verify_public(public)
    verify(str(public))


def test_a_misspelt_name_is_corrected_at_no_cost_and_no_value_changes(published: Clinic) -> None:
    rename(published)
    before, cost = files_of(published, 1), spent(published)
    proposal = pipeline.propose(EDITION, kind="format", reason=MISSPELT)
    assert [(d.before, d.after) for d in proposal.differences] == [("North", "Northern")]
    assert (proposal.quote, proposal.changed, proposal.revision) == (None, 0, 2)
    assert not (published.settings.public_dir / EDITION / "r2").exists()
    pipeline.revise(EDITION, kind="format", reason=MISSPELT)
    assert spent(published) == cost
    assert files_of(published, 1) == before
    old, new = rows(published, 1), rows(published, 2)
    appeared = {name for row in new for name in row.values()} - {name for row in old for name in row.values()}
    assert {"Northern"} <= appeared <= {"Northern", "2"}, "the revision's number may be a value, too"
    assert all(
        row["value"] == other["value"] and "r" not in row["status"].split() for row, other in zip(new, old, strict=True)
    )
    made = edition(published, 2).revision
    assert (made.kind, made.measurements, made.remeasured, made.supersedes) == ("format", 1, False, 1)
    everywhere(published, "format", MISSPELT)


def test_the_same_revision_asked_for_again_is_the_same_and_nothing_to_change_is_said(published: Clinic) -> None:
    with pytest.raises(PublishedError, match="Nothing would change"):
        pipeline.propose(EDITION, kind="format", reason=MISSPELT)
    rename(published)
    first = pipeline.revise(EDITION, kind="format", reason=MISSPELT)
    assert pipeline.propose(EDITION, kind="format", reason=MISSPELT).state == "published"
    assert pipeline.revise(EDITION, kind="format", reason=MISSPELT) == first
    with pytest.raises(PublishedError, match="Nothing would change"):
        pipeline.propose(EDITION, kind="format", reason="Another reason.")
    rename(published, "South", "Southern")
    assert pipeline.propose(EDITION, kind="format", reason="Another reason.").revision == 3


def test_a_better_estimator_revises_what_is_stored_and_names_its_version(published: Clinic, better: None) -> None:
    before, cost = files_of(published, 1), spent(published)
    with pytest.raises(PublishedError, match="--kind method"):
        pipeline.propose(EDITION, kind="format", reason=MISSPELT)
    proposal = pipeline.propose(EDITION, kind="method", reason="Better.")
    assert proposal.method == (NEXT - 1, NEXT)
    assert proposal.changed == sum(len(rows(published, 1, t)) for t in ("clinic-week", "clinic-day", "district-day"))
    pipeline.revise(EDITION, kind="method", reason="Better.")
    assert spent(published) == cost
    assert files_of(published, 1) == before
    for old, new in zip(rows(published, 1), rows(published, 2), strict=True):
        assert int(new["value"]) == int(old["value"]) + 2
        assert "r" in new["status"].split()
    made = edition(published, 2)
    assert made.provenance.estimator == NEXT
    assert json.loads(before["edition.json"])["provenance"]["estimator"] == NEXT - 1
    everywhere(published, "method", made.revision.reason)
    assert made.revision.reason.startswith("Better. ")
    assert f"version {NEXT} of the method" in made.revision.reason
    assert pipeline.propose(EDITION, kind="method", reason="Better.").state == "published"
    with pytest.raises(PublishedError, match="installed"):
        pipeline.propose(EDITION, kind="method", reason="Still better.")


def test_what_an_older_estimator_made_is_whole_or_says_which_version_makes_it(published: Clinic, better: None) -> None:
    pipeline.revise(EDITION, kind="method", reason="Better.")
    assert {one.state for one in publishing.rebuild(published.settings)} == {"whole"}
    shutil.rmtree(published.settings.public_dir / EDITION / "r2")
    assert {one.path: one.state for one in publishing.rebuild(published.settings)} == {
        f"{EDITION}/r1": "whole",
        f"{EDITION}/r2": "made again",
    }
    shutil.rmtree(published.settings.public_dir / EDITION / "r1")
    refused = next(one for one in publishing.rebuild(published.settings) if one.path.endswith("r1"))
    assert refused.state == "refused"
    assert f"version {NEXT - 1} of the method" in refused.why


def test_a_revision_that_another_estimator_began_is_passed_over(
    published: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename(published)
    with monkeypatch.context() as patch:
        patch.setattr("dp_stats.publishing.publish_edition", stopped)
        with pytest.raises(KeyboardInterrupt):
            pipeline.revise(EDITION, kind="format", reason=MISSPELT)
    with pytest.raises(PublishedError, match="not finished"):
        pipeline.propose(EDITION, kind="correction", reason=TWICE)
    monkeypatch.setattr(estimator, "VERSION", NEXT)
    assert pipeline.revise(EDITION, kind="method", reason="Better.")["path"] == f"{EDITION}/r3"
    assert edition(published, 3).revision.supersedes == 1
    assert not (published.settings.public_dir / EDITION / "r2").exists()


def stopped(*args: Any, **kwargs: Any) -> None:
    raise KeyboardInterrupt


def test_names_that_cannot_be_published_are_found_before_anything_is_said(
    published: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename(published, "North", "A name that nothing else has")

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ValueError("too long")

    monkeypatch.setattr("dp_stats.editions.workbook.workbooks", refuse)
    with pytest.raises(CatalogueError, match="Nothing was charged"):
        pipeline.revise(EDITION, kind="format", reason=MISSPELT)
    assert Ledger.open(published.settings.ledger_url).revisions(EDITION) == [1]


def test_a_correction_says_its_cost_first_and_takes_the_next_number(published: Clinic) -> None:
    rename(published)
    pipeline.revise(EDITION, kind="format", reason=MISSPELT)
    cost = spent(published)
    proposal = pipeline.propose(EDITION, kind="correction", reason=TWICE)
    assert proposal.quote is not None
    assert (proposal.revision, proposal.quote.charged) == (3, ("2024",))
    assert spent(published) == cost
    pipeline.revise(EDITION, kind="correction", reason=TWICE)
    assert spent(published) == cost + proposal.quote.rho
    pipeline.revise(EDITION, kind="correction", reason=TWICE)
    assert spent(published) == cost + proposal.quote.rho
    made = edition(published, 3).revision
    assert (made.kind, made.remeasured, made.supersedes) == ("correction", True, 2)
    everywhere_last = status_of(published.settings.public_dir, EDITION)
    assert (everywhere_last.current, everywhere_last.revision(2).status) == (3, "superseded")
    rename(published, "South", "Southern")
    pipeline.revise(EDITION, kind="format", reason="Another name.")
    assert edition(published, 4).revision.measurements == 3
    assert [row["value"] for row in rows(published, 4)] == [row["value"] for row in rows(published, 3)]
    shutil.rmtree(published.settings.public_dir / "visits")
    assert {one.state for one in publishing.rebuild(published.settings)} == {"made again"}
    Ledger.open(published.settings.ledger_url).verify()


def test_a_correction_that_the_budget_does_not_allow_changes_nothing(published: Clinic) -> None:
    published.change("datasets/visits.yaml", budget={"epsilon": 5, "delta": "1e-6"})
    cost = spent(published)
    proposal = pipeline.propose(EDITION, kind="correction", reason=TWICE)
    assert proposal.quote is not None
    assert proposal.quote.refusals
    with pytest.raises(BudgetError):
        pipeline.revise(EDITION, kind="correction", reason=TWICE)
    assert spent(published) == cost


@pytest.mark.parametrize("kind", ["format", "method", "correction"])
def test_a_revision_needs_a_published_edition_and_a_reason(published: Clinic, kind: Any) -> None:
    with pytest.raises(PublishedError, match="needs a reason"):
        pipeline.propose(EDITION, kind=kind, reason=" ")
    for unseen in ("\u200b", "A clinic sent its visits \u202etwice."):
        with pytest.raises(PublishedError, match="signs that cannot be seen"):
            pipeline.propose(EDITION, kind=kind, reason=unseen)
    with pytest.raises(PublishedError, match="not published"):
        pipeline.propose("visits/2024-W03", kind=kind, reason=TWICE)


def test_late_records_cannot_be_added_where_no_edition_measured_any(published: Clinic) -> None:
    with pytest.raises(PublishedError, match="nothing to add"):
        pipeline.propose(EDITION, kind="late", reason="")


def test_after_a_retraction_the_revision_before_is_revised(published: Clinic) -> None:
    pipeline.revise(EDITION, kind="correction", reason=TWICE)
    pipeline.retract(EDITION, revision=2, reason="They were right the first time.")
    rename(published)
    pipeline.revise(EDITION, kind="format", reason=MISSPELT)
    made = edition(published, 3).revision
    assert (made.measurements, made.supersedes) == (1, 1)
    assert status_of(published.settings.public_dir, EDITION).current == 3


def test_the_number_of_a_correction_that_is_being_measured_is_not_taken(published: Clinic) -> None:
    pipeline.pull(EDITION, revision=2)
    pipeline.check(EDITION, revision=2)
    pipeline.reserve(EDITION, revision=2, reason=TWICE)
    rename(published)
    with pytest.raises(PublishedError, match="not finished"):
        pipeline.propose(EDITION, kind="format", reason=MISSPELT)
    ledger = Ledger.open(published.settings.ledger_url)
    standing = ledger.description(EDITION, 1)
    assert standing is not None
    with pytest.raises(LedgerError, match="being measured"):
        ledger.publishing(
            EDITION, 2, document=standing.document, looks=standing.looks, parts=standing.parts, measured=1
        )


KILLED = dying_in("pipeline.revise(arguments[1], kind=arguments[0], reason=arguments[2])")

FREE = [
    *((f"dp_stats.ledger.Ledger.{call}", when) for call in ("publishing", "published") for when in ("before", "after")),
    ("dp_stats.ledger.Ledger.disclose", "after"),
    ("dp_stats.editions.publication._make", "after"),
    ("dp_stats.editions.publication.refresh_status", "before"),
    ("dp_stats.site.build_for", "before"),
]
CHARGED = [
    ("dp_stats.pipeline.reserve", "after"),
    ("dp_stats.ledger.Ledger.register_entry", "after"),
    ("dp_stats.ledger.Ledger.spend", "after"),
    ("dp_stats.secure.measure.add_noise", "after"),
    ("dp_stats.ledger.Ledger.store", "after"),
    ("dp_stats.ledger.Ledger.publishing", "after"),
    ("dp_stats.ledger.Ledger.published", "before"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "when", "kind"),
    [*((*moment, "format") for moment in FREE), *((*moment, "correction") for moment in CHARGED)],
)
def test_killed_anywhere_and_asked_for_again_there_is_one_whole_revision_and_one_charge(
    published: Clinic, target: str, when: str, kind: Any
) -> None:
    rename(published)
    cost, first = spent(published), files_of(published, 1)
    reason = MISSPELT if kind == "format" else TWICE
    quote = pipeline.propose(EDITION, kind=kind, reason=reason).quote
    killed = python(KILLED, target, when, kind, EDITION, reason, environment=published.environment)
    assert killed.returncode == -9, killed.stdout
    drawn = Ledger.open(published.settings.ledger_url).measurements(EDITION, 2)
    assert pipeline.revise(EDITION, kind=kind, reason=reason)["path"] == f"{EDITION}/r2"
    public = published.settings.public_dir
    ledger = Ledger.open(published.settings.ledger_url)
    ledger.verify()
    assert spent(published) == cost + (quote.rho if quote else 0)
    stored = ledger.measurements(EDITION, 2)
    assert (stored is None) == (kind == "format")
    assert drawn in (None, stored)
    assert sorted(p.name for p in (public / EDITION).glob("r*") if p.is_dir()) == ["r1", "r2"]
    assert files_of(published, 1) == first
    everywhere(published, kind, reason)
    assert not [p for p in public.rglob("*") if p.name.endswith((".tmp", ".part"))]
