"""The DAGs as Airflow sees and runs them, in one process with a database of its own."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from mailbox_server import Mailbox, notifier, opened

from deploy.local.environment import ROOT
from dp_stats import errors
from dp_stats.ledger import Ledger
from dp_stats.requests.unread import unread_of

pytestmark = pytest.mark.slow

FORM = {
    "dataset": "visits",
    "by": ["clinic/district"],
    "period": "2024-01-01--2024-01-10",
    "epsilon": 1,
    "purpose": "To plan how many nurses are needed.",
}


@pytest.fixture(scope="module", autouse=True)
def airflow() -> None:
    """A fresh database in the home that Airflow has in this test process."""
    from airflow.utils.db import initdb

    initdb()


def read_dags(file: str, folder: Path = ROOT / "dags") -> Any:
    from airflow.dag_processing.dagbag import BundleDagBag

    return BundleDagBag(dag_folder=str(folder / f"{file}.py"), bundle_path=folder, bundle_name="dags-folder")


def dags(file: str, folder: Path = ROOT / "dags") -> dict[str, Any]:
    bag = read_dags(file, folder)
    assert not bag.import_errors, bag.import_errors
    for dag in bag.dags.values():
        for task in dag.tasks:
            task.retries = 0
    return dict(bag.dags)


def states(run: Any) -> dict[str, str]:
    return {instance.task_id: str(instance.state) for instance in run.get_task_instances()}


def ledger(clinic: Any) -> Ledger:
    return Ledger.open(clinic.settings.ledger_url)


def events(clinic: Any) -> list[str]:
    return [entry.event for entry in ledger(clinic).entries()]


def test_a_dag_file_is_read_in_less_than_a_second(clinic: Any) -> None:
    script = (
        "import os, sys, time\n"
        "from airflow.dag_processing.dagbag import BundleDagBag\n"
        "import airflow.sdk, airflow.timetables.assets, airflow.providers.standard.operators.hitl\n"
        "for name in ('scheduled_releases', 'adhoc_release', 'maintenance', 'watch'):\n"
        "    if os.fork():\n"  # as Airflow does: a child per file, with Airflow itself already imported
        "        os.wait()\n"
        "        continue\n"
        "    started = time.process_time()\n"
        "    bag = BundleDagBag(dag_folder=f'dags/{name}.py', bundle_path='dags', bundle_name='dags-folder')\n"
        "    print('read', name, len(bag.dags), time.process_time() - started, flush=True)\n"
        "    os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=clinic.environment, capture_output=True, text=True, check=True
    )
    read = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("read ")]
    assert [name for name, _, _ in read] == ["scheduled_releases", "adhoc_release", "maintenance", "watch"]
    for name, found, seconds in read:
        assert (int(found), float(seconds) < 1.0) == (1, True), (name, seconds)


def test_reading_the_dags_imports_nothing_that_reads_rows_or_draws_noise(clinic: Any) -> None:
    script = (
        "import sys; sys.path[:0] = ['dags']\n"
        "import scheduled_releases, adhoc_release, maintenance, watch\n"
        "heavy = {'duckdb', 'ibis', 'opendp', 'great_expectations', 'matplotlib', 'scipy', 'dp_stats.secure.measure'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=clinic.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_scheduled_release_is_one_dag_with_the_steps_in_order(clinic: Any) -> None:
    (dag,) = dags("scheduled_releases").values()
    assert dag.dag_id == "visits"
    order = ["due", "pull", "check", "reserve", "measure", "estimate", "publish"]
    for first, second in itertools.pairwise(order):
        assert second in dag.task_dict[first].downstream_task_ids
    assert dag.task_dict["clean_up"].is_teardown
    assert dag.catchup
    assert dag.max_active_runs == 1
    assert {"scheduled", "dataset:visits", "per:week"} <= set(dag.tags)
    assert dag.task_dict["publish"].outlets[0].uri == "dp-stats://editions/visits"
    assert "revise" in dag.task_dict["due"].downstream_task_ids
    shown = dag.params.get_param("kind").schema["values_display"]
    assert list(shown) == ["edition", "format", "method", "late", "correction"]
    assert shown["correction"].endswith("a new charge of ε = 1")
    assert all(shown[kind].endswith("costs nothing") for kind in ("format", "method", "late"))


def test_the_form_says_what_a_revision_costs_and_makes_it(clinic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dp_stats.airflow import scheduled

    notes: list[str] = []
    monkeypatch.setattr(scheduled, "write_note", lambda context, text: notes.append(text))
    (dag,) = dags("scheduled_releases").values()
    week = {"period": "2024-W02"}
    assert dag.test(run_conf=week).state == "success"
    (cost,) = {block.spent for block in ledger(clinic).blocks()}
    codes = clinic.folder / "codes" / "clinics.csv"
    codes.write_text(codes.read_text().replace("North", "Northern"))
    form = {**week, "kind": "format", "reason": "A name was misspelt.", "only_say": False}
    folder = clinic.settings.public_dir / "visits/2024-W02"

    said = dag.test(run_conf={**form, "only_say": True})
    assert (said.state, states(said)["publish"], states(said)["revise"]) == ("success", "skipped", "skipped")
    assert "costs nothing" in notes[0]
    assert "North → Northern" in notes[0]
    assert not (folder / "r2").exists()

    made = dag.test(run_conf=form)
    assert (made.state, states(made)["pull"], states(made)["revise"]) == ("success", "skipped", "success")
    assert (folder / "r2").is_dir()
    assert {block.spent for block in ledger(clinic).blocks()} == {cost}

    correct = {**week, "kind": "correction", "reason": "Rows came twice.", "only_say": False}
    assert dag.test(run_conf={**correct, "only_say": True}).state == "success"
    assert "New charge of ρ" in notes[-1]
    assert {block.spent + block.reserved for block in ledger(clinic).blocks()} == {cost}
    for _ in range(2):
        made = dag.test(run_conf=correct)
        assert (made.state, states(made)["publish"], states(made)["revise"]) == ("success", "success", "skipped")
        assert {block.spent for block in ledger(clinic).blocks()} == {2 * cost}
    assert (folder / "r3").is_dir()
    assert not (folder / "r4").exists()
    nothing = dag.test(run_conf={**week, "kind": "method", "reason": "Better."})
    assert nothing.state == "failed"
    assert not list((clinic.settings.secure / "staging").rglob("*.parquet"))


def test_a_broken_declaration_is_an_import_error_of_its_own_and_takes_no_other_dag_away(
    clinic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not read_dags("broken_declarations").import_errors
    text = (clinic.folder / "releases/visits.yaml").read_text()
    (clinic.folder / "releases/sales.yaml").write_text(
        text.replace("id: visits", "id: sales", 1).replace("title:", "tilte:", 1)
    )
    assert list(dags("scheduled_releases")) == ["visits"]
    assert list(dags("adhoc_release")) == ["ask-visits"]
    (said,) = read_dags("broken_declarations").import_errors.values()
    assert "sales.yaml" in said
    assert "tilte: is no field here" in said

    from dp_stats.airflow import scheduled

    (clinic.folder / "releases/sales.yaml").write_text(text.replace("id: visits", "id: sales", 1))
    make = scheduled.scheduled_release
    monkeypatch.setattr(scheduled, "scheduled_release", lambda c, r: {}["x"] if r.id == "sales" else make(c, r))
    assert list(dags("scheduled_releases")) == ["visits"]
    (said,) = read_dags("broken_declarations").import_errors.values()
    assert "releases/sales.yaml: Airflow cannot make a DAG of it. KeyError" in said


def test_a_dag_file_of_one_dataset_has_its_dags_and_reads_nothing_of_others(
    clinic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dp_stats.airflow import release_runs
    from dp_stats.catalogue import read_catalogue

    for kind, name in (("datasets", "visits"), ("releases", "visits")):
        text = (clinic.folder / kind / f"{name}.yaml").read_text()
        other = text.replace("id: visits", "id: sales", 1).replace("dataset: visits", "dataset: sales")
        (clinic.folder / kind / "sales.yaml").write_text(other)
    for name in ("visits", "sales", "typo"):
        (tmp_path / f"{name}.py").write_text(
            "from dp_stats.airflow import adhoc_releases, scheduled_releases  # DAG\n"
            f"globals().update({{**scheduled_releases('{name}'), **adhoc_releases('{name}')}})\n"
        )
    assert {*dags("scheduled_releases")} == {"sales", "visits"}
    for name in ("visits", "sales"):
        assert {*dags(name, tmp_path)} == {name, f"ask-{name}"}
    (said,) = read_dags("typo", tmp_path).import_errors.values()
    assert "There is no dataset 'typo'" in said
    (tmp_path / "form.py").write_text(
        "from dp_stats.airflow import adhoc_releases  # DAG\nglobals().update(adhoc_releases('typo'))\n"
    )
    (said,) = read_dags("form", tmp_path).import_errors.values()
    assert "There is no dataset 'typo'" in said
    (tmp_path / "both.py").write_text(
        "from dp_stats.airflow import adhoc_releases, scheduled_releases  # DAG\n"
        "globals().update({**scheduled_releases(), **adhoc_releases()})\n"
    )
    read: list[str | None] = []

    def noted(folder: Path, *, dataset: str | None) -> Any:
        read.append(dataset)
        return read_catalogue(folder, dataset=dataset)

    monkeypatch.setattr(release_runs, "read_catalogue", noted)
    for wanted in ("sales", "ask-sales"):  # as a task's process asks for its own
        read.clear()
        with monkeypatch.context() as task:
            task.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", wanted)
            assert {*dags("both", tmp_path)} == {wanted}
        assert read == ["sales"]
    (clinic.folder / "releases/sales.yaml").write_text("dataset: sales\n  : {")
    assert {*dags("visits", tmp_path)} == {"visits", "ask-visits"}
    assert {*dags("sales", tmp_path)} == {"ask-sales"}


def test_catch_up_begins_with_the_interval_at_whose_end_the_first_edition_is_due(clinic: Any) -> None:
    from dp_stats.catalogue import load_catalogue

    dags("scheduled_releases")
    from dp_stats.airflow.schedule import edition_at, first_interval, run_date

    catalogue = load_catalogue(clinic.folder)
    release = catalogue.release("visits")
    end = run_date(release, catalogue.period(release, "2024-W01"))
    assert (first_interval(release), end) == (
        datetime(2024, 1, 4, 9, 30, tzinfo=UTC),
        datetime(2024, 1, 11, 9, 30, tzinfo=UTC),
    )
    assert edition_at(catalogue, release, end) == "2024-W01"
    with pytest.raises(errors.NotDueError):
        edition_at(catalogue, release, datetime(2024, 1, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("period", "schedule", "zone", "place"),
    [
        ("day", "30 9 * * *", "Europe/London", "GB-ENG"),
        ("week", "30 9 * * 1", "Europe/London", "GB-ENG"),
        ("week", "0 0 * * 4", "Pacific/Auckland", None),
        ("month", "0 23 * * *", "America/New_York", "US"),
    ],
)
def test_every_edition_has_a_run_of_its_own_whatever_holidays_and_clocks_do(
    clinic: Any, period: Any, schedule: str, zone: str, place: str | None
) -> None:
    """Airflow's own scheduler is asked for run after run, from what its database keeps of the timetable."""
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable
    from airflow.timetables.assets import AssetOrTimeSchedule
    from airflow.timetables.base import TimeRestriction
    from pendulum import instance

    from dp_stats.airflow.schedule import edition_at, first_interval, run_date
    from dp_stats.airflow.timetable import timetable_of
    from dp_stats.catalogue import load_catalogue
    from dp_stats.catalogue.due import periods_of

    catalogue = load_catalogue(clinic.folder)
    release = catalogue.release("visits").model_copy(
        update={"period": period, "schedule": schedule, "timezone": zone, "holidays": place, "end": None}
    )
    kept = decode_timetable(encode_timetable(AssetOrTimeSchedule(timetable=timetable_of(release), assets=[])))
    restriction = TimeRestriction(earliest=instance(first_interval(release)), latest=None, catchup=True)
    expected = list(itertools.islice(periods_of(release), 400 if period == "day" else 60))
    made: dict[str, datetime] = {}
    last = None
    while len(made) <= len(expected):
        run = kept.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        assert run is not None
        last = run.data_interval
        made.setdefault(edition_at(catalogue, release, last.end), last.end)
    assert list(made)[:-1] == [one.label for one in expected]
    assert [made[one.label] for one in expected] == [run_date(release, one) for one in expected]


