"""What an edit of a catalogue would do: which releases go on in their charge, which are charged anew, what a year leaves.

The next edition after the edit is planned as the product plans it: with the series that the declarations before the edit
have begun, whether or not a ledger is at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Literal

from dp_stats.catalogue import Catalogue, Dataset, Release
from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.due import has_next, last_begun
from dp_stats.catalogue.periods import next_period
from dp_stats.catalogue.validity import VALIDITY
from dp_stats.errors import BudgetError
from dp_stats.operations.year import ReleaseReview, YearOfBudget, review_release, year_of_budget
from dp_stats.plan import declaration, make_sealed
from dp_stats.plan.series import differences, series_basis

Effect = Literal["added", "removed", "texts", "free", "anew", "each edition"]


@dataclass(frozen=True)
class ReleaseChange:
    """What becomes of one release.

    Attributes:
        effect: added or removed; ``texts``: what is measured and published stays, in other words; ``free``: measured as
            before and published otherwise, in the charge that was made; ``anew``: a new series, charged beside the one
            before it; ``each edition``: without a series, every edition is charged at the new price.
        fields: what was edited, as it is written in YAML (``tables.week.statistics``); in its dataset, agreement and lists, too.
        because: what ends the series, as a person calls it.
        formerly: its name before.
        before, after: ρ that a year of it costs in its dearest block; None where it was or is not there.
    """

    release: str
    effect: Effect
    fields: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    formerly: str = ""
    before: Fraction | None = None
    after: Fraction | None = None

    @property
    def charges(self) -> bool:
        """Whether anything is charged that was not to be charged before the edit."""
        dearer = self.effect == "each edition" and (self.after or 0) > (self.before or 0)
        return self.effect in ("added", "anew") or dearer

    def in_its_year(self, before: Fraction, after: Fraction) -> Fraction:
        """ρ that the block in which the edit is made pays in all, where a year cost ``before`` and costs ``after``."""
        if self.effect in ("texts", "free"):
            return before
        return max(before, after) if self.effect == "each edition" else before + after


@dataclass(frozen=True)
class DatasetChange:
    """What becomes of one dataset's budget: before and after the edit in a whole year, and in the year of the edit.

    Attributes:
        before, after: None where the dataset was or is not there, or nothing of it can be paid for; ``refused`` says why.
        in_its_year: ρ that all releases cost it in the block of the edit, series that end and those that follow them.
    """

    dataset: str
    fields: tuple[str, ...]
    before: YearOfBudget | None
    after: YearOfBudget | None
    in_its_year: Fraction
    refused: str = ""

    @property
    def fits(self) -> bool:
        """Whether the block of the edit can pay for all its editions, and a whole year as well."""
        return not self.refused and (self.after is None or self.in_its_year <= self.after.cap)


@dataclass(frozen=True)
class ListChange:
    """Codes that a code list gained, lost, or tells otherwise, and the columns in which it does; ``order`` alone has none."""

    name: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    edited: tuple[str, ...]
    columns: frozenset[str]

    def decides(self, catalogue: Catalogue, review: ReleaseReview) -> bool:
        """Whether more than names changes for a release."""
        deciding = declaration.deciding_columns(self.name, catalogue.codes[self.name], review.dataset, review.release)
        return bool(self.added or self.removed or not self.columns or self.columns & {*deciding, *VALIDITY})


@dataclass(frozen=True)
class Changes:
    """All that differs between two states of a catalogue and matters to a budget or a reader."""

    releases: tuple[ReleaseChange, ...]
    datasets: tuple[DatasetChange, ...]
    lists: tuple[ListChange, ...]


def changes(before: Catalogue, after: Catalogue, *, today: date) -> Changes:
    """Compare two catalogues, both sound, as an edit that is made ``today``.

    Raises:
        CatalogueError: a release of one of them cannot be planned.
    """
    lists = {one.name: one for one in _lists(before.codes, after.codes)}
    old, new = ({r.id: review_release(r, c) for r in c.releases.values()} for c in (before, after))
    names = {name: _name_before(release, before) for name, release in after.releases.items()}
    found = [
        _of_release(release, names[name], (before, after), (old, new), lists, today)
        for name, release in after.releases.items()
    ]
    found += [
        ReleaseChange(name, "removed", before=review.rho_per_block)
        for name, review in old.items()
        if name not in names.values()
    ]
    told = tuple(one for one in found if one is not None)
    datasets = tuple(_datasets((before, after), (old, new), told))
    return Changes(told, datasets, tuple(lists.values()))


def _name_before(release: Release, before: Catalogue) -> str:
    """What a release was called before the edit; nothing for a new one."""
    return next((name for name in (release.id, *release.formerly) if name in before.releases), "")


def _of_release(
    release: Release,
    earlier: str,
    catalogues: tuple[Catalogue, Catalogue],
    reviews: tuple[Mapping[str, ReleaseReview], Mapping[str, ReleaseReview]],
    lists: Mapping[str, ListChange],
    today: date,
) -> ReleaseChange | None:
    """What becomes of a release that is there after the edit; None where nothing of it was edited."""
    after = reviews[1][release.id]
    if not earlier:
        return ReleaseChange(release.id, "added", after=after.rho_per_block)
    before = reviews[0][earlier]
    agreements = _agreed(catalogues[0], before), _agreed(catalogues[1], after)
    own = [lists[name] for name in sorted(after.dataset.code_lists) if name in lists]
    fields = (
        *_edited(_plain(before.release), _plain(release)),
        *(f"dataset.{field}" for field in _edited(_plain(before.dataset), _plain(after.dataset))),
        *(f"agreement.{field}" for field in _edited(*agreements)),
        *(f"codes.{one.name}" for one in own),
    )
    if not fields:
        return None
    goes_on, because = _charge(before, after, catalogues, today)
    effect: Effect = "anew" if release.series else "each edition"
    if (
        agreements[0] == agreements[1]
        and _decides(before) == _decides(after)
        and not any(one.decides(catalogues[1], after) for one in own)
    ):
        effect = "texts"
    elif goes_on:
        effect = "free"
    formerly = earlier if earlier != release.id else ""
    told = because if effect == "anew" else ()
    return ReleaseChange(
        release.id, effect, fields, told, formerly, before=before.rho_per_block, after=after.rho_per_block
    )


def _charge(
    before: ReleaseReview, after: ReleaseReview, catalogues: tuple[Catalogue, Catalogue], today: date
) -> tuple[bool, tuple[str, ...]]:
    """Whether the edition after the edit goes on in the charge of the one before it; if not, what has ended the series."""
    earlier = make_sealed(catalogues[0], before.release, last_begun(before.release, today)).series
    period = last_begun(after.release, today)
    following = next_period(period) if has_next(after.release, period) else period
    later = make_sealed(catalogues[1], after.release, following, known=[earlier] if earlier else []).series
    if earlier is not None and later is not None and later.hash == earlier.hash:
        return True, ()
    old, new = (series_basis(one.release, one.dataset) for one in (before, after))
    return False, differences({**old, "release": new["release"]}, new) or ("tables that the series does not measure",)


def _agreed(catalogue: Catalogue, review: ReleaseReview) -> dict[str, Any]:
    """The agreement under which a release is made, as it is declared; nothing where there is none."""
    agreement = catalogue.agreement_of(review.dataset)
    return {} if agreement is None else _plain(agreement)


def _decides(review: ReleaseReview) -> tuple[Any, Any]:
    """What is read and what is published of it, apart from words; a release's own name is one."""
    told = declaration.declared(review.release)
    return declaration.reading(review.dataset), {k: v for k, v in told.items() if k not in ("id", "formerly")}


