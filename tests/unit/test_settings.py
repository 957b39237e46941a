"""Settings: every variable is typed, described and in the manual; what is wrong is named, and never shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dp_stats.errors import SettingsError
from dp_stats.settings import described, load_settings, shipped

ROOT = Path(__file__).resolve().parents[2]


def test_the_manual_lists_every_variable_with_its_meaning_and_default() -> None:
    manual = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(DP_STATS_\w+)` \| (.+) \| (.+) \|$", manual, flags=re.MULTILINE)
    assert rows == described()


def test_no_other_module_reads_a_variable_of_the_product() -> None:
    reading = re.compile(r"(environ|getenv)\b[^\n]*[\"']DP_STATS_")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("dp_stats", "dags", "deploy")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if reading.search(line)
    ]
    # The command line hands on the folders chosen there and the wish for a new ledger; a declared path may name the state folder.
    assert [f.partition(":")[0] for f in found] == ["dp_stats/cli/main.py"] * 3 + ["dp_stats/secure/source_files.py"], (
        found
    )


def test_relative_paths_are_taken_from_the_current_folder_and_what_follows_from_home_moves_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(
        {"DP_STATS_HOME": "state", "DP_STATS_CATALOGUE": "mine", "DP_STATS_BASE_URL": "https://x/"}
    )
    assert settings.home == tmp_path / "state"
    assert settings.catalogue == tmp_path / "mine"
    assert settings.ledger_url == f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"
    assert settings.public_dir == tmp_path / "state" / "public"
    assert settings.base_url == "https://x"


def test_only_the_environment_counts_and_an_empty_variable_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("DP_STATS_PUBLIC=/from/a/file\nDP_STATS_HOME=/from/a/file\n")
    monkeypatch.setenv("DP_STATS_HOME", "")
    monkeypatch.setenv("DP_STATS_NOTIFIERS", "")
    settings = load_settings()
    assert (settings.home, settings.notifiers) == (tmp_path / "home", ())
    assert settings.public == str(tmp_path / "home" / "public")
    assert load_settings({}) == load_settings({"DP_STATS_CATALOGUE": ""})


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DP_STATS_APPROVAL_HOURS", "sesame", "must be a number"),
        ("DP_STATS_APPROVAL_HOURS", "0", "must be above 0"),
        ("DP_STATS_SIMPLE_PASSWORDS", "sesame", "must be true or false"),
        ("DP_STATS_NOTIFIERS", "sesame", "is no JSON"),
        ("DP_STATS_NOTIFIERS", '{"class": "sesame"}', "must be a JSON list"),
        ("DP_STATS_NOTIFIERS", '["sesame"]', "must be an object"),
        ("DP_STATS_NOTIFIERS", '[{"arguments": {"password": "sesame"}}]', "is missing"),
        ("DP_STATS_NOTIFIERS", '[{"class": "a.B", "to": "sesame"}]', "is not known here"),
    ],
)
@pytest.mark.parametrize("given", [True, False])
def test_a_wrong_value_is_named_with_what_to_write_and_not_shown(
    name: str, value: str, says: str, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value} if given else None)
    assert name in str(caught.value)
    assert says in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_addresses_with_passwords_are_not_shown_when_settings_are_printed() -> None:
    notifier = '[{"class": "a.B", "arguments": {"token": "sesame"}}]'
    settings = load_settings({"DP_STATS_LEDGER_URL": "postgresql://u:sesame@h/d", "DP_STATS_NOTIFIERS": notifier})
    assert settings.notifiers[0].arguments == {"token": "sesame"}
    assert "sesame" not in repr(settings)
    assert "sesame" not in str(settings)


@pytest.mark.parametrize(
    ("name", "holds"),
    [("reports", "templates/base.html"), ("expectations", "published.json"), ("catalogue", "codes/lad19.csv")],
)
def test_what_comes_with_the_package_is_found(name: Any, holds: str) -> None:
    assert (shipped(name) / holds).is_file()