@pytest.mark.parametrize("place", [None, "GB-ENG"])
def test_an_ended_release_has_no_run_after_its_last_edition_and_is_still_revised_by_hand(
    clinic: Any, place: str | None
) -> None:
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable
    from airflow.timetables.base import TimeRestriction
    from pendulum import instance

    from dp_stats.airflow.schedule import first_interval, run_date
    from dp_stats.airflow.timetable import timetable_of
    from dp_stats.catalogue import load_catalogue

    clinic.change("releases/visits.yaml", end=date(2024, 1, 28), holidays=place)
    catalogue = load_catalogue(clinic.folder)
    release = catalogue.release("visits")
    kept = decode_timetable(encode_timetable(timetable_of(release)))
    restriction = TimeRestriction(earliest=instance(first_interval(release)), latest=None, catchup=True)
    ends, last = [], None
    while (run := kept.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)) is not None:
        last = run.data_interval
        ends.append(last.end)
    assert ends == [run_date(release, catalogue.period(release, f"2024-W0{n}")) for n in (1, 2, 3, 4)]
    (dag,) = dags("scheduled_releases").values()
    assert dag.end_date is None, "Airflow would give a run by hand no tasks, and call it a success"
    assert all(task.end_date is None for task in dag.tasks)


def test_a_run_publishes_the_edition_that_was_due_and_a_repeat_costs_and_changes_nothing(clinic: Any) -> None:
    (dag,) = dags("scheduled_releases").values()
    first = dag.test(logical_date=datetime(2024, 1, 18, 9, 30, tzinfo=UTC))
    assert first.state == "success", states(first)
    folder = clinic.settings.public_dir / "visits/2024-W02/r1"
    sums, before = (folder / "SHA256SUMS").read_bytes(), events(clinic)
    again = dag.test(logical_date=datetime(2024, 1, 18, 9, 30, tzinfo=UTC))
    by_hand = dag.test(run_conf={"period": "2024-W02"})
    assert (again.state, by_hand.state) == ("success", "success")
    assert (folder / "SHA256SUMS").read_bytes() == sums
    assert events(clinic) == before
    assert not list((clinic.settings.secure / "staging").rglob("*.parquet"))
    (charge,) = ledger(clinic).charges()
    assert charge.run == f"visits/{first.run_id}"
    told = asset_event("visits")
    assert (told["edition"], told["revision"], told["path"]) == ("visits/2024-W02", 1, "visits/2024-W02/r1")
    assert told["sha256"] == sha256(sums).hexdigest()


