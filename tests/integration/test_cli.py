"""The command line: every command is documented, has help, and fails with its own exit code and one clear message."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from dp_stats import errors
from dp_stats.cli.main import app

DOCS = Path(__file__).resolve().parents[2] / "docs"
runner = CliRunner()


def commands() -> list[str]:
    """Every command, with its group: ``ledger show``."""
    found = []
    for name, command in typer.main.get_group(app).commands.items():
        below = getattr(command, "commands", None)
        found += [f"{name} {sub}" for sub in below] if below else [name]
    return found


def run(*arguments: str, code: int = 0) -> str:
    done = runner.invoke(app, list(arguments))
    assert done.exit_code == code, done.output
    return done.output


def test_every_command_is_in_the_manual_and_nothing_else_is() -> None:
    documented = re.findall(
        r"^\| `([a-z]+(?:[ -][a-z]+)*)", (DOCS / "reference" / "command-line.md").read_text(), flags=re.MULTILINE
    )
    assert sorted(documented) == sorted(commands())


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_that_says_what_it_does(command: str) -> None:
    assert len(run(*command.split(), "--help")) > 100


@pytest.mark.parametrize("command", commands())
def test_the_help_of_every_command_ends_with_an_example_that_the_command_takes(command: str) -> None:
    found: Any = typer.main.get_group(app)
    for name in command.split():
        found = found.commands[name]
    words = shlex.split(found.epilog.removeprefix("Example: "))
    assert words[: 1 + len(command.split())] == ["dp-stats", *command.split()]
    found.make_context(command, words[1 + len(command.split()) :])


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("dp-stats pl", {"plan"}),
        ("dp-stats plan vi", {"visits"}),
        ("dp-stats run ", {"visits"}),
        ("dp-stats run other", set()),
        ("dp-stats ledger show v", {"visits"}),
    ],
)
def test_the_shell_completes_commands_and_names_of_the_catalogue(clinic: Any, typed: str, offered: set[str]) -> None:
    shell = {"_DP_STATS_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    done = runner.invoke(app, [], prog_name="dp-stats", env={**shell, "DP_STATS_CATALOGUE": str(clinic.folder)})
    assert set(done.output.split()) == offered


def test_completion_is_offered_for_installation_and_silent_without_a_catalogue(tmp_path: Path) -> None:
    assert "--install-completion" in run("--help")
    shell = {"_DP_STATS_COMPLETE": "complete_bash", "COMP_WORDS": "dp-stats plan v", "COMP_CWORD": "2"}
    done = runner.invoke(app, [], prog_name="dp-stats", env={**shell, "DP_STATS_CATALOGUE": str(tmp_path / "none")})
    assert done.output.split() == []


def test_schemas_go_to_ones_own_catalogue_never_into_the_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "dp_stats"
    example = package / "shipped" / "catalogue"
    example.mkdir(parents=True)
    monkeypatch.setattr("dp_stats.settings.resources.files", lambda _: package)
    monkeypatch.setenv("DP_STATS_CATALOGUE", str(example))
    assert "dp-stats schema clinic/schema" in run("schema", code=errors.CatalogueError.exit_code)
    assert list(example.iterdir()) == []
    run("schema", str(tmp_path / "mine"))
    made = {p.name: p.read_bytes() for p in (tmp_path / "mine").iterdir()}
    assert made == {p.name: p.read_bytes() for p in Path("dags/catalogue/schema").iterdir()}
    assert {"agreement.json", "dataset.json", "organisation.json", "release.json"} <= {*made}


def test_every_class_of_failure_has_an_exit_code_of_its_own_in_the_guide() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__base__ is errors.DpStatsError]
    codes = [kind.exit_code for kind in kinds]
    assert len(codes) == len(set(codes)) > 8
    documented = {
        int(code)
        for code in re.findall(r"^\| (\d+) \|", (DOCS / "tutorial" / "guide.md").read_text(), flags=re.MULTILINE)
    }
    assert set(codes) <= documented


def test_a_plan_reads_no_rows_and_spends_nothing(clinic: Any) -> None:
    (clinic.folder / "visits.csv").unlink()
    printed = run("plan", "visits", "--period", "2024-W02")
    assert "Expected margins of error" in printed
    plan = json.loads(run("plan", "visits", "--period", "2024-W02", "--json"))
    assert (plan["release"], plan["period"]) == ("visits", "2024-W02")
    assert not clinic.settings.home.exists()


def test_a_plan_says_what_a_wanted_accuracy_costs(clinic: Any, tmp_path: Path) -> None:
    chart = tmp_path / "curve.svg"
    printed = run("plan", "visits", "-p", "2024-W02", "--for", "clinic-week.visits=20", "--chart", str(chart))
    assert re.search(r"±20 on clinic-week\.visits costs ε = [\d.]+", printed)
    assert chart.read_text().startswith("<?xml")


def test_checking_a_sound_catalogue_shows_what_a_year_costs(clinic: Any) -> None:
    printed = run("check")
    assert "The catalogue is sound." in printed
    assert re.search(r"visits +│ visits +│ +5[23] │", printed)


@pytest.mark.parametrize(
    ("arguments", "change", "kind", "says"),
    [
        (
            ("check",),
            {"file": "releases/visits.yaml", "dataset": "none"},
            errors.CatalogueError,
            "there is no dataset 'none'",
        ),
        (("check",), {"file": "datasets/visits.yaml", "expectations": "lost.json"}, errors.CatalogueError, "lost.json"),
        (
            ("check",),
            {"file": "datasets/visits.yaml", "budget": {"epsilon": 0.2, "delta": "1e-6"}},
            errors.BudgetError,
            "Lower their privacy_loss",
        ),
        (("check",), {"file": "releases/visits.yaml", "series": False}, errors.BudgetError, "declare 'series: true'"),
        (("plan", "flu", "-p", "2024-W02"), {}, errors.CatalogueError, "There is no release 'flu'"),
        (("plan", "visits", "-p", "2024-02"), {}, errors.CatalogueError, "write a period such as 2024-W01"),
        (("run", "visits", "-p", "2199-W02"), {}, errors.NotDueError, "Run it after that day"),
        (("ledger", "show"), {}, errors.LedgerError, "ledger"),
    ],
)
def test_failures_say_what_to_do_and_exit_with_their_code(
    clinic: Any, arguments: tuple[str, ...], change: dict[str, Any], kind: type[errors.DpStatsError], says: str
) -> None:
    if change:
        clinic.change(change.pop("file"), **change)
    printed = run(*arguments, code=kind.exit_code)
    assert says in printed.replace("\n", " ")
    assert "Traceback" not in printed


@pytest.mark.slow
def test_a_published_edition_can_be_asked_verified_exported_and_retracted(clinic: Any) -> None:
    assert "Published" in run("run", "visits", "-p", "2024-W02")
    assert "Published" in run("run", "visits", "-p", "2024-W03")
    answer = json.loads(run("answer", "visits", "visits", "--where", "clinic=A", "--json"))
    assert answer["editions"] == ["visits/2024-W02", "visits/2024-W03"]
    assert answer["lower_95"] < answer["value"] < answer["upper_95"]
    run("answer", "visits", "visits", "--where", "clinic=nowhere", code=errors.NotDerivableError.exit_code)
    head = run("ledger", "head").strip()
    assert "The ledger is intact" in run("ledger", "verify", "--head", head)
    assert len(json.loads(run("ledger", "export", "--format", "json"))["entries"]) > 3
    assert json.loads(run("ledger", "show", "--json"))[0]["block"] == "2024"
    assert "matches its checksum" in run("site", "verify")
    run("retract", "visits/2024-W02", "--reason", "The clinics had sent test rows.")
    assert "The clinics had sent test rows." in (clinic.settings.public_dir / "corrections.html").read_text()
    assert "matches its checksum" in run("site", "verify")
    (clinic.settings.public_dir / "visits" / "2024-W03" / "r1" / "clinic-day.csv").write_text("altered")
    assert "clinic-day.csv" in run("site", "verify", code=errors.PublishedError.exit_code)


@pytest.mark.parametrize(
    ("wanted", "says"), [("0.0001", "Ask for a wider one"), ("ten", "Write TABLE.STATISTIC=MARGIN")]
)
def test_an_accuracy_that_cannot_be_had_or_read_is_refused(clinic: Any, wanted: str, says: str) -> None:
    arguments = ("plan", "visits", "-p", "2024-W02", "--for", f"clinic-week.visits={wanted}")
    assert says in run(*arguments, code=errors.CatalogueError.exit_code).replace("\n", " ")


@pytest.mark.slow
def test_a_ledger_that_was_lost_or_restored_from_an_old_backup_stops_every_command_that_spends(clinic: Any) -> None:
    run("run", "visits", "-p", "2024-W02")
    ledger, home = clinic.settings.home / "ledger.db", clinic.settings.home
    backup = ledger.read_bytes()
    run("run", "visits", "-p", "2024-W03")
    run("ledger", "verify")
    run("site", "verify")
    whole = ledger.read_bytes()

    ledger.unlink()
    assert "visits/2024-W03/r1" in run("run", "visits", "-p", "2024-W04", code=errors.LedgerError.exit_code)
    assert not ledger.exists()

    ledger.write_bytes(backup)
    for arguments in (("run", "visits", "-p", "2024-W04"), ("ledger", "verify"), ("site", "verify")):
        said = run(*arguments, code=errors.LedgerError.exit_code)
        assert "entries up to" in said
        assert "visits/2024-W03/r1" in said
    (home / "ledger.heads").unlink()
    shutil.rmtree(home / "public" / "visits" / "2024-W03")
    assert "is not the beginning" in run("site", "verify", code=errors.LedgerError.exit_code), "the public log knows it"
    for name in ("log.jsonl", "heads.jsonl"):
        (home / "public" / name).write_text("".join((home / "public" / name).read_text().splitlines(True)[:-1]))
    assert "which paid for" not in run("site", "verify"), "what is left agrees with the backup"

    ledger.write_bytes(whole)
    run("run", "visits", "-p", "2024-W02")
    ledger.unlink()
    run("run", "visits", "-p", "2024-W04", code=errors.LedgerError.exit_code)
    assert "Published" in run("--new-ledger", "run", "visits", "-p", "2024-W04")
    del os.environ["DP_STATS_NEW_LEDGER"]  # the command's own wish ends with its process
    assert "Published" in run("run", "visits", "-p", "2024-W05")
    run("ledger", "verify")
    run("site", "verify")
    assert "An earlier ledger was lost: its log of 3 lines ended" in run("verify", str(home / "public"))


@pytest.mark.slow
def test_an_edition_whose_charge_the_ledger_does_not_have_is_found(clinic: Any) -> None:
    run("run", "visits", "-p", "2024-W02")
    facts = clinic.settings.home / "public" / "visits" / "2024-W02" / "r1" / "edition.json"
    content = json.loads(facts.read_text())
    number, _, digest = content["charges"][0].partition(":")
    content["charges"] = [f"{number}:{digest[::-1]}"]
    facts.write_text(json.dumps(content))
    said = run("ledger", "verify", code=errors.LedgerError.exit_code)
    assert "which paid for visits/2024-W02/r1" in said
    run("site", "verify", code=errors.PublishedError.exit_code)
