"""The documentation builds without a warning, and what it says of a field is what the field takes."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from dp_stats.catalogue.accessibility import Accessibility
from dp_stats.catalogue.models import Agreement, Dataset, Organisation, Release
from dp_stats.catalogue.postcodes import Postcodes
from dp_stats.catalogue.shapes import Shapes

ROOT = Path(__file__).resolve().parents[2]


def reference() -> Any:
    """The hook that makes reference pages."""
    spec = importlib.util.spec_from_file_location("docs_reference", ROOT / "docs" / "hooks" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("model", [Dataset, Release, Agreement, Organisation, Postcodes, Accessibility, Shapes])
def test_every_example_of_a_field_is_one_that_the_field_takes(model: type[BaseModel]) -> None:
    for one in reference().models(model):
        for name, info in one.model_fields.items():
            for example in info.examples or ():
                TypeAdapter(one.model_fields[name].annotation).validate_python(example)


def test_a_field_without_a_meaning_or_an_example_stops_the_build() -> None:
    class Silent(BaseModel):
        field: int

    class Vague(BaseModel):
        field: int = Field(description="A number.")

    for model, word in ((Silent, "description"), (Vague, "example")):
        with pytest.raises(Exception, match=f"field has no {word}"):
            reference().declaration(model, "A page")


def test_marked_places_of_a_page_are_filled_and_an_unknown_one_stops_the_build() -> None:
    hook = reference()
    page = SimpleNamespace(file=SimpleNamespace(src_uri="page.md"))

    def filled(markdown: str) -> str:
        return str(hook.on_page_markdown(markdown, page=page, config=None, files=None))

    text = (ROOT / "docs" / "reference" / "file-formats.md").read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- made: (.*?) -->", text)) == set(hook.PLACES)
    for word in ("| `seen` | bytes |", "| `low` | few or none", "| `method` |"):
        assert word not in text
        assert word in filled(text)
    with pytest.raises(Exception, match="nothing is made"):
        filled("<!-- made: nothing -->")


@pytest.mark.slow
def test_the_documentation_builds_and_a_broken_link_would_stop_it(tmp_path: Path) -> None:
    def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(site)],
            cwd=root,
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    done = build(ROOT, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert (tmp_path / "site" / "reference" / "release.html").is_file()
    broken = tmp_path / "broken"
    broken.mkdir()
    for folder in ("dp_stats", "reports"):
        (broken / folder).symlink_to(ROOT / folder)
    shutil.copy(ROOT / "mkdocs.yml", broken)
    shutil.copytree(ROOT / "docs", broken / "docs")
    (broken / "docs" / "index.md").write_text("[nowhere](nothing.md)\n")
    assert build(broken, tmp_path / "other").returncode != 0