EXAMPLE = ROOT / "dp_stats" / "airflow" / "example_dags" / "own_pipeline.py"


@pytest.fixture
def own_dags(clinic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The example of DAGs of one's own, for the clinic's release, by their ids."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.py").write_text(EXAMPLE.read_text().replace('"covid-cases-by-area"', '"visits"'))
    bundle = {"classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": str(folder)}}
    monkeypatch.setenv(
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([{"name": "dags-folder", **bundle}])
    )
    return dags("mine", folder)


def test_one_s_own_dags_take_the_same_steps_and_hand_over_nothing_but_names_and_hashes(
    clinic: Any, own_dags: dict[str, Any]
) -> None:
    found = own_dags
    whole, halves, follows = (found[f"own_{name}"] for name in ("pipeline", "pipeline_in_two_tasks", "follow_up"))
    scheduled = dags("scheduled_releases")["visits"]
    for name in ("pull", "check", "reserve", "measure", "estimate", "publish"):
        own, theirs = whole.task_dict[f"visits.{name}"], scheduled.task_dict[name]
        assert {step.removeprefix("visits.") for step in own.downstream_task_ids} == theirs.downstream_task_ids
        assert (own.pool, own.retry_delay, own.doc_md) == (theirs.pool, theirs.retry_delay, theirs.doc_md)
    assert whole.task_dict["visits.clean_up"].is_teardown

    first = halves.test(run_conf={"period": "2024-W01"})
    assert first.state == "success", states(first)
    told = asset_event("visits")
    assert (told["edition"], told["revision"]) == ("visits/2024-W01", 1)
    assert len(told["sha256"]) == 64
    (cost,) = {block.spent for block in ledger(clinic).blocks()}
    assert not list((clinic.settings.secure / "staging").rglob("*.parquet"))
    before = events(clinic)
    again = whole.test(run_conf={"period": "2024-W01"})
    assert (again.state, asset_event("visits")) == ("success", told)
    assert events(clinic) == before
    assert {block.spent for block in ledger(clinic).blocks()} == {cost}
    handed = [value for run in (first, again) for value in xcoms(run)]
    assert {type(value) for value in handed} <= {str, int, list, bool, type(None)}
    assert not any("visits.csv" in str(value) for value in handed)
    assert follows.test().state == "success"


