"""Whoever holds the published files alone finds any change of history, and a spend that is not all there is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import fsspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from invented_editions import catalogue, do_not_wait_for_the_disk, make_sample, sample
from jsonschema import Draft202012Validator
from ledger_examples import Clock
from told_sites import ToldSite

from dp_stats.editions.edition import Edition
from dp_stats.errors import HistoryError, LedgerError, PublishedError
from dp_stats.ledger import Entry
from dp_stats.ledger.disclosing import log_lines
from dp_stats.outlets.public_log import refresh_log
from dp_stats.outlets.targets import upload
from dp_stats.transparency import verifying
from dp_stats.transparency.forms import schemas
from dp_stats.transparency.history import History
from dp_stats.transparency.kept import Kept
from dp_stats.transparency.leaves import HEADS, LOG, LostLeaf
from dp_stats.transparency.verifying import verify
from tests.serving import served

__all__ = ["catalogue", "do_not_wait_for_the_disk", "make_sample", "sample"]

SHARED = Path("/dev/shm")
QUICK = settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def base(make_sample: Callable[..., Any]) -> Edition:
    """Any edition's facts."""
    return make_sample().edition()  # type: ignore[no-any-return]


def made_site(where: Path, base: Edition) -> ToldSite:
    """A series, a correction, a release on its own, a request, a restricted release, and what was given back."""
    site = ToldSite(where, base)
    site.spend("2021-W01", release="weekly", series="weekly")
    site.hold("2021-W02", release="monthly")
    site.spend("2021-W05", release="asked", rho="0.011", public=False)
    site.spend("2020-W53", release="weekly", series="weekly", blocks=("2020", "2021"))
    site.spend("2021-W06", release="asked-too", rho="0.0004", public=False, blocks=("2020", "2021"))
    site.spend("2021-W01", release="weekly", series="weekly", revision=2)
    site.spend("2021-W01", release="monthly", rho="0.03")
    return site


@pytest.fixture(scope="module")
def pristine(base: Edition, tmp_path_factory: pytest.TempPathFactory) -> ToldSite:
    """A whole site, to be copied and tampered with."""
    return made_site(tmp_path_factory.mktemp("pristine"), base)


@contextmanager
def copied(pristine: ToldSite) -> Iterator[ToldSite]:
    made = Path(mkdtemp(dir=SHARED if SHARED.is_dir() else None))
    try:
        yield ToldSite.copy_of(pristine, made)
    finally:
        shutil.rmtree(made)


@pytest.fixture
def site(pristine: ToldSite) -> Iterator[ToldSite]:
    with copied(pristine) as made:
        yield made


# What holds


def test_a_site_is_checked_from_a_folder_and_from_a_server_alike(site: ToldSite) -> None:
    found = verify(str(site.public))
    with served(site.public) as address:
        assert verify(address) == found
    assert (found.editions, found.charges) == (4, 7)
    assert {block: found.spent["cases", block] for block in ("2020", "2021")} == {
        "2020": Fraction("0.0054"),
        "2021": Fraction("0.0514"),
    }
    assert found.unnamed == {("cases", "2020"): Fraction("0.0004"), ("cases", "2021"): Fraction("0.0114")}
    assert {b.block: b.spent for b in site.ledger.blocks()} == {b: rho for (_, b), rho in found.spent.items()}


def test_every_state_that_was_ever_published_is_the_beginning_of_the_next(base: Edition, tmp_path: Path) -> None:
    site = ToldSite(tmp_path / "site", base)
    kept: list[Kept] = []
    before: list[str] = []
    for week in range(1, 5):
        site.spend(f"2021-W0{week}", release="asked", rho="0.001", public=False)
        site.spend(f"2021-W0{week}", release="weekly", series="weekly" if week % 2 else None)
        assert site.lines[: len(before)] == before
        before = site.lines
        kept.append(Kept.read(str(site.public / f"weekly/2021-W0{week}/r1")))
        kept.append(Kept.read(str(verify(str(site.public)).head)))
        for one in kept:
            assert verify(str(site.public), kept=one).since == one.head


def test_what_cannot_be_reached_is_no_fault_of_the_history(tmp_path: Path) -> None:
    with pytest.raises(PublishedError, match="cannot be read"):
        verify("http://127.0.0.1:9/statistics")
    with pytest.raises(HistoryError, match=f"{HEADS} is missing"):
        verify(str(tmp_path))


# What is found


def another(text: str) -> str:
    """A digest or a number that differs in its last sign."""
    return text[:-1] + ("1" if text[-1] != "1" else "2")


