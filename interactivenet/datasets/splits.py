"""Splits: which cases of a task train and which validate, fold by fold."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interactivenet.datasets.case_lists import read_case_list
from interactivenet.datasets.task import failed_cases
from interactivenet.errors import DataError, RequestError
from interactivenet.system.names import SafeName

#: case -> patient, in a raw task's folder, where a patient has several cases
GROUPS = "groups.json"


@dataclass(frozen=True)
class Split:
    """One fold: names of the cases that train and that validate, and what it leaves out."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    left_out: str = ""

    def __post_init__(self) -> None:
        for part in ("training", "validation"):
            names = tuple(SafeName(name, f"{part} case") for name in getattr(self, part))
            object.__setattr__(self, part, names)


def read_groups(folder: Path, cases: Sequence[str]) -> dict[str, str]:
    """Read ``groups.json`` (case -> patient); a case that it does not name is its own patient.

    It may name cases that failed, by ``failures.json``. Raises DataError where it names others that
    the task does not have.
    """
    path = folder / GROUPS
    groups = read_case_list(path, "patient") if path.exists() else {}
    unknown = sorted(set(groups) - set(cases) - set(failed_cases(folder)))
    if unknown:
        raise DataError(
            f"{path}: names {', '.join(unknown[:4])}, which"
            f" {'is not a case' if len(unknown) == 1 else 'are not cases'} of the task"
        )
    # a patient's name and a case's must not meet by chance
    return {case: f"patient {groups[case]}" if case in groups else case for case in cases}


def make_splits(
    cases: Sequence[str],
    *,
    folds: int,
    seed: int,
    groups: Mapping[str, str],
    subtypes: Mapping[str, str | None],
    stratified: bool = True,
) -> tuple[Split, ...]:
    """Divide the cases into folds; one patient's cases stay together.

    stratified: each fold gets its share of every subtype.  folds: one fold trains on all cases
    and validates on the same. Raises RequestError where there are fewer patients than folds.
    """
    names = sorted(cases)
    if folds < 1:
        raise RequestError(field="folds", value=folds, expected="1 or more")
    if folds == 1:
        return (Split(tuple(names), tuple(names)),)
    patients = [groups[name] for name in names]
    count = len(set(patients))
    if count < folds:
        counted = "cases" if count == len(names) else "patients"
        raise RequestError(
            field="folds",
            value=folds,
            expected=f"at most {count}, the number of {counted} to train on",
        )
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    kinds = [subtypes.get(name) or "" for name in names]
    # where no subtype has as many cases as there are folds there is nothing to share out
    several = stratified and len(set(kinds)) > 1 and max(Counter(kinds).values()) >= folds
    grouped = count < len(names)
    splitter_class = {
        (False, False): KFold, (True, False): StratifiedKFold,
        (False, True): GroupKFold, (True, True): StratifiedGroupKFold,
    }[several, grouped]  # fmt: skip
    splitter = splitter_class(n_splits=folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a subtype with fewer cases than folds: as even as it goes
        warnings.simplefilter("ignore", UserWarning)
        parts = list(splitter.split(names, kinds, **({"groups": patients} if grouped else {})))
    return tuple(
        Split(_named(names, training), _named(names, validation)) for training, validation in parts
    )


def leave_one_out(
    cases: Sequence[str], *, groups: Mapping[str, str], subtypes: Mapping[str, str | None]
) -> tuple[Split, ...]:
    """Make one fold per subtype: it validates on that subtype and trains on the others.

    A patient with cases of several subtypes trains in none of the folds that validate one.
    Raises RequestError where there are no two subtypes, or where nothing is left to train on.
    """
    names = sorted(cases)
    missing = [name for name in names if not subtypes.get(name)]
    kinds = sorted({kind for name in names if (kind := subtypes.get(name))})
    if missing or len(kinds) < 2:
        raise RequestError(
            f"cases without a subtype: {len(missing)} of {len(names)}"
            if missing
            else f"'{kinds[0]}' is the only subtype",
            field="leave_one_out",
            expected="at least two subtypes, and a subtype for every case",
            remedy="`check_dataset(task=..., subtypes=True)` records them",
        )
    splits = []
    for kind in kinds:
        validation = [name for name in names if subtypes[name] == kind]
        away = {groups[name] for name in validation}
        training = [name for name in names if groups[name] not in away]
        if not training:
            raise RequestError(
                f"without subtype '{kind}' no case is left to train on", field="leave_one_out"
            )
        splits.append(Split(tuple(training), tuple(validation), kind))
    return tuple(splits)


def _named(names: Sequence[str], indices: np.ndarray) -> tuple[str, ...]:
    return tuple(names[index] for index in indices)