def xcoms(run: Any) -> list[Any]:
    """Every value that the tasks of a run have handed over."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(XComModel).where(XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id))
        values = [XComModel.deserialize_value(one) for one in found]
    return [each for value in values for each in (value.values() if isinstance(value, dict) else [value])]


def test_a_failure_in_one_s_own_dag_is_told_with_its_edition_and_leaves_no_rows(
    clinic: Any, own_dags: dict[str, Any]
) -> None:
    (clinic.folder / "visits.csv").write_text("Patient,Day\n")
    assert own_dags["own_pipeline_in_two_tasks"].test(run_conf={"period": "2024-W02"}).state == "failed"
    (line,) = (clinic.settings.home / "alerts.jsonl").read_text().splitlines()
    assert json.loads(line)["subject"] == "visits/2024-W02: the step measure failed"
    assert not list((clinic.settings.secure / "staging").rglob("*.parquet"))


def test_the_provider_tells_airflow_of_its_operators_in_the_form_that_airflow_demands() -> None:
    import airflow as installed
    import jsonschema

    from dp_stats import airflow as ours
    from dp_stats.airflow.provider import get_provider_info

    told = get_provider_info()
    schema = json.loads((Path(next(iter(installed.__path__))) / "provider_info.schema.json").read_text())
    jsonschema.validate(told, schema)
    (module,) = told["operators"][0]["python-modules"]
    named = __import__(module, fromlist=["x"])
    for name in ("MeasureOperator", "PublishOperator", "ReleaseTaskGroup"):
        assert getattr(ours, name) is getattr(named, name)


def asset_event(name: str) -> dict[str, Any]:
    """What the newest event of an asset tells whoever waits for it."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id).where(AssetModel.name == name)
        return dict(session.scalars(query.order_by(AssetEvent.id.desc())).first().extra)  # type: ignore[union-attr]