def altered(line: str, field: str) -> str:
    leaf = json.loads(line)
    value = leaf[field]
    leaf[field] = value + 1 if isinstance(value, int) else another(value) if isinstance(value, str) else value[:-1]
    return json.dumps(leaf, sort_keys=True, separators=(",", ":"))


def changes_of(lines: list[str], data: st.DataObject) -> list[str]:
    """One change of a list of lines: removed, repeated, moved, altered in any field, cut off or added."""
    at = data.draw(st.integers(0, len(lines) - 1), label="line")
    kind = data.draw(st.sampled_from(["remove", "repeat", "move", "alter", "cut", "add"]), label="kind")
    rest = lines[:at] + lines[at + 1 :]
    if kind == "remove":
        return rest
    if kind == "move":
        to = data.draw(st.integers(0, len(rest)).filter(lambda n: n != at), label="to")
        return [*rest[:to], lines[at], *rest[to:]]
    if kind == "cut":
        return lines[:at]
    if kind == "add":
        extra = json.loads(next(line for line in lines if '"charge"' in line or '"root"' in line))
        name = "commitment" if "commitment" in extra else "root"
        line = json.dumps({**extra, name: "0" * 64}, sort_keys=True, separators=(",", ":"))
        return [*lines[:at], line, *lines[at:]] if at else [*lines, line]
    if kind == "repeat":
        return [*lines[: at + 1], *lines[at:]]
    field = data.draw(st.sampled_from(sorted(json.loads(lines[at]))), label="field")
    return [*lines[:at], altered(lines[at], field), *lines[at + 1 :]]


@QUICK
@given(data=st.data())
def test_any_one_change_of_the_log_is_found(pristine: ToldSite, data: st.DataObject) -> None:
    with copied(pristine) as site:
        site.put(LOG, changes_of(site.lines, data))
        with pytest.raises(HistoryError):
            verify(str(site.public))


@QUICK
@given(data=st.data())
def test_any_one_change_of_the_heads_is_found(pristine: ToldSite, data: st.DataObject) -> None:
    with copied(pristine) as site:
        site.put(HEADS, changes_of((site.public / HEADS).read_text().splitlines(), data))
        with pytest.raises(HistoryError):
            verify(str(site.public))


@QUICK
@given(data=st.data())
def test_a_log_that_was_changed_with_its_heads_and_proofs_is_found_by_the_editions(
    pristine: ToldSite, data: st.DataObject
) -> None:
    with copied(pristine) as site:
        lines = changes_of(site.lines, data)
        newest = Kept.read(str(site.public / "monthly/2021-W01/r1")).head.size
        assume(lines[:newest] != site.lines[:newest])  # what came later, no edition knows of yet

        def retold() -> None:
            site.retell(lines)  # finds some of it already, as any reader of the log does
            verify(str(site.public))

        with pytest.raises(HistoryError):
            retold()


@QUICK
@given(data=st.data())
def test_any_change_of_what_an_edition_shows_is_found(pristine: ToldSite, data: st.DataObject) -> None:
    """Without the checksums in the log, and where they were made to fit."""
    with copied(pristine) as site:
        path = data.draw(st.sampled_from(sorted(leaf.path for leaf in History.read(site.lines).editions.values())))
        which = data.draw(st.sampled_from(["spent", "remaining", "rho", "hash", "block", "size", "root", "budget"]))

        def change(facts: dict[str, Any]) -> None:
            budget, guarantee, hashes = facts["budget"][0], facts["guarantee"], facts["provenance"]
            if which in ("spent", "remaining"):
                more = Fraction(1, 10**9) if which == "remaining" else data.draw(st.sampled_from([-1, 1]))
                budget[which] = str(Fraction(budget[which]) + more * Fraction(1, 10**6))
            elif which == "rho":
                guarantee["rho"] = str(Fraction(guarantee["rho"]) + Fraction(1, 10**9))
            elif which == "hash":
                name = "series_hash" if guarantee["series"] else "plan_hash"
                hashes[name] = another(hashes[name])
            elif which == "block":
                guarantee["blocks"] = [*guarantee["blocks"], "2019"]
            elif which == "budget":
                facts["budget"] = facts["budget"][1:]
            elif which == "size":
                facts["log"]["size"] += data.draw(st.sampled_from([-1, 1]))
            else:
                facts["log"]["root"] = another(facts["log"]["root"])

        site.edit(path, change, fitting=data.draw(st.booleans(), label="fitting"))
        with pytest.raises(HistoryError):
            verify(str(site.public))


