"""Sections of a report on scores: who won, by how much, and how it looks beside the paper."""

from collections.abc import Iterator, Sequence

from experiments.reports.document import Cell, Figure, Section, Table, number
from experiments.reports.evidence import Evidence
from experiments.reports.figures import Dots, Drawing, Interval, dots, intervals, panels
from experiments.reports.paper_numbers import PaperScores, monolingual_scores, paper_scores
from experiments.reports.resampling import DRAWS, EXCHANGES
from experiments.reports.significance import Comparison
from experiments.tables import SIGNIFICANT, result_table, wanted
from orchestrator.results import AVERAGE, seed_scores
from orchestrator.results import Cell as Score
from orchestrator.study import Study

F1_LABEL = "exact span F1 (%)"


def summary(evidence: Evidence) -> Section:
    """What won, in words; what is missing; the paper's table."""
    marked = frozenset(
        (one.strategy, one.column) for one in evidence.comparisons if one.is_significant
    )
    note = _note(evidence, f"{SIGNIFICANT} differs from {_what(evidence)}") if marked else ""
    seeds = Figure(
        "seeds",
        "F1 of every seed (dots) and their mean (bar), by language",
        lambda: panels("seeds", score_drawings(evidence)),
    )
    drawn = (seeds,) if evidence.found else ()
    return Section(
        "scores",
        "Scores",
        tuple(_words(evidence)),
        (result_table(evidence.study, evidence.found, marked, note), *drawn),
    )


def _note(evidence: Evidence, mark: str) -> str:
    return significance_note(mark, several=len(evidence.study.seeds) > 1)


def significance_note(mark: str, *, several: bool) -> str:
    """What a mark means; ``several`` seeds or one."""
    models = "" if several else " One seed: the models differ, not more."
    return f"{mark}: p < .05, corrected.{models}"


def _what(evidence: Evidence) -> str:
    return evidence.baseline or "the best baseline of its column"


def _words(evidence: Evidence) -> Iterator[str]:
    study, total = evidence.study, wanted(evidence.plan)
    seeds = f"seed{'s' if len(study.seeds) > 1 else ''} {', '.join(map(str, study.seeds))}"
    yield (
        f"{study.task.name.upper()} from {study.source} to {', '.join(study.targets)} with "
        f"{study.backbone.name}, {seeds}. {len(evidence.found)} of {total} results are done."
    )
    for name, cells in evidence.missing.items():
        yield f"Missing: {name}: {_listed(cells)}."
    winner = evidence.best(AVERAGE)
    if winner is None:
        if evidence.found:
            yield "No strategy has all languages of a seed yet, so none has an average."
        return
    score = evidence.scores[winner, AVERAGE]
    yield f"{winner} has the highest average, {score.mean:.2f}{_against(evidence, winner)}."
    if len(study.seeds) == 1:
        yield (
            "One seed: seeds often differ as much as strategies do, and nothing here says how "
            "much; what is significant is so of these models alone."
        )


def _against(evidence: Evidence, winner: str) -> str:
    one = evidence.comparison(winner, AVERAGE)
    if one is None:
        is_baseline = evidence.baselines.get(AVERAGE) == winner
        return ", and is itself the baseline" if is_baseline else ""
    low, high = one.interval
    verdict = "significant" if one.is_significant else "not significant"
    return (
        f": {one.difference:+.2f} points over {one.baseline} (95 % interval {low:+.2f} to "
        f"{high:+.2f}, p {p_text(one.p)} corrected for all comparisons, {verdict})"
    )


def _listed(cells: Sequence[tuple[str, int]]) -> str:
    """Languages with their seeds.

    >>> _listed([("es", 1), ("es", 2), ("de", 2)])
    'es (seeds 1, 2), de (seed 2)'
    """
    seeds: dict[str, list[str]] = {}
    for language, seed in cells:
        seeds.setdefault(language, []).append(str(seed))
    return ", ".join(
        f"{language} (seed{'s' if len(some) > 1 else ''} {', '.join(some)})"
        for language, some in seeds.items()
    )


def p_text(p: float) -> str:
    """A probability as papers print it.

    >>> p_text(0.0321), p_text(0.0000999), p_text(1.0)
    ('= .032', '< .001', '= 1')
    """
    if p < 0.001:
        return "< .001"
    return "= 1" if p > 0.9995 else f"= {p:.3f}".replace("0.", ".")


def score_drawings(evidence: Evidence) -> Iterator[Drawing]:
    """F1 of every seed and strategy, by language."""
    by_seed = seed_scores(evidence.found, evidence.study.targets)
    for column in evidence.columns:
        rows = [
            Dots(name, look, list(by_seed[name, column].values()))
            for look, name in enumerate(evidence.study.strategies)
            if (name, column) in by_seed
        ]
        if rows:
            yield dots(_title(column), rows, F1_LABEL)


def _title(column: str) -> str:
    return "average" if column == AVERAGE else column


