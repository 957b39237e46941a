"""An edition's folder: complete, checked before it is seen, equal for equal input, and never edited."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from english import TEXTS

from dp_stats.editions import publish_edition, verify_public
from dp_stats.editions.edition import Edition, editions
from dp_stats.editions.verify import Fault
from dp_stats.errors import PublishedError, QualityError

FILES = {
    "edition.json",
    "guarantee.json",
    "privacy.json",
    "datapackage.json",
    "readers-kit.md",
    "ro-crate-metadata.json",
    "workbook.xlsx",
    "SHA256SUMS",
    *(f"{t}{e}" for t in ("area-day", "area-week-age") for e in (".csv", ".parquet", ".csv-metadata.json")),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_an_edition_has_all_its_files_and_latest_is_a_copy(sample: Any, tmp_path: Path) -> None:
    published = sample.publish(tmp_path)
    assert published.new
    assert published.folder == tmp_path / "cases-by-area" / "2021-W07" / "r1"
    assert set(contents(published.folder)) == FILES
    assert contents(tmp_path / "cases-by-area" / "latest") == contents(published.folder)
    assert verify_public(tmp_path) == []


def test_the_saved_edition_says_what_was_published(sample: Any, tmp_path: Path) -> None:
    published = sample.publish(tmp_path)
    edition = Edition.load(published.folder)
    assert edition == published.edition
    assert edition.geography is not None
    assert edition.geography.name == "area"
    assert edition.geography.levels[0].parents == ("R1", "R1", "R2", "R2")
    assert edition.geography.levels[0].population == (460000, 70000, None, 390000)
    assert edition.geography.level("region").population == (530000, 390000)
    assert [d.name for d in edition.strata] == ["age"]
    assert edition.date is not None
    assert len(edition.date.levels[0].codes) == 7
    assert edition.table("area-day").rows == 4 * 7
    assert [b.block for b in edition.budget] == ["2021"]
    assert edition.guarantee.pure
    assert edition.guarantee.measured[0].standard_deviation == pytest.approx(2.799, abs=0.001)
    assert edition.quality.truncation is not None
    assert edition.quality.truncation.rows == 123.4


def test_equal_input_gives_equal_bytes(sample: Any, tmp_path: Path) -> None:
    one, other = sample.publish(tmp_path / "one"), sample.publish(tmp_path / "other")
    assert contents(one.folder) == contents(other.folder)
    assert one.checksum == other.checksum


def test_publishing_again_returns_what_is_there_even_at_a_later_time(sample: Any, tmp_path: Path) -> None:
    first = sample.publish(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in first.folder.iterdir()}
    again = sample.publish(tmp_path, published=first.edition.published + timedelta(hours=3))
    assert not again.new
    assert (again.checksum, again.edition) == (first.checksum, first.edition)
    assert {p: p.stat().st_mtime_ns for p in first.folder.iterdir()} == before


def test_publishing_again_completes_what_a_crash_left_undone(sample: Any, tmp_path: Path) -> None:
    sample.publish(tmp_path)
    shutil.rmtree(tmp_path / "cases-by-area" / "latest")
    (tmp_path / "cases-by-area" / "2021-W07" / "status.json").unlink()
    assert not sample.publish(tmp_path).new
    assert verify_public(tmp_path) == []
    assert (tmp_path / "cases-by-area" / "latest" / "edition.json").is_file()
    assert (tmp_path / "cases-by-area" / "2021-W07" / "status.json").is_file()


def test_two_publishers_at_once_make_one_edition(sample: Any, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: sample.publish(tmp_path), range(4)))
    assert sorted(p.new for p in found) == [False, False, False, True]
    assert len({p.checksum for p in found}) == 1
    assert verify_public(tmp_path) == []


def test_other_content_under_the_same_name_is_refused(
    sample: Any, make_sample: Callable[..., Any], tmp_path: Path
) -> None:
    first = sample.publish(tmp_path)
    before = contents(first.folder)
    with pytest.raises(PublishedError, match="new revision"):
        make_sample(seed=2).publish(tmp_path)
    assert contents(first.folder) == before


def test_a_failed_check_leaves_nothing_that_a_reader_can_see(sample: Any, tmp_path: Path) -> None:
    def refuse(table: pa.Table) -> None:
        raise QualityError("the suite of what is published failed")

    with pytest.raises(QualityError):
        publish_edition(sample.edition(), sample.estimates, tmp_path, texts=TEXTS, check=refuse)
    assert editions(tmp_path) == []
    assert not (tmp_path / "cases-by-area").exists()


def test_the_check_sees_every_table(sample: Any, tmp_path: Path) -> None:
    seen: list[int] = []
    publish_edition(
        sample.edition(), sample.estimates, tmp_path, texts=TEXTS, check=lambda table: seen.append(len(table))
    )
    assert seen == [4 * 7, 4 * 3 * 2]


def test_an_interrupted_attempt_is_replaced(sample: Any, tmp_path: Path) -> None:
    half = tmp_path / "cases-by-area" / "2021-W07" / ".r1.part"
    half.mkdir(parents=True)
    (half / "area-day.csv").write_text("half")
    (half / "left-over.csv").write_text("x")
    published = sample.publish(tmp_path)
    assert set(contents(published.folder)) == FILES
    assert not half.exists()


def test_a_release_without_areas_and_dates_is_published_too(costs: Any, tmp_path: Path) -> None:
    published = costs.publish(tmp_path)
    rows = pq.read_table(published.folder / "by-sex.parquet")
    assert rows.column_names == [
        "metric", "sex_code", "sex", "date", "period", "period_start", "period_end", "period_type", "value", "lower_95",
        "upper_95", "status", "value_unbiased", "standard_error", "release", "edition", "revision",
    ]  # fmt: skip
    assert rows["period"].to_pylist() == ["2021"] * 6
    assert published.edition.geography is None
    assert published.edition.date is None
    assert published.edition.guarantee.clipping[0].statistic == "cost"


def test_latest_is_the_newest_period_even_if_an_older_one_is_published_later(
    make_sample: Callable[..., Any], tmp_path: Path
) -> None:
    make_sample(period="2021-W08").publish(tmp_path)
    make_sample(period="2021-W07").publish(tmp_path)
    assert Edition.load(tmp_path / "cases-by-area" / "latest").period.label == "2021-W08"


def test_a_reader_never_sees_half_of_latest(make_sample: Callable[..., Any], tmp_path: Path) -> None:
    make_sample(period="2021-W07").publish(tmp_path)
    sums = tmp_path / "cases-by-area" / "latest" / "SHA256SUMS"
    gone: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                sums.read_bytes()
            except FileNotFoundError as error:
                gone.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for week in (8, 9, 10):
            make_sample(period=f"2021-W{week:02d}").publish(tmp_path)
    finally:
        stop.set()
        reader.join()
    assert gone == []
    assert Edition.load(sums.parent).period.label == "2021-W10"


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda f: (f / "area-day.csv").write_bytes((f / "area-day.csv").read_bytes() + b"x"), "altered"),
        (lambda f: (f / "privacy.json").unlink(), "missing"),
        (lambda f: (f / "extra.csv").write_text("x"), "extra"),
        (lambda f: (f / "SHA256SUMS").unlink(), "missing"),
        (lambda f: (f / "SHA256SUMS").write_text("nonsense"), "unreadable"),
    ],
)
def test_a_damaged_edition_is_found(damage: Callable[[Path], object], fault: str, sample: Any, tmp_path: Path) -> None:
    published = sample.publish(tmp_path)
    damage(published.folder)
    assert [f.kind for f in verify_public(tmp_path)] == [fault]


def test_the_ledgers_checksums_find_a_removed_and_a_forged_edition(sample: Any, tmp_path: Path) -> None:
    published = sample.publish(tmp_path)
    path = "cases-by-area/2021-W07/r1"
    assert verify_public(tmp_path, checksums={path: published.checksum}) == []
    assert verify_public(tmp_path, checksums={path: "0" * 64}) == [Fault(f"{path}/SHA256SUMS", "altered")]
    lost = "cases-by-area/2021-W08/r1"
    assert verify_public(tmp_path, checksums={path: published.checksum, lost: "1" * 64}) == [Fault(lost, "missing")]


def test_an_edition_that_cannot_be_read_says_which(sample: Any, tmp_path: Path) -> None:
    published = sample.publish(tmp_path)
    (published.folder / "edition.json").write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(PublishedError, match=r"edition\.json cannot be read"):
        Edition.load(published.folder)
