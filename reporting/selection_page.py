"""selection.md: spectral figures and validation losses of every snapshot, and the choice."""

from collections.abc import Iterator

from study.tables import SnapshotRow, StudyResult, TableRow
from study.travel import QUESTIONS


def selection_page(result: StudyResult) -> str:
    """A selection as Markdown, with figures of the selection half only."""
    return "\n".join([*_head(result), "", *_rows(result), "", *_correlations(result), "", *_snapshots(result)]) + "\n"


def _head(result: StudyResult) -> Iterator[str]:
    best = result.select.best
    yield "# Selection"
    yield ""
    yield (
        f"On the selection half of the validation split: {result.select.images} images of {result.select.patients} "
        "patients. A figure that was used for the selection is optimistic."
    )
    yield ""
    yield f"- **Candidate**: {best.name}, rule `{best.rule}`: {', '.join(map(str, best.members))}."
    yield f"  {_headline(best)}."
    yield f"- **Explains**: {result.explainer.snapshot}, {result.explainer.reason}"


def _headline(row: TableRow) -> str:
    covid = row.by_label["covid19"]
    return f"Macro-F1 {row.macro.f1}, COVID-19 precision {covid.precision}, COVID-19 recall {covid.recall}"


def _rows(result: StudyResult) -> Iterator[str]:
    rows = [row for row in (*result.select.networks, *result.select.ensembles) if row.rule == "scpa"]
    sources = list(dict.fromkeys(source for row in rows for source in row.within))
    yield "## Networks and ensembles"
    yield ""
    yield (
        "By SCPA. The AUCs are for one label against another within one source, whose images come from the same "
        "machines: a network that only recognises sources has 0.5 there. All networks were trained with these sources."
    )
    yield ""
    titles = [f"{QUESTIONS[source][0]} or {QUESTIONS[source][1]} in {source}" for source in sources]
    yield f"| {' | '.join(['network or ensemble', 'macro-F1', 'COVID-19 PPV', 'recall', *titles])} |"
    yield f"| {' | '.join(['---'] * (4 + len(sources)))} |"
    for row in rows:
        covid = row.by_label["covid19"]
        within = (str(row.within.get(source, "–")) for source in sources)
        yield f"| {' | '.join([row.name, *map(str, (row.macro.f1, covid.precision, covid.recall)), *within])} |"


def _correlations(result: StudyResult) -> Iterator[str]:
    yield "## Do spectral figures agree with the validation loss?"
    yield ""
    yield (
        "Spearman's rank correlation with the calibrated log loss. Low is good for all figures, so WeightWatcher is "
        "right if the correlation is positive. In brackets 95 % intervals: over all snapshots by resampling runs, if "
        "there are three or more, else by resampling snapshots."
    )
    yield ""
    yield "| snapshots of | n | log norm | alpha | weighted alpha |"
    yield "| --- | --- | --- | --- | --- |"
    scopes: dict[str, dict[str, str]] = {}
    for one in result.correlations:
        scopes.setdefault(one.scope, {"n": str(one.snapshots)})[one.metric] = str(one)
    for scope, cells in scopes.items():
        yield f"| {scope} | {' | '.join(cells[name] for name in ('n', 'log_norm', 'alpha', 'weighted_alpha'))} |"


def _snapshots(result: StudyResult) -> Iterator[str]:
    best = {row.snapshot.run: row for row in sorted(result.snapshots, key=lambda row: -row.calibrated_log_loss)}
    yield "## Snapshots"
    yield ""
    yield "In bold the smallest calibrated log loss of each run. Losses in nats."
    yield ""
    yield "| snapshot | network | set | log norm | alpha | weighted alpha | log loss | calibrated | macro-F1 |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in result.snapshots:
        yield _line(row, row is best[row.snapshot.run])


def _line(row: SnapshotRow, is_best: bool) -> str:
    spectral = ("–" if x is None else f"{x:.3f}" for x in (row.log_norm, row.alpha, row.weighted_alpha))
    losses = (f"{row.log_loss:.3f}", f"{row.calibrated_log_loss:.4f}", f"{row.macro_f1:.3f}")
    name = f"**{row.snapshot}**" if is_best else str(row.snapshot)
    return f"| {' | '.join([name, row.architecture, row.sampling.replace('_', ' '), *spectral, *losses])} |"
