"""Finding a sweep in a store, and putting what it chose into a study."""

import re

import yaml
from pydantic import ValidationError

from orchestrator.plan import Plan
from orchestrator.store import StepStore
from orchestrator.study import Study
from orchestrator.study_file import problem_in
from orchestrator.sweep.choice import Choice
from orchestrator.sweep.naming import with_settings
from orchestrator.sweep.records import Sweep, SweepRecords, all_sweeps
from orchestrator.sweep.trials import sweep_fingerprint
from projection.errors import InputError

STUDIES = "studies"
"""Folder of the store for studies that took the winner of a sweep, as they were run."""

FINGERPRINT = re.compile(r"[0-9a-f]{6,64}")
"""What can be the beginning of one."""

SHOWN_SWEEPS = 10


def sweep_of_study(study: Study, store: StepStore) -> SweepRecords:
    """The sweep that the ``sweep`` block of ``study`` stands for.

    Raises:
        InputError: It has no such block, or the store has no such sweep.
    """
    fingerprint = sweep_fingerprint(study)
    records = SweepRecords(store.files, fingerprint)
    if records.sweep() is None:
        raise InputError(
            f"the store {store.location} has no sweep of {study.name} with these settings "
            f"({fingerprint[:12]}); {_those_there(store)}. Other settings are another sweep: give "
            "--set as for `xlwarm sweep`"
        )
    return records


def sweep_named(beginning: str, store: StepStore) -> SweepRecords:
    """The sweep whose fingerprint begins with ``beginning``.

    Raises:
        InputError: None does, or several do.
    """
    found = [one for one in all_sweeps(store.files) if one.fingerprint.startswith(beginning)]
    if len(found) != 1:
        how_many = "no" if not found else f"{len(found)}"
        raise InputError(
            f"{how_many} sweep of the store {store.location} has a fingerprint that begins with "
            f"{beginning}; {_those_there(store)}"
        )
    return SweepRecords(store.files, found[0].fingerprint)


def _those_there(store: StepStore) -> str:
    there = all_sweeps(store.files)[-SHOWN_SWEEPS:]
    if not there:
        return "it has none at all"
    return "it has " + ", ".join(map(_named, there))


def _named(sweep: Sweep) -> str:
    return f"{sweep.fingerprint[:12]} ({sweep.study}, {sweep.strategy}, {sweep.started[:10]})"


def with_choice(study: Study, choice: Choice) -> Study:
    """``study`` with the settings of ``choice``, and where they come from.

    Raises:
        InputError: They do not go together with the rest of it.
    """
    try:
        changed = with_settings(study, choice.settings)
        content = changed.model_dump(exclude_unset=True) | {"chosen": choice}
        return Study.model_validate(content)
    except ValidationError as errors:
        found = "; ".join(problem_in(error, Study) for error in errors.errors())
        raise InputError(
            f"what the sweep {choice.sweep[:12]} chose does not go together with {study.name}: "
            f"{found}"
        ) from None


def keep_study(plan: Plan, store: StepStore) -> str:
    """Write the study of ``plan`` into its store, as a file that can be run again; its name there.

    Equal studies have one file.
    """
    content = plan.study.model_dump(mode="json", exclude_unset=True)
    content["data_root"] = str(plan.study.data_root.absolute())
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    head = "# As it was run; `chosen` says which sweep chose which settings, and its score.\n"
    name = f"{STUDIES}/{plan.study.name}-{plan.fingerprint[:12]}.yaml"
    store.files.write(name, (head + text).encode())
    return name