def _datasets(
    catalogues: tuple[Catalogue, Catalogue],
    reviews: tuple[Mapping[str, ReleaseReview], Mapping[str, ReleaseReview]],
    told: tuple[ReleaseChange, ...],
) -> Iterator[DatasetChange]:
    kept = [r for name, r in reviews[1].items() if name not in {one.release for one in told}]
    for name in dict.fromkeys((*catalogues[0].datasets, *catalogues[1].datasets)):
        old, new = (one.datasets.get(name) for one in catalogues)
        either = new or catalogues[0].datasets[name]
        fields = tuple(_edited(_plain(old), _plain(new))) if old and new else ()
        before, _ = _year(old, reviews[0])
        after, refused = _year(new, reviews[1])
        costs = [_costs_to(either, one, reviews) for one in told]
        spent = sum((one.in_its_year(*cost) for one, cost in zip(told, costs, strict=True)), Fraction(0))
        spent += sum((r.cost_to(new) for r in kept), Fraction(0)) if new else 0
        if fields or old is None or new is None or refused or any(map(any, costs)):
            yield DatasetChange(name, fields, before, after, spent, refused)


def _costs_to(
    dataset: Dataset,
    one: ReleaseChange,
    reviews: tuple[Mapping[str, ReleaseReview], Mapping[str, ReleaseReview]],
) -> tuple[Fraction, Fraction]:
    """What a year of a release cost a dataset before the edit, and costs it after."""
    found = (reviews[0].get(one.formerly or one.release), reviews[1].get(one.release))
    before, after = (review.cost_to(dataset) if review else Fraction(0) for review in found)
    return before, after


def _year(dataset: Dataset | None, reviews: Mapping[str, ReleaseReview]) -> tuple[YearOfBudget | None, str]:
    if dataset is None:
        return None, ""
    try:
        return year_of_budget(dataset, reviews.values()), ""
    except BudgetError as error:
        return None, str(error)


def _lists(before: Mapping[str, CodeList], after: Mapping[str, CodeList]) -> Iterator[ListChange]:
    """Code lists that are in both and differ; new and removed ones show in the releases that use them."""
    for name in (name for name in after if name in before):
        old, new = (
            {(row["code"], row.get("valid_from", "")): row for row in codes[name].rows} for codes in (before, after)
        )
        edited = {
            key: {column for column in {*old[key], *new[key]} if old[key].get(column, "") != new[key].get(column, "")}
            for key in new
            if key in old
        }
        if list(old.items()) != list(new.items()):
            yield ListChange(
                name,
                tuple(key[0] for key in new if key not in old),
                tuple(key[0] for key in old if key not in new),
                tuple(dict.fromkeys(key[0] for key, columns in edited.items() if columns)),
                frozenset(column for columns in edited.values() for column in columns),
            )


def _plain(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _edited(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where two declarations differ, as dotted names; items of a list that have a name are told by it, whatever their order."""
    if one == other:
        return
    if isinstance(one, list) and isinstance(other, list):
        named = [_by_name(items) for items in (one, other)]
        if (
            all(items is not None for items in named)
            and list(named[0] or ()) != list(named[1] or ())
            and sorted(named[0] or ()) == sorted(named[1] or ())
        ):
            yield path
            return
        if all(items is not None for items in named):
            one, other = named
    if isinstance(one, dict) and isinstance(other, dict) and path.count(".") < 2:
        for key in dict.fromkeys((*one, *other)):
            yield from _edited(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
        return
    yield path


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """A list of declarations by their name; None where they have none of their own."""
    for key in ("id", "column", "name"):
        if all(isinstance(item, dict) and key in item for item in items):
            return {str(item[key]): item for item in items}
    return None