def test_a_published_site_is_copied_to_any_place_that_fsspec_reaches(
    clinic: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DP_STATS_PUBLIC", (tmp_path / "bucket").as_uri())
    (dag,) = dags("scheduled_releases").values()
    run = dag.test(run_conf={"period": "2024-W02"})
    assert run.state == "success", states(run)
    made, copied = (base / "visits/2024-W02/r1" for base in (clinic.settings.home / "public", tmp_path / "bucket"))
    names = sorted(file.name for file in made.iterdir())
    assert "clinic-week.csv" in names
    assert sorted(file.name for file in copied.iterdir()) == names
    for name in names:
        assert (copied / name).read_bytes() == (made / name).read_bytes()
    assert (tmp_path / "bucket/index.html").is_file()


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """Airflow's own SMTP notifier, configured as docs/how-to/production.md says, writes to this mailbox."""
    with opened() as box:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP", box.connection)
        monkeypatch.setenv("DP_STATS_NOTIFIERS", notifier("data-team@agency.example"))
        monkeypatch.setenv("DP_STATS_LETTERS", notifier("{to}"))
        monkeypatch.setenv("DP_STATS_ADDRESSES", "{user}@agency.example")
        yield box


def test_a_failed_gate_fails_the_run_tells_somebody_charges_nothing_and_leaves_no_rows(
    clinic: Any, mailbox: Mailbox
) -> None:
    suite = clinic.folder / "expectations" / "visits.json"
    content = json.loads(suite.read_text())
    content["expectations"][1]["kwargs"]["min_value"] = 10**6
    suite.write_text(json.dumps(content))
    (dag,) = dags("scheduled_releases").values()
    run = dag.test(run_conf={"period": "2024-W02"})
    assert run.state == "failed"
    assert states(run)["check"] == "failed"
    assert states(run)["clean_up"] == "success"
    assert not ledger(clinic).charges()
    assert not list((clinic.settings.secure / "staging").rglob("*.parquet"))
    (line,) = (clinic.settings.home / "alerts.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert told["subject"] == "visits/2024-W02: the step check failed"
    assert "visits.json" in told["text"], "the cause, in our words"
    assert "clear the step" in told["text"]
    assert f"/dags/visits/runs/{run.run_id.split(':')[0]}" in told["text"], "where to look"
    (letter,) = mailbox.letters
    assert "Subject: visits/2024-W02: the step check failed" in letter
    assert "To: data-team@agency.example" in letter


def test_failures_that_need_a_person_are_not_retried_and_others_are() -> None:
    from airflow.sdk.definitions.retry_policy import RetryAction

    from dp_stats.airflow.steps import RETRIES

    policy: Any = RETRIES["retry_policy"]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DpStatsError)]
    passing = {kind for kind in kinds if policy.evaluate(kind("x"), 1, 3).action is RetryAction.DEFAULT}
    assert passing == {
        *(errors.DpStatsError, errors.SourceError, errors.LedgerError, errors.NoLedgerError),
        *(errors.BusyError, errors.StorageError),
    }


def test_what_a_step_raises_carries_no_value_and_no_cause() -> None:
    from dp_stats.airflow.steps import StepFailedError, guarded

    def leaks() -> None:
        int("secret-patient-4711")

    def known() -> None:
        try:
            leaks()
        except ValueError as error:
            raise errors.SourceError("visits.csv, line 7: not a number.") from error

    for function, kind in ((leaks, StepFailedError), (known, errors.SourceError)):
        with pytest.raises(kind) as caught:
            guarded(function)
        chain, error = [], caught.value
        while error is not None:
            chain.append(str(error))
            error = error.__cause__ or error.__context__
        assert "4711" not in " ".join(chain)


