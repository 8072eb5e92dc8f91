"""The paper's tables I to III in its layout, with its figures and ours, from study.json; and learning curves."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cxr.labels import DISCLAIMER, DISPLAY_NAMES, LABELS
from reporting.document import Block, Document, Picture, Section, Table, Text
from reporting.learning_curve import learning_curve
from reporting.style import svg
from study.paper import HEADLINES
from study.tables import MeasuredScores, PaperScores, RunRow, Spread, StudyResult, TableRow, Tables
from training.rundir import RunDir

SETS: Final = {
    "undersampled": "balanced set: the same number of images of each label",
    "natural": "imbalanced set: all images",
    "class_balanced": "all images, each label drawn equally often",
}
KINDS: Final = {
    "snapshot": "one snapshot, chosen on validation",
    "last": "mean of the last snapshots",
    "snapshots": "mean of all snapshots",
}
DIFFERENCES: Final = (
    "The paper used other data: 15,959 images of 15,854 patients (its abstract). Ours are those of the table under "
    "Data, without near-duplicates and split by patient. The paper's test images are not available, so its figures and "
    "ours are over different images. Of the paper's figures only those that could be read are shown; a dash stands for "
    "an unreadable one."
)

COVID: Final = ("COVID-19 precision", "COVID-19 recall")
LEFT_OUT: Final = (
    "The same network trained with and without the patients of one source, measured on that source's images. The "
    "difference comes from the source's own appearance. A hospital that gave no images must expect the lower figures."
)


def study_page(study: StudyResult) -> Document:
    """Tables I to III on a page of their own."""
    return Document("The paper's study: tables I to III", DISCLAIMER, tuple(study_sections(study, ())))


def study_sections(study: StudyResult, runs: Sequence[RunDir]) -> Iterator[Section]:
    """Tables on the test split if it was measured, otherwise on the selection half; then the runs behind them."""
    shown = study.test or study.select
    yield Section("The paper's study", (Text(DIFFERENCES), Text(_about(study, shown)), _runs(study.runs)))
    yield Section("Table I: single networks", tuple(_table_one(shown)), 3)
    if shown.ensembles:
        yield Section("Table II: ensembles", (_table_two(shown),), 3)
    yield Section(f"Table III: the best ensemble, {shown.best.name}", (_table_three(shown.best),), 3)
    yield Section("The paper's three headlines", tuple(_headlines(study)), 3)
    if shown.seeds:
        yield Section("Variation between seeds", (_seeds(shown),), 3)
    if shown.left_out:
        yield Section("A source left out of training", (Text(LEFT_OUT), _left_out(shown)), 3)
    yield Section("Does WeightWatcher identify good snapshots?", tuple(_spectra(study)), 3)
    if runs:
        yield Section("Learning curves", tuple(map(learning_picture, runs)), 3)


def learning_picture(run: RunDir) -> Picture:
    """A run's learning curve."""
    with learning_curve(run) as figure:
        drawn = svg(figure)
    config = run.config
    caption = (
        f"`{run.path.name}`: {config.architecture}, {config.epochs} epochs in {config.cycles} cycles, maximum rate "
        f"{config.max_lr:g}. Dots are the snapshots at the bottom of each cycle; α(t) is the learning rate."
    )
    file = re.sub(r"[^A-Za-z0-9_.-]+", "-", run.path.name)
    return Picture(f"learning-{file}", f"Learning curve of {run.path.name}", caption, drawn)


def _about(study: StudyResult, shown: Tables) -> str:
    of = f"{shown.images:,} images of {shown.patients:,} patients, {shown.resamples:,} resamples"
    if shown.part == "test":
        commit = f"`{study.candidate_commit[:12]}`" if study.candidate_commit else "a commit"
        chosen_among = {row.snapshot.run for row in study.snapshots}
        later = ", ".join(f"`{run.run}`" for run in study.runs if run.run not in chosen_among)
        note = f" Runs that came later were measured later and could not be chosen: {later}." if later else ""
        return f"On the test split ({of}), measured after the candidate had been fixed in {commit}.{note}"
    return (
        f"On the selection half of the validation split ({of}): a figure that was used for the selection is "
        "optimistic. The test split has not been measured."
    )


