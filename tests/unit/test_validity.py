"""Code lists that change: read on a day, checked, and told what compares with before."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dp_stats.catalogue.codes import CodeList, load_code_list
from dp_stats.catalogue.validity import check_validity, days_of_change, epochs, in_force, not_comparable
from dp_stats.errors import CatalogueError

HEAD = "code,name,region,valid_from,valid_to,replaced_by\n"
APRIL = """x,Ex,R,,2021-03-31,n
y,Why,R,,2021-03-31,n
n,New,R,2021-04-01,,
z,Zed,Q,,2021-03-31,
z,Zed,R,2021-04-01,,
s,Split,Q,,2021-03-31,a b
a,Part A,Q,2021-04-01,,
b,Part B,Q,2021-04-01,2022-03-31,n
i,Island,I,2021-04-01,,
"""
MARCH_31, APRIL_1 = date(2021, 3, 31), date(2021, 4, 1)


def listed(tmp_path: Path, text: str) -> CodeList:
    path = tmp_path / "areas.csv"
    path.write_text(HEAD + text)
    codes = load_code_list(path)
    check_validity(codes)
    return codes


def test_a_list_is_read_on_a_day(tmp_path: Path) -> None:
    codes = listed(tmp_path, APRIL)
    before, after, later = (in_force(codes, day) for day in (MARCH_31, APRIL_1, date(2022, 4, 1)))
    assert before.codes == ("x", "y", "z", "s")
    assert after.codes == ("n", "z", "a", "b", "i")
    assert before.replaced == {}
    assert after.replaced == {"x": ("n",), "y": ("n",), "s": ("a", "b")}
    assert later.replaced == {"x": ("n",), "y": ("n",), "s": ("a", "n"), "b": ("n",)}, "over several changes"
    assert after.column("region") == ("R", "R", "Q", "Q", "I")
    assert "valid_from" not in after.header
    assert in_force(after, MARCH_31) is after, "what was read on a day stays as it was read"
    assert days_of_change(codes) == (APRIL_1, date(2022, 4, 1))
    assert list(epochs([codes], date(2021, 1, 4), date(2021, 12, 31))) == [date(2021, 1, 4), APRIL_1]


def test_what_does_not_compare_is_told_level_by_level(tmp_path: Path) -> None:
    codes = listed(tmp_path, APRIL)
    before, after = in_force(codes, MARCH_31), in_force(codes, APRIL_1)
    assert not_comparable(before, after, "code", unknown=True) == ("n", "a", "b", "i", "unknown")
    assert not_comparable(before, after, "region", unknown=False) == ("R", "Q", "I"), "Zed moved, the island is new"
    merged = listed(tmp_path, "x,Ex,R,,2021-03-31,n\ny,Why,R,,2021-03-31,n\nn,New,R,2021-04-01,,\n")
    one, other = in_force(merged, MARCH_31), in_force(merged, APRIL_1)
    assert not_comparable(one, other, "code", unknown=False) == ("n",)
    assert not_comparable(one, other, "region", unknown=False) == ()
    assert not_comparable(one, one, "code", unknown=False) == ()


def test_a_list_without_the_columns_is_never_another(tmp_path: Path) -> None:
    path = tmp_path / "areas.csv"
    path.write_text("code,name\nx,Ex\n")
    codes = load_code_list(path)
    assert in_force(codes, APRIL_1) is codes
    assert codes.replaced is None
    path.write_text("code,name\nx,Ex\nX,Ex again\n")
    with pytest.raises(CatalogueError, match="stands twice"):
        load_code_list(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,Ex,R,1 April,,\n", "line 2: 'valid_from' must be a day"),
        ("x,Ex,R,2021-04-01,2021-03-31,\n", "line 2: 'valid_to' is before"),
        ("x,Ex,R,,,y\ny,Why,R,,,\n", "line 2: 'replaced_by' needs 'valid_to'"),
        ("x,Ex,R,,2021-04-01,\nX,Ex,R,2021-04-01,,\n", "lines 2 and 3: the same code"),
        ("x,Ex,R,,2021-03-31,y\ny,Why,R,2021-06-01,,\n", "'y' is no other code that is in force on 2021-04-01"),
        ("x,Ex,R,,2021-03-31,x\nx,Ex,R,2021-04-01,,\n", "'x' is no other code"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        listed(tmp_path, text)
    assert said in str(caught.value)


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=4))
def test_over_any_mergers_every_code_ends_in_one_that_is_in_force(merges: list[list[int]]) -> None:
    """Each April areas merge into new ones; on every day the codes of all days before lead to codes of that day."""
    alive, rows, years = [f"c{n}" for n in range(6)], [], [date(2000 + n, 4, 1) for n in range(len(merges))]
    born = dict.fromkeys(alive, "")
    for year, (day, gone) in enumerate(zip(years, merges, strict=True)):
        merging = sorted({alive[i % len(alive)] for i in gone})
        new = f"n{year}"
        for code in merging:
            rows.append((code, born.pop(code), f"{day.year}-03-31", new))
            alive.remove(code)
        alive.append(new)
        born[new] = day.isoformat()
    rows += [(code, first, "", "") for code, first in born.items()]
    header = ("code", "name", "valid_from", "valid_to", "replaced_by")
    codes = CodeList("a", Path("a.csv"), header, tuple(dict(zip(header, (r[0], *r), strict=True)) for r in rows))
    check_validity(codes)
    for day in years:
        now = in_force(codes, day)
        assert now.replaced is not None
        gone = {row["code"] for row in codes.rows if row["valid_to"] and date.fromisoformat(row["valid_to"]) < day}
        assert set(now.replaced) == gone
        assert all(len(new) == 1 and set(new) <= set(now.codes) for new in now.replaced.values())