@pytest.mark.parametrize("value", [list(range(51)), "x" * 5000, {"rows": [[1, 2]] * 60}, object(), {1: "a"}])
def test_xcom_takes_only_small_plain_values(value: Any) -> None:
    from dp_stats.airflow.xcom import RefusedXComError, SmallPlainXCom

    with pytest.raises(RefusedXComError):
        SmallPlainXCom.serialize_value(value, key="return_value", task_id="pull")
    SmallPlainXCom.serialize_value({"edition": "visits/2024-W02", "revision": 1}, key="return_value", task_id="pull")


def test_a_request_below_the_allowance_is_answered_without_approval(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", budget={"epsilon": 10, "delta": "1e-6", "no_approval_below": 5})
    (dag,) = dags("adhoc_release").values()
    run = dag.test(run_conf=FORM)
    assert run.state == "success", states(run)
    assert states(run)["publish"] == "success"
    (charge,) = ledger(clinic).charges()
    assert (charge.category, charge.requested_by) == ("adhoc", "dag_test")
    assert list((clinic.settings.public_dir).glob("adhoc-*/2024-01-01--2024-01-10/r1/answer.csv"))


def test_a_key_that_the_form_does_not_have_is_refused_by_name(clinic: Any) -> None:
    (dag,) = dags("adhoc_release").values()
    run = dag.test(run_conf={**FORM, "epsilonn": 3})
    assert run.state == "failed"
    assert states(run)["ask"] == "failed"
    assert [path.name for path in clinic.settings.requests.iterdir()] == ["unread"], "it made no request"
    (told,) = unread_of("dag_test", settings=clinic.settings)
    assert "epsilonn: there is no such field" in told.why
    assert told.run == f"ask-visits/{run.run_id}"
    assert not unread_of("another", settings=clinic.settings)


def test_marking_the_approval_as_done_by_hand_does_not_approve(clinic: Any) -> None:
    (dag,) = dags("adhoc_release").values()
    run = dag.test(run_conf=FORM, mark_success_pattern="approve")
    assert run.state == "failed"
    assert states(run)["authorise"] == "failed"
    assert states(run)["pull"] == "upstream_failed"
    assert not ledger(clinic).charges()


def test_a_question_that_published_editions_answer_costs_nothing(clinic: Any) -> None:
    (scheduled,) = dags("scheduled_releases").values()
    for week in ("2024-W02", "2024-W03"):
        assert scheduled.test(run_conf={"period": week}).state == "success"
    before = events(clinic)
    (dag,) = dags("adhoc_release").values()
    run = dag.test(run_conf={**FORM, "period": "2024-01-08--2024-01-21", "free": "always", "only": "upper\nunknown"})
    assert run.state == "success", states(run)
    assert states(run)["ask"] == "success"
    assert states(run)["publish"] == "skipped"
    assert events(clinic) == before
    (table,) = clinic.settings.requests.glob("adhoc-*/answer.csv")
    assert [line.split(",")[0] for line in table.read_text().splitlines()] == ["clinic_code", "A", "unknown"]


def test_upkeep_verifies_and_warns_and_an_altered_file_fails_it(clinic: Any) -> None:
    (scheduled,) = dags("scheduled_releases").values()
    assert scheduled.test(run_conf={"period": "2024-W02"}).state == "success"
    (dag,) = dags("maintenance").values()
    run = dag.test()
    assert run.state == "success", states(run)
    told = (clinic.settings.home / "alerts.jsonl").read_text()
    assert "visits is late" in told
    assert "2024-W01, 2024-W03" in told, "an edition that is missing before one that is published is found, too"
    assert told.count("visits is late") == 1
    table = clinic.settings.public_dir / "visits/2024-W02/r1/clinic-week.csv"
    table.chmod(0o644)
    table.write_text(table.read_text() + "altered\n")
    run = dag.test()
    assert run.state == "failed"
    assert states(run)["verify_published"] == "failed"
    told = (clinic.settings.home / "alerts.jsonl").read_text()
    assert "visits/2024-W02/r1/clinic-week.csv: altered" in told
    assert told.count("visits is late") == 1, "what is as it was is told once"


def test_who_asked_is_written_to_when_it_is_answered_and_when_it_is_stopped(clinic: Any, mailbox: Mailbox) -> None:
    clinic.change("datasets/visits.yaml", budget={"epsilon": 10, "delta": "1e-6", "no_approval_below": 5})
    (dag,) = dags("adhoc_release").values()
    assert dag.test(run_conf=FORM).state == "success"
    (letter,) = mailbox.letters
    assert "To: dag_test@agency.example" in letter
    assert "Your figures are there" in letter
    assert "/budget/requests/adhoc-" in letter
    assert dag.test(run_conf={**FORM, "period": "2024-02-31"}).state == "failed"
    assert "Your request was stopped" in mailbox.letters[1]
    assert "2024-02-31" in mailbox.letters[1]


def test_trying_says_what_it_costs_and_asks_files_and_spends_nothing(clinic: Any, mailbox: Mailbox) -> None:
    from dp_stats.requests.tried import tried_by

    (dag,) = dags("adhoc_release").values()
    run = dag.test(run_conf={**FORM, "try_it": True})
    assert run.state == "success", states(run)
    assert {states(run)[task] for task in ("ask", "authorise", "pull", "publish")} == {"skipped"}
    (quote,) = tried_by("dag_test", settings=clinic.settings)
    assert (len(quote["points"]), quote["way"], quote["run"]) == (5, "approval", f"ask-visits/{run.run_id}")
    assert events(clinic) == ["created"]
    assert [path.name for path in clinic.settings.requests.iterdir()] == ["tried"]
    assert not mailbox.letters


def test_what_is_broken_stops_only_itself_is_told_once_and_stands_on_the_budget_page(clinic: Any) -> None:
    from dp_stats.airflow.budget_page import _broken

    broken = "id: sales\ntilte: x\n"
    (clinic.folder / "releases/sales.yaml").write_text(broken)
    clinic.settings.requests.mkdir(parents=True)
    (clinic.settings.requests / "adhoc-aaaa.yaml").write_text("{")
    (watch,) = dags("watch").values()
    for _ in range(2):
        assert watch.test().state == "success"
    told = [json.loads(line)["subject"] for line in (clinic.settings.home / "alerts.jsonl").read_text().splitlines()]
    assert told == ["releases/sales.yaml is broken", "The request adhoc-aaaa cannot be read"]
    assert [line.partition(". ")[0] for line in _broken()] == told
    (clinic.folder / "releases/sales.yaml").unlink()
    assert watch.test().state == "success"
    (clinic.folder / "releases/sales.yaml").write_text(broken)
    assert watch.test().state == "success"
    assert len((clinic.settings.home / "alerts.jsonl").read_text().splitlines()) == 3, "what comes back is told again"
    assert _broken()


def test_a_custodian_gets_one_letter_for_all_that_waits_in_an_interval_and_none_when_nothing_does(
    clinic: Any, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dp_stats import requests
    from dp_stats.operations import digests

    monkeypatch.setenv("DP_STATS_DIGEST_HOURS", "4")
    (watch,) = dags("watch").values()
    assert watch.test().state == "success"
    assert not mailbox.letters, "nothing waits"
    for epsilon in (0.1, 0.2, 0.3):
        requests.ask({**FORM, "epsilon": epsilon}, requested_by="ann")
    for _ in range(2):
        assert watch.test().state == "success"
    (letter,) = mailbox.letters
    assert "To: custodian@agency.example" in letter
    assert "3 requests wait for your decision" in letter
    assert letter.count("To plan how many nurses are needed.") == 3
    assert "/plugin/to-decide" in letter
    now = datetime.now(UTC)
    assert not digests.due(now=now + timedelta(hours=3))
    assert [len(asked) for asked in digests.due(now=now + timedelta(hours=5)).values()] == [3]
    for asked in digests.due(now=now + timedelta(hours=5))["custodian"]:
        requests.withdraw(asked.id, by="ann")
    assert not digests.due(now=now + timedelta(hours=5)), "nothing waits any more"


def test_a_question_that_is_mistyped_fails_its_run_and_alerts_nobody(clinic: Any) -> None:
    (dag,) = dags("adhoc_release").values()
    run = dag.test(run_conf={**FORM, "period": "2024-02-31"})
    assert run.state == "failed"
    assert states(run)["ask"] == "failed"
    assert not (clinic.settings.home / "alerts.jsonl").exists()


def test_a_fault_on_the_way_alerts_the_engineers_and_tells_who_asked_that_it_is_none_of_hers(
    clinic: Any, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dp_stats import pipeline
    from dp_stats.requests.standing import requests_of

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("patient 4711")

    monkeypatch.setattr(pipeline, "measure", broken)
    clinic.change("datasets/visits.yaml", budget={"epsilon": 10, "delta": "1e-6", "no_approval_below": 5})
    (dag,) = dags("adhoc_release").values()
    assert dag.test(run_conf=FORM).state == "failed"
    (alerted, letter) = mailbox.letters
    assert "the step measure failed" in alerted
    assert "Your request was stopped" in letter
    (stands,) = requests_of("dag_test", ledger=ledger(clinic), settings=clinic.settings)
    assert stands.state == "stopped"
    assert "A fault that is not yours stopped it at the step 'measure'." in stands.why
    assert "4711" not in alerted + letter + stands.why


def test_a_request_whose_run_has_ended_or_is_gone_is_not_said_to_wait(clinic: Any) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import update

    from dp_stats import requests
    from dp_stats.airflow.requests_page import _still
    from dp_stats.requests.standing import requests_of

    (dag,) = dags("adhoc_release").values()
    run = dag.test(run_conf={**FORM, "try_it": True})

    def stand(of: str) -> list[str]:
        requests.ask(FORM, requested_by="ann", run=of)
        known: Any = {"ledger": ledger(clinic), "settings": clinic.settings}
        return [one.state for one in _still(requests_of("ann", **known), **known)]

    assert stand(f"ask-visits/{run.run_id}") == ["over"], "it has ended, and nobody has decided"
    assert stand("ask-visits/deleted") == ["over"]
    assert stand("") == ["waiting"], "asked from no run"
    with create_session() as session:
        session.execute(update(DagRun).where(DagRun.run_id == run.run_id).values(state="running"))
    assert stand(f"ask-visits/{run.run_id}") == ["waiting"]


def test_an_alert_goes_out_where_no_state_folder_can_be_written(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dp_stats.airflow.alerts import alert

    monkeypatch.setenv("DP_STATS_HOME", "/proc/nowhere")
    alert("visits/2024-W02: the step pull failed", "Its worker was lost.")
    (letter,) = mailbox.letters
    assert "Its worker was lost." in letter


def test_a_step_whose_worker_was_lost_is_told_by_airflows_dag_processor_which_has_no_state(
    clinic: Any, mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import structlog
    from airflow.api_fastapi.execution_api.datamodels.taskinstance import DagRun, TIRunContext
    from airflow.callbacks.callback_requests import TaskCallbackRequest
    from airflow.dag_processing.processor import _execute_task_callbacks
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    (dag,) = dags("adhoc_release").values()
    run = dag.test(run_conf=FORM, mark_success_pattern="approve")
    told = len(mailbox.letters)
    with create_session() as session:
        query = select(TaskInstance).where(TaskInstance.run_id == run.run_id, TaskInstance.task_id == "pull")
        instance = session.scalars(query).one()
        known = DagRun.model_validate(instance.dag_run, from_attributes=True)
        context = TIRunContext(dag_run=known, max_tries=0, variables=[], connections=[], xcom_keys_to_clear=[])
        request = TaskCallbackRequest(
            filepath="adhoc_release.py",
            bundle_name="dags-folder",
            bundle_version=None,
            ti=instance,
            msg="lost",
            context_from_server=context,
        )
    monkeypatch.setenv("DP_STATS_HOME", str(tmp_path / "elsewhere"))
    _execute_task_callbacks(read_dags("adhoc_release"), request, structlog.get_logger())
    alerted, letter = mailbox.letters[told:]
    assert f"ask-visits/{run.run_id.split(':')[0]}" in alerted
    assert "the step pull failed" in alerted
    assert "its worker was lost" in alerted
    assert "A fault that is not yours" in letter


def test_a_dataset_that_is_newer_than_the_scheduler_has_its_pool_when_its_first_run_begins(clinic: Any) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session
    from airflow.utils.sqlalchemy import prohibit_commit
    from sqlalchemy import select

    from dp_stats.airflow.pools import on_dag_run_running

    (dag,) = dags("scheduled_releases").values()
    with create_session() as session, prohibit_commit(session):  # as the scheduler's loop has it
        run = DagRun(dag_id="visits", run_id="first", run_type="manual")
        session.add(run)
        run.dag = dag
        assert "dataset-visits" not in session.scalars(select(Pool.pool)).all()
        for _ in range(2):
            on_dag_run_running(dag_run=run, msg="")
        assert session.scalars(select(Pool.pool)).all().count("dataset-visits") == 1
        session.rollback()


def test_a_fault_behind_a_question_alerts_once(clinic: Any) -> None:
    (dag,) = dags("adhoc_release").values()
    clinic.settings.home.mkdir()
    (clinic.settings.home / "ledger.db").write_bytes(b"this is no ledger" * 100)
    run = dag.test(run_conf=FORM)
    assert run.state == "failed"
    (line,) = (clinic.settings.home / "alerts.jsonl").read_text().splitlines()
    assert "the step ask failed" in json.loads(line)["subject"]