def _runs(runs: Sequence[RunRow]) -> Table:
    header = ("run", "network", "recipe", "set", "seed", "epochs", "cycles", "max. rate", "n of each label", "minutes")
    rows = [
        (
            run.run,
            run.architecture,
            run.recipe,
            run.sampling.replace("_", " "),
            str(run.seed),
            str(run.epochs),
            str(run.cycles),
            f"{run.max_lr:g}",
            " / ".join(f"{run.train_images.get(label, 0):,}" for label in LABELS),
            f"{run.minutes:.1f}",
        )
        for run in runs
    ]
    labels = ", ".join(DISPLAY_NAMES[label] for label in LABELS)
    return Table(
        header, tuple(rows), f"What was trained. n in the order {labels}; minutes of training, validation apart."
    )


def _table_one(shown: Tables) -> Iterator[Block]:
    header = ("network", "which", "precision", "recall", "F1", "accuracy")
    present = {row.sampling for row in shown.networks}
    for sampling, title in SETS.items():
        rows = [row for row in shown.networks if row.sampling == sampling and row.rule == "scpa"]
        if sampling in present:
            cells = [(row.name, KINDS[row.kind], *_triple(row.macro), str(row.accuracy)) for row in rows]
            yield Table(header, tuple(cells), f"{title[0].upper()}{title[1:]}. Macro means over labels.")
    yield Text("The paper's table I could not be read.")


def _table_two(shown: Tables) -> Table:
    """One ensemble per row, the two rules side by side."""
    header = (
        "ensemble",
        *(f"{rule} {name}" for rule in ("SCPA", "PM") for name in ("precision", "recall", "F1")),
        "paper",
    )
    lines: dict[str, dict[str, TableRow]] = {}
    for row in shown.ensembles:
        lines.setdefault(row.name, {})[row.rule] = row
    empty = ("–",) * 3
    rows = []
    for name, by_rule in lines.items():
        parts = [_triple(by_rule[rule].macro) if rule in by_rule else empty for rule in ("scpa", "pm")]
        paper = next((row.paper for row in by_rule.values() if row.paper), None)
        rows.append((name, *parts[0], *parts[1], _paper(paper)))
    caption = (
        "Macro means. SCPA: mean of the calibrated posteriors; the paper's equation 2 ranks the labels in the same "
        "order and so has the same figures. PM: the posterior of the most certain member. The paper's column: SCPA's "
        "precision / recall / F1."
    )
    return Table(header, tuple(rows), caption)


def _table_three(best: TableRow) -> Table:
    header = ("finding", "precision", "recall", "F1", "paper's precision", "recall", "F1")
    rows = [
        (DISPLAY_NAMES[label], *_triple(best.by_label[label]), *_paper_triple(best.paper_by_label.get(label)))
        for label in LABELS
    ]
    rows.append(("macro mean", *_triple(best.macro), *_paper_triple(best.paper)))
    members = ", ".join(f"`{member}`" for member in best.members)
    sources = "; ".join(dict.fromkeys(p.source for p in (best.paper, *best.paper_by_label.values()) if p and p.source))
    caption = f"Rule `{best.rule}`, members {members}." + (f" The paper's figures: {sources}." if sources else "")
    return Table(header, tuple(rows), caption)


