"""A page is made again when what it is made from changes, in whichever room that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dp_stats.site import builder
from dp_stats.site.writer import digest


@pytest.mark.parametrize("file", ["site/frame.py", "charts/svg.py", "texts/numbers.py", "editions/metadata.py"])
def test_a_change_of_code_makes_pages_again(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, reports = tmp_path / "dp_stats", tmp_path / "reports"
    (package / file).parent.mkdir(parents=True)
    (package / file).write_text("x = 1\n")
    monkeypatch.setattr(builder, "PACKAGE", package)
    before = digest(*builder.sources(reports))
    assert digest(*builder.sources(reports)) == before
    (package / file).write_text("x = 2\n")
    assert digest(*builder.sources(reports)) != before
