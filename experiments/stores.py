"""``xlwarm store``: what a step store holds, what may go, what is broken."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from experiments.options import plan_of, set_option, store_option
from orchestrator.store import StepStore, open_store
from orchestrator.store.inventory import Entry, State, broken, entries, garbage, remove
from projection.errors import InputError

SHORT = 12
"""Digits of a fingerprint that tell steps apart."""

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def store() -> None:
    """Look at and look after a step store (docs/store.md)."""


@store.command()
@store_option
@click.option("--kind", multiple=True, help="Only steps of this kind.")
@click.option(
    "--state",
    multiple=True,
    type=click.Choice([one.value for one in State]),
    help="Only in this state.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def ls(store: str, kind: tuple[str, ...], state: tuple[str, ...], form: str) -> None:
    """List steps: done, broken, partial, leased, failed, quarantined; the latest last."""
    found = [
        entry
        for entry in entries(existing(store))
        if (not kind or entry.kind in kind) and (not state or entry.state in state)
    ]
    found.sort(key=lambda entry: entry.finished.timestamp() if entry.finished else 0.0)
    if form == "json":
        click.echo(json.dumps([_as_json(entry) for entry in found], indent=1, ensure_ascii=False))
    else:
        Console(soft_wrap=True).print(_listing(found))
        click.echo(f"{len(found)} entries, {size_text(sum(entry.size for entry in found))}")


def _listing(found: Sequence[Entry]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("kind", "fingerprint", "state"):
        table.add_column(column, no_wrap=True)
    for column in ("size", "age", "took"):
        table.add_column(column, no_wrap=True, justify="right")
    table.add_column("title", overflow="fold")
    for entry in found:
        table.add_row(
            entry.kind,
            entry.fingerprint[:SHORT],
            entry.state,
            size_text(entry.size),
            time_text(time.time() - entry.finished.timestamp()) if entry.finished else "",
            time_text(entry.seconds) if entry.seconds is not None else "",
            entry.title,
        )
    return table


def _as_json(entry: Entry) -> dict[str, object]:
    return {
        "kind": entry.kind,
        "fingerprint": entry.fingerprint,
        "state": entry.state,
        "name": entry.name,
        "bytes": entry.size,
        "title": entry.title,
        "finished": entry.finished.isoformat(timespec="seconds") if entry.finished else None,
        "seconds": entry.seconds,
    }


@store.command()
@click.argument("studies", nargs=-1, metavar="[STUDY]...", type=click.Path(path_type=Path))
@store_option
@set_option
@click.option("--all-partial", is_flag=True, help="Everything but finished steps; needs no study.")
@click.option("--yes", is_flag=True, help="Remove it; without this nothing is touched.")
def gc(
    studies: tuple[Path, ...], store: str, overrides: tuple[str, ...], all_partial: bool, yes: bool
) -> None:
    """Remove what no STUDY given needs, what broke, and what attempts left that ended.

    What a driver computes or reads now always stays, and so does what a trial of a sweep needs.
    Give --set as for `xlwarm run`: other settings are other steps.
    """
    if bool(studies) == all_partial:
        raise InputError(
            "either name every study whose steps are to stay, or give --all-partial to keep all "
            "finished steps"
        )
    from orchestrator.inputs import inputs_of
    from orchestrator.sweep.records import steps_in_use

    steps = existing(store)
    plans = [plan_of(study, overrides, None) for study in studies]
    needed = {
        name
        for plan in plans
        for name in (*(step.fingerprint for step in plan.steps), *inputs_of(plan.steps))
    }
    found = garbage(steps, needed | steps_in_use(steps.files) if studies else None)
    for one in found:
        click.echo(f"{'removed' if yes else 'would remove'}  {one.name}  {one.why}")
        if yes:
            remove(steps, one)
    total = f"{len(found)} things, {size_text(sum(one.size for one in found))}"
    click.echo(total if yes or not found else f"{total}; give --yes to remove them")


@store.command()
@store_option
@click.option("--move-aside", is_flag=True, help="Move what is broken to the quarantine.")
def verify(store: str, move_aside: bool) -> int:
    """Check every byte of every finished step; exit with 1 if one is broken."""
    steps = existing(store)
    checked, wrong = 0, 0
    for entry, problem in broken(steps):
        checked += 1
        if problem:
            wrong += 1
            click.echo(f"broken  {entry.name}  {problem}")
            if move_aside:
                click.echo(f"        moved to {steps.move_aside(entry.name, problem)}")
    click.echo(f"{checked} steps checked, {wrong} broken")
    if wrong and not move_aside:
        click.echo(
            "`xlwarm store verify --move-aside` takes them out of use; then `xlwarm run` computes "
            "again what a study needs of them"
        )
    elif wrong:
        click.echo("`xlwarm run` computes again what a study needs of them")
    return 1 if wrong else 0


@store.command("export")
@click.argument(
    "studies", nargs=-1, required=True, metavar="STUDY...", type=click.Path(path_type=Path)
)
@store_option
@set_option
@click.option("--only", metavar="STRATEGY,..", help="Only these strategies.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("results.zip"),
    show_default=True,
    help="The file to write.",
)
def export_command(
    studies: tuple[Path, ...], store: str, overrides: tuple[str, ...], only: str | None, out: Path
) -> None:
    """Write the results of STUDY into a file for `import`: no weights, no text of a corpus.

    Scores, curves, counts by sentence, and where all of it comes from: enough for every report.
    """
    from orchestrator.results_file import export_results

    steps = existing(store)
    plans = [plan_of(study, overrides, only) for study in studies]
    counts = export_results(plans, steps, out)
    kinds = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    click.echo(f"{out}: {kinds}; {size_text(out.stat().st_size)}")


@store.command("import")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@store_option
def import_command(files: tuple[Path, ...], store: str) -> None:
    """Add results that `export` wrote, of another machine or of a store that is gone.

    `report`, `compare`, `sync` and `run` take them for done; what the store has already stays.
    Models are not among them: a study that needs one for something new trains it.
    """
    from orchestrator.results_file import import_results

    steps = open_store(store)
    for file in files:
        done = import_results(file, steps)
        click.echo(f"{file}: {len(done.new)} new, {len(done.known)} known already")
        for one in done.differing:
            click.echo(
                f"  {one.title}: F1 {one.here:.2f} here, {one.there:.2f} there; this store's stays "
                "(other processors and versions of packages round differently)"
            )


def existing(location: str) -> StepStore:
    """The store at ``location``.

    Raises:
        InputError: There is no such folder.
    """
    steps = open_store(location)
    if steps.local and not steps.local.is_dir():
        raise InputError(f"there is no store at {location}; name one with --store")
    return steps


def size_text(size: float) -> str:
    """A number of bytes for people.

    >>> size_text(100), size_text(3 * 2**20)
    ('100 B', '3.0 MiB')
    """
    unit = 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} B" if unit == 0 else f"{size:.1f} {UNITS[unit]}"


def time_text(seconds: float) -> str:
    """A duration for people.

    >>> time_text(0.25), time_text(7), time_text(200), time_text(5400), time_text(200000)
    ('0.2 s', '7 s', '3 min', '1.5 h', '2.3 d')
    """
    if seconds < 1:
        return f"{seconds:.1f} s"
    for limit, unit, digits, text in (
        (100, 1, 0, "s"),
        (5400, 60, 0, "min"),
        (172800, 3600, 1, "h"),
    ):
        if seconds < limit:
            return f"{seconds / unit:.{digits}f} {text}"
    return f"{seconds / 86400:.1f} d"