def _headlines(study: StudyResult) -> Iterator[Block]:
    """The candidate on the selection half and on the test split, and the differences to the paper."""
    measured = {"selection half of validation": study.select, "test split": study.test}
    best = {title: tables.best for title, tables in measured.items() if tables}
    figures = [
        (row.macro.f1, row.by_label["covid19"].precision, row.by_label["covid19"].recall) for row in best.values()
    ]
    rows = []
    for name, paper, *ours in zip(("macro-F1", *COVID), HEADLINES, *figures, strict=True):
        gaps = ("–" if one.value is None else f"{one.value - paper:+.3f}" for one in ours)
        rows.append((name, f"{paper:.3f}", *map(str, ours), *gaps))
    header = ("figure", "the paper's", *best, *(f"{title}, minus the paper's" for title in best))
    yield Table(header, tuple(rows), f"The candidate: {study.select.best.name}, rule `{study.select.best.rule}`.")
    yield Text("`docs/decisions.md` lists the attempts to come closer, and their results on validation.")


def _seeds(shown: Tables) -> Table:
    header = ("what", "rule", "seeds", "macro-F1", *COVID)
    rows = []
    for row in shown.seeds:
        covid = row.by_label["covid19"]
        spreads = (row.macro.f1, covid.precision, covid.recall)
        rows.append((row.name, row.rule, str(len(row.seeds)), *map(_spread, spreads)))
    return Table(header, tuple(rows), "Mean ± standard deviation over seeds, and Student's 95 % interval of the mean.")


def _left_out(shown: Tables) -> Table:
    figures = {"accuracy": "accuracy", "recall of COVID-19": "covid19_recall", "AUROC": "auroc"}
    header = ("source", "images", *(f"{name}, {which}" for name in figures for which in ("trained with", "left out")))
    rows = []
    for row in shown.left_out:
        counts = " / ".join(f"{row.images.get(label, 0):,}" for label in LABELS)
        cells = (str(getattr(one, name)) for name in figures.values() for one in (row.seen, row.unseen))
        rows.append((row.source, counts, *cells))
    labels = ", ".join(DISPLAY_NAMES[label] for label in LABELS)
    runs = ", ".join(f"`{row.run}`" for row in shown.left_out)
    reference = ", ".join(dict.fromkeys(f"`{row.reference}`" for row in shown.left_out))
    caption = (
        f"Images in the order {labels}. AUROC: COVID-19 against the other labels within the source. "
        f"Trained with the source: {reference}. Left out: {runs}. Means of the last snapshots that both runs have."
    )
    return Table(header, tuple(rows), caption)


def _spectra(study: StudyResult) -> Iterator[Block]:
    yield Text(
        f"The explaining member is `{study.explainer.snapshot}`: {study.explainer.reason} Below, Spearman's rank "
        "correlation of WeightWatcher's figures with the calibrated log loss on the selection half. If it is "
        "positive, a low figure means a good snapshot, as WeightWatcher predicts."
    )
    scopes: dict[str, dict[str, str]] = {}
    for one in study.correlations:
        scopes.setdefault(one.scope, {"n": str(one.snapshots)})[one.metric] = str(one.rho)
    metrics = ("log_norm", "alpha", "weighted_alpha")
    rows = [(scope, cells["n"], *(cells.get(name, "–") for name in metrics)) for scope, cells in scopes.items()]
    yield Table(("snapshots of", "n", "log norm", "alpha", "weighted alpha"), tuple(rows))


def _triple(scores: MeasuredScores) -> tuple[str, str, str]:
    return str(scores.precision), str(scores.recall), str(scores.f1)


def _paper_triple(paper: PaperScores | None) -> tuple[str, str, str]:
    values = (None, None, None) if paper is None else (paper.precision, paper.recall, paper.f1)
    first, second, third = ("–" if value is None else f"{value:.3f}" for value in values)
    return first, second, third


def _paper(paper: PaperScores | None) -> str:
    return "–" if paper is None else " / ".join(_paper_triple(paper))


def _spread(spread: Spread) -> str:
    return f"{spread.mean:.3f} ± {spread.sd:.3f} [{spread.low:.3f}, {spread.high:.3f}]"