def differences(evidence: Evidence) -> Section:
    """Every strategy less the baseline, and whether it is chance."""
    compared = evidence.comparisons
    if not compared:
        return Section(
            "differences",
            "Differences",
            ("Nothing to compare yet: no two strategies were tested with the same seed.",),
        )
    compared_with = f"Each strategy is compared with {_what(evidence)}"
    several = len(evidence.study.seeds) > 1
    return Section(
        "differences",
        "Differences",
        (f"{compared_with} {how_tested(len(compared), several=several)}",),
        (
            difference_table(compared, f"that of {_what(evidence)}", _note(evidence, SIGNIFICANT)),
            Figure(
                "intervals",
                f"Points over {_what(evidence)}, with 95 % intervals; filled where p < .05, "
                "corrected",
                lambda: panels("intervals", difference_drawings(evidence)),
            ),
        ),
    )


def how_tested(comparisons: int, *, several: bool) -> str:
    """How differences are tested, as the end of a sentence.

    Args:
        comparisons: For which p is corrected.
        several: There are several seeds.
    """
    over_seeds = (
        "p over seeds: Student's paired t. p corrected: the larger of both"
        if several
        else "There is no test over one seed, so nothing follows for others. p corrected: that"
    )
    return (
        "over the seeds that both have. p over sentences: approximate randomisation of whole "
        f"sentences (all seeds together), {EXCHANGES:,} exchanges, micro-F1 (Noreen 1989; Yeh "
        f"2000). {over_seeds}, for {comparisons} comparisons (Holm 1979). Intervals: paired "
        f"Multi-Bootstrap over sentences{' and seeds' if several else ''}, {DRAWS:,} draws "
        "(Sellam et al. 2022)."
    )


def difference_table(comparisons: Sequence[Comparison], what: str, note: str) -> Table:
    """A row a comparison.

    Args:
        comparisons: In the order of the rows.
        what: The F1 that is taken off, in words.
        note: That explains the mark of what is significant.
    """
    return Table(
        "differences",
        f"F1 less {what}, in points",
        (
            "strategy",
            "language",
            "baseline",
            "seeds",
            "difference",
            "95 % interval",
            "p sentences",
            "p seeds",
            "p corrected",
        ),
        tuple(map(_difference_row, comparisons)),
        note,
    )


def _difference_row(one: Comparison) -> tuple[Cell, ...]:
    mark = SIGNIFICANT if one.is_significant else ""
    low, high = one.interval
    return (
        Cell(one.strategy),
        Cell(_title(one.column)),
        Cell(one.baseline),
        Cell(str(len(one.seeds)), value=len(one.seeds)),
        Cell(f"{one.difference:+.2f}", "", mark, one.is_significant, one.difference),
        Cell(f"{low:+.2f} to {high:+.2f}", value=low),
        _p_cell(one.p_sentences),
        Cell("-") if one.p_seeds is None else _p_cell(one.p_seeds),
        _p_cell(one.p),
    )


def _p_cell(p: float) -> Cell:
    return Cell(p_text(p).removeprefix("= "), value=p)


def difference_drawings(evidence: Evidence) -> Iterator[Drawing]:
    """Differences to the baseline with their intervals, by language."""
    for column in evidence.columns:
        rows = [
            Interval(name, look, one.difference, *one.interval, one.is_significant)
            for look, name in enumerate(evidence.study.strategies)
            if (one := evidence.comparison(name, column))
        ]
        if rows:
            label = f"points over {evidence.baselines[column]}"
            yield intervals(_title(column), rows, label)


def beside_the_paper(evidence: Evidence) -> Section | None:
    """The paper's numbers under ours; None where it has none for this task and these test sets."""
    sizes = {language: len(test.gold.spans.lengths) for language, test in evidence.tests.items()}
    study = evidence.study
    scores = paper_scores if study.translated else monolingual_scores
    papers = scores(study.task.name, study.backbone.name, sizes)
    if not papers:
        return None
    languages = list(next(iter(papers[0].rows.values())))
    rows = [
        row
        for name in study.strategies
        if name in papers[0].rows
        for row in _paper_rows(evidence, name, papers, languages)
    ]
    warning = (
        f"The paper has means of five seeds{_translations(study)}."
        if papers[0].same_encoder
        else f"The paper has other encoders{_translations(study)}: its levels are no goal, its "
        "order may be compared."
    )
    table = Table(
        "paper",
        "F1 (%) here and in the paper (Li et al. 2020)",
        ("strategy", "of", *languages),
        tuple(rows),
    )
    return Section("paper", "Beside the paper", (warning,), (table,))


def _translations(study: Study) -> str:
    return " and Google's translations, which are not public" if study.translated else ""


def _paper_rows(
    evidence: Evidence, name: str, papers: Sequence[PaperScores], languages: Sequence[str]
) -> Iterator[tuple[Cell, ...]]:
    ours = {column: evidence.scores.get((name, column)) for column in languages}
    yield (
        Cell(name),
        Cell("here"),
        *(number(score.mean if score else None) for score in ours.values()),
    )
    for paper in papers:
        row = paper.rows[name]
        yield (
            Cell(name),
            Cell(f"paper, {paper.name}"),
            *(_paper_cell(row[column], ours[column], paper) for column in languages),
        )


def _paper_cell(printed: float, ours: Score | None, paper: PaperScores) -> Cell:
    if not paper.same_encoder or ours is None:
        return number(printed)
    return Cell(f"{printed:.2f}", f" ({ours.mean - printed:+.2f} here)", value=printed)