@pytest.mark.parametrize("field", ["root", "number", "line", "path"])
def test_a_proof_that_does_not_hold_is_found(site: ToldSite, field: str) -> None:
    path = site.public / "weekly/2021-W01/r2.proof.json"
    proof = json.loads(path.read_text())
    place = proof["head"] if field == "root" else proof["lines"][1]
    if field == "path":
        place["path"][0] = another(place["path"][0])
    else:
        place[field] = place[field] + 1 if field == "number" else another(place[field])
    path.write_text(json.dumps(proof))
    with pytest.raises(HistoryError, match=r"proof"):
        verify(str(site.public))


def test_a_line_added_after_the_newest_editions_head_is_found_by_whoever_kept_the_newest_head(site: ToldSite) -> None:
    head = verify(str(site.public)).head
    charge = json.loads(site.lines[0])
    added = json.dumps({**charge, "commitment": "0" * 64}, sort_keys=True, separators=(",", ":"))
    site.retell([*site.lines[:-1], added, site.lines[-1]])
    verify(str(site.public))
    with pytest.raises(HistoryError, match="does not go on"):
        verify(str(site.public), kept=Kept.read(str(head)))


def test_a_history_that_was_rewritten_as_a_whole_is_found_by_what_a_reader_kept_alone(
    site: ToldSite, tmp_path: Path
) -> None:
    shutil.copytree(site.public / "monthly/2021-W01/r1", tmp_path / "kept")
    head = verify(str(site.public)).head
    taken = next(n for n, leaf in enumerate(History.read(site.lines).leaves) if leaf.line.find('"rho":"11/1000"') > 0)
    lines = []
    for line in site.lines[:taken] + site.lines[taken + 1 :]:  # the request was never charged
        leaf = json.loads(line)
        for opening in leaf.get("charges", ()):
            opening["leaf"] -= opening["leaf"] > taken
        lines.append(json.dumps(leaf, sort_keys=True, separators=(",", ":")))
    site.rewrite(lines)
    assert verify(str(site.public)).unnamed["cases", "2021"] == Fraction("0.0004"), "it holds together"
    for kept in (str(tmp_path / "kept"), str(head)):
        with pytest.raises(HistoryError, match="does not go on from the head that you kept"):
            verify(str(site.public), kept=Kept.read(kept))


def test_an_edition_that_was_exchanged_after_the_last_head_is_found_by_whoever_kept_it(
    site: ToldSite, tmp_path: Path
) -> None:
    shutil.copytree(site.public / "monthly/2021-W01/r1", tmp_path / "kept")
    site.edit("monthly/2021-W01/r1", lambda facts: facts.update(published="2022-01-01T00:00:00+00:00"), fitting=True)
    verify(str(site.public))
    with pytest.raises(HistoryError, match="as you kept it, is not in the log"):
        verify(str(site.public), kept=Kept.read(str(tmp_path / "kept")))


def test_lines_that_no_head_covers_are_found(site: ToldSite) -> None:
    charge = json.loads(site.lines[0])
    added = json.dumps({**charge, "commitment": "0" * 64}, sort_keys=True, separators=(",", ":"))
    site.put(LOG, [*site.lines, added])
    with pytest.raises(HistoryError, match="lines after the last head"):
        verify(str(site.public))


def test_a_word_changed_in_an_edition_together_with_its_checksums_is_found(site: ToldSite) -> None:
    site.edit("weekly/2021-W01/r1", lambda facts: facts["release"].update(title="Another"), fitting=False)
    with pytest.raises(HistoryError, match="SHA256SUMS is not the one in the log"):
        verify(str(site.public))


def test_an_edition_that_is_listed_and_not_in_the_log_is_found(site: ToldSite) -> None:
    shutil.copytree(site.public / "weekly/2021-W01/r2", site.public / "weekly/2021-W01/r3")
    status = site.public / "weekly/2021-W01/status.json"
    listed = json.loads(status.read_text())
    listed["revisions"].append({**listed["revisions"][-1], "number": 3})
    status.write_text(json.dumps(listed))
    with pytest.raises(HistoryError, match="weekly/2021-W01/r3 is not in the log"):
        verify(str(site.public))


def test_a_charge_of_one_plan_cannot_be_given_to_another(site: ToldSite) -> None:
    """The correction names the charge of what it corrects, and pays nothing of its own."""
    editions = History.read(site.lines).editions
    first = next(leaf for leaf in editions.values() if leaf.path == "weekly/2021-W01/r1")
    number, second = next((n, leaf) for n, leaf in editions.items() if leaf.path == "weekly/2021-W01/r2")
    site.retell(
        [*site.lines[:number], second.model_copy(update={"charges": first.charges}).line, *site.lines[number + 1 :]]
    )
    with pytest.raises(
        HistoryError, match=r"weekly/2021-W01/r2: the charge in line 1 of log\.jsonl was made for something"
    ):
        verify(str(site.public))


@pytest.mark.parametrize("kept", ["nowhere", "12:34", "/dev/null"])
def test_what_holds_no_head_cannot_be_compared(kept: str) -> None:
    with pytest.raises(PublishedError, match="holds no head"):
        Kept.read(kept)


# What the writer refuses


def test_a_ledger_that_does_not_go_on_from_the_published_log_writes_nothing(site: ToldSite) -> None:
    before = site.lines
    shorter = site.ledger.log()[:-1]
    with pytest.raises(LedgerError, match="from line"):
        refresh_log(site.public, lambda: shorter)
    with pytest.raises(LedgerError, match="from line 2 on"):
        refresh_log(site.public, lambda: [before[0], *before[2:]])
    assert site.lines == before


@pytest.fixture
def target() -> Iterator[dict[str, Any]]:
    """What readers of ``memory://target`` find there, by path."""
    store: dict[str, Any] = fsspec.filesystem("memory").store
    store.clear()
    yield store
    store.clear()


def shown(target: dict[str, Any]) -> dict[str, bytes]:
    return {path: file.getvalue() for path, file in target.items()}


@QUICK
@given(name=st.sampled_from([LOG, HEADS]), data=st.data())
def test_a_target_that_shows_anything_else_than_the_beginning_of_the_log_gets_nothing(
    pristine: ToldSite, target: dict[str, Any], name: str, data: st.DataObject
) -> None:
    with copied(pristine) as site:
        target.clear()
        upload(site.public, "memory://target")
        whole = (site.public / name).read_text().splitlines()
        other = changes_of(whole, data)
        fsspec.filesystem("memory").pipe_file(f"/target/{name}", "".join(f"{line}\n" for line in other).encode())
        (site.public / "index.html").write_text("news")
        before = shown(target)
        if other == whole[: len(other)]:
            upload(site.public, "memory://target")
            after = shown(target)
            assert after["/target/index.html"] == b"news"
            assert after[f"/target/{name}"] == (site.public / name).read_bytes()
        else:
            with pytest.raises(PublishedError, match="does not go on"):
                upload(site.public, "memory://target")
            assert shown(target) == before


def test_a_target_never_loses_its_log(site: ToldSite, target: dict[str, Any]) -> None:
    upload(site.public, "memory://target")
    before = shown(target)
    for name in (LOG, HEADS):
        (site.public / name).unlink()
    with pytest.raises(PublishedError, match="does not go on"):
        upload(site.public, "memory://target")
    assert shown(target) == before


def test_a_log_that_takes_the_place_of_a_lost_one_is_sent_and_keeps_the_lost_one_beside_it(
    site: ToldSite, target: dict[str, Any]
) -> None:
    upload(site.public, "memory://target")
    before, last = shown(target), verify(str(site.public)).head
    refresh_log(site.public, lambda: [LostLeaf(size=last.size, root=last.root).line])
    upload(site.public, "memory://target")
    fsspec.filesystem("memory").pipe_file(f"/target/{HEADS}", before[f"/target/{HEADS}"])  # an upload that broke off
    (aside,) = site.public.glob("log.*.jsonl")
    aside.unlink()
    upload(site.public, "memory://target")
    after = shown(target)
    assert after[f"/target/{aside.name}"] == before[f"/target/{LOG}"]
    assert after[f"/target/{LOG}"].splitlines() == [line.encode() for line in site.lines]
    assert after[f"/target/{HEADS}"] == b""
    site.put(LOG, [LostLeaf(size=last.size, root=another(last.root)).line])
    with pytest.raises(PublishedError, match="does not go on"):
        upload(site.public, "memory://target")


# What is not told


def test_what_costs_nothing_is_not_told(base: Edition, tmp_path: Path) -> None:
    """Reservations, voids, refusals and retries leave no line."""
    one, two = ToldSite(tmp_path / "one", base), ToldSite(tmp_path / "two", base)
    for site in (one, two):
        site.ledger.log()
    for _ in range(3):
        two.hold("2021-W09", release="asked")
    for site in (one, two):
        site.spend("2021-W01", release="weekly", series="weekly")
    assert [len(site.lines) for site in (one, two)] == [2, 2]
    assert len(two.ledger.entries()) > len(one.ledger.entries()) + 5


def test_in_which_order_charges_were_made_between_editions_is_not_told(
    base: Edition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [(f"asked-{n}", f"0.00{n}") for n in range(1, 5)]
    told = []
    for name, order in (("one", asked), ("two", asked[::-1])):
        site = ToldSite(tmp_path / name, base)
        for release, rho in order:
            site.spend("2021-W05", release=release, rho=rho, public=False)
        site.spend("2021-W01", release="weekly", series="weekly")
        told.append(site.lines[:-1])
    assert told[0] == told[1]


def test_nothing_is_told_of_a_dataset_before_something_of_it_is_public(base: Edition, tmp_path: Path) -> None:
    site = ToldSite(tmp_path / "site", base)
    site.spend("2021-W05", release="asked", rho="0.011", public=False)
    assert site.ledger.log() == []
    site.spend("2021-W01", release="weekly", series="weekly")
    assert '"rho":"11/1000"' in "".join(site.lines), "then all that it has spent is told"


def test_a_dataset_of_which_nothing_is_public_is_not_told_when_another_is() -> None:
    """Two datasets in one ledger; first only one of them has a public edition, later both."""

    def happened(number: int, event: str, **values: Any) -> Entry:
        return Entry(number, Clock()(), event, values, "", "")

    def spent(number: int, dataset: str) -> list[Entry]:
        paid = {"dataset": dataset, "key": f"plan of {dataset}", "edition": f"{dataset}/2021", "revision": 1}
        return [
            happened(number, "reserved", **paid, charged=["2021"], rho="1/200", cap="1/5"),
            happened(number + 1, "spent", **paid, blocks=["2021"]),
        ]

    def shown(number: int, dataset: str) -> list[Entry]:
        paid = {"dataset": dataset, "key": f"plan of {dataset}", "blocks": ["2021"]}
        of = {"edition": f"{dataset}/2021", "revision": 1}
        return [happened(number, "disclosed", **of, **paid), happened(number + 1, "published", **of, checksum="0" * 64)]

    chain = [happened(1, "created", ledger="secret"), *spent(2, "secretive"), *spent(4, "open"), *shown(6, "open")]
    before = log_lines(chain, published=True)
    assert len(before) == 2
    assert "secretive" not in "".join(before)
    after = log_lines([*chain, *shown(8, "secretive")], published=True)
    assert after[:2] == before
    assert [json.loads(line).get("dataset", "") for line in after[2:]] == ["secretive", ""]


# What the manual says


def test_every_line_and_proof_fits_its_schema_and_the_schemas_are_those_of_the_code(pristine: ToldSite) -> None:
    folder = Path(verifying.__file__).parent / "schemas"
    kept = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    assert kept == schemas()
    proof = json.loads((pristine.public / "weekly/2021-W01/r2.proof.json").read_text())
    for name, contents in {
        "log.schema.json": map(json.loads, pristine.lines),
        "heads.schema.json": map(json.loads, (pristine.public / HEADS).read_text().splitlines()),
        "proof.schema.json": [proof],
    }.items():
        checker = Draft202012Validator(kept[name])
        for content in contents:
            assert [fault.message for fault in checker.iter_errors(content)] == []
            assert not checker.is_valid({**content, "more": 1})


def test_the_program_of_the_manual_finds_the_same_roots(site: ToldSite, monkeypatch: pytest.MonkeyPatch) -> None:
    manual = (Path(__file__).parents[2] / "docs/reference/file-formats.md").read_text()
    programs = [part.partition("```")[0] for part in manual.split("```python\n")[1:]]
    program = next(program for program in programs if "heads.jsonl" in program)
    monkeypatch.chdir(site.public)
    exec(compile(program, "manual", "exec"), {})
    site.put(LOG, [*site.lines[1:], site.lines[0]])
    with pytest.raises(AssertionError):
        exec(compile(program, "manual", "exec"), {})


@pytest.mark.parametrize("measured", [1, 7])
def test_what_says_that_it_is_made_of_another_revisions_measurements_rests_on_its_charges(
    site: ToldSite, measured: int
) -> None:
    """The correction hides that it was measured anew, or names a revision that never was."""
    site.edit(
        "weekly/2021-W01/r2",
        lambda facts: facts["revision"].update(measurements=measured, remeasured=False),
        fitting=True,
    )
    with pytest.raises(HistoryError, match=f"made of what revision {measured} measured"):
        verify(str(site.public))
