"""Render docs/travel.md: recipes measured inside, and on hospitals that were left out of their training."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from cxr.labels import DISCLAIMER, DISPLAY_NAMES, LABELS
from evaluation.figure import Figure
from reporting.document import Block, Document, Items, Picture, Section, Table, Text
from reporting.style import ACCENT, INK, SECOND, SOFT, panels, svg
from scripts.travel.new_hospital import new_hospital
from scripts.travel.words import (
    AGAINST,
    ANSWERS,
    ASKED,
    CANDIDATE,
    COMMANDS,
    LIMITS,
    OTHERS,
    PROTOCOL,
    READINGS,
    RECIPES,
    SWAB_WORDS,
)
from study.travel import ALL, BASELINE, QUESTIONS, Candidate, Compared, Kind, Outside
from study.travel_report import JUDGED, TravelReport

MUSTS: Final = {"siim_val": 0.91, "inside": 0.80}
AIMS: Final = {"siim_val": 0.94, "inside": 0.83, "siim": 0.83, "cohen": 0.77}
COLOURS: Final[dict[Kind, str]] = {"recipe": ACCENT, "seeds": SECOND, "frames": "#CC79A7"}
KINDS: Final[dict[Kind, str]] = {
    "recipe": "one network: mean over seeds",
    "seeds": "posteriors averaged over seeds",
    "frames": "posteriors averaged over two frames",
}


def travel_page(report: TravelReport) -> Document:
    """The whole page. All figures come from the report."""
    elsewhere = new_hospital(report.fitted, report.held_back, report.beside_baseline) if report.fitted else ()
    sections = (
        Section("What was asked", (Text(ASKED),)),
        Section("Protocol", (Items(PROTOCOL),)),
        Section("What these figures cannot say", (Items(LIMITS),)),
        Section("Left out: `siim` and `cohen`", tuple(_left_out(report))),
        Section("Inside, for the same networks", tuple(_same_inside(report))),
        Section("All sources in training", tuple(_all_sources(report))),
        Section("Other sources left out", tuple(_others(report))),
        Section("Temperature and prediction sets for a new hospital", tuple(elsewhere)),
        Section("Goals: met and missed", tuple(_verdicts(report))),
        Section("The candidate", tuple(_candidate(report))),
        Section("Which swab labels look normal", tuple(_swabs(report))),
        Section("Not in the tables", (Items(tuple(_missing(report))),)),
        Section("Machine and command", (Items(COMMANDS),)),
    )
    return Document("A model that travels: what was measured", DISCLAIMER, sections)


def _left_out(report: TravelReport) -> Iterator[Block]:
    header = (
        "row",
        "networks",
        *(cell for source in JUDGED for cell in (f"`{source}`: {AGAINST[source]}", "difference")),
        "inside: macro-F1",
    )
    rows = [_left_out_row(report, one) for one in _shown(report)]
    rows += [(f"{name}: {RECIPES[name]}", "failed", *["–"] * (len(header) - 2)) for name in _diverged(report)]
    caption = (
        "Networks: their number in the mean, without `siim` and without `cohen`; 1 is one seed, or one mean of seeds."
    )
    yield Table(header, tuple(rows), caption)
    yield Text(
        "Bold: the interval lies above 0. Inside is the mean of the runs without `siim` and those without `cohen`, on "
        "the validation images of the sources that each was trained on. Failed: the loss became infinite or NaN."
    )
    yield _picture(report)
    yield Text(ANSWERS)
    yield Table(("row", *_answer_header()), tuple(_answers(report, one.name) for one in _shown(report)))


def _left_out_row(report: TravelReport, one: Candidate) -> tuple[str, ...]:
    found = [report.outside[source][one.name].main for source in JUDGED]
    return (
        _named(one),
        ", ".join(str(each.networks) for each in found),
        *(cell for each in found for cell in (str(each.value), _difference(each))),
        _number(_inside(report, one.name)),
    )


def _answer_header() -> Iterator[str]:
    for source in JUDGED:
        first, second = (DISPLAY_NAMES[label] for label in QUESTIONS[source])
        yield from (f"`{source}`: recall of {second}", f"recall of {first}", f"AUC of p({first}) alone", "ECE")


def _answers(report: TravelReport, name: str) -> tuple[str, ...]:
    cells = [name]
    for source in JUDGED:
        found = report.outside[source][name]
        first, second = QUESTIONS[source]
        cells += [_number(x) for x in (found.recall[second], found.recall[first], found.one_score, found.ece)]
    return tuple(cells)


def _same_inside(report: TravelReport) -> Iterator[Block]:
    header = (
        "row",
        f"`siim` validation, without `cohen`: {AGAINST['siim']}",
        "difference",
        *(f"macro-F1 without `{source}`" for source in JUDGED),
        "ECE",
        *(f"recall of {DISPLAY_NAMES[label]}" for label in LABELS),
    )
    rows = []
    for one in _shown(report):
        found = [report.inside[source][one.name] for source in JUDGED]
        siim = report.inside["cohen"][one.name].siim
        rows.append(
            (
                one.name,
                *(("–", "–") if siim is None else (str(siim.value), _difference(siim))),
                *(str(each.macro_f1.value) for each in found),
                _number(float(np.mean([each.ece for each in found]))),
                *(_number(float(np.mean([each.recall[label] for each in found]))) for label in LABELS),
            )
        )
    yield Text("ECE and recalls are means over the runs without `siim` and those without `cohen`.")
    yield Table(header, tuple(rows))


def _shown(report: TravelReport) -> list[Candidate]:
    """Candidates that were measured on both sources."""
    return [one for one in report.candidates if all(one.name in report.outside[source] for source in JUDGED)]


def _all_sources(report: TravelReport) -> Iterator[Block]:
    header = (
        "row",
        "networks",
        f"`siim` validation: {AGAINST['siim']}",
        "difference",
        "macro-F1",
        "difference",
        "ECE",
        *(f"recall of {DISPLAY_NAMES[label]}" for label in LABELS),
    )
    rows = []
    for name, found in report.inside[ALL].items():
        if found.siim is None:
            continue
        figures = (found.siim, found.macro_f1)
        rows.append(
            (
                name,
                str(found.macro_f1.networks),
                *(cell for each in figures for cell in (str(each.value), _difference(each))),
                _number(found.ece),
                *(_number(found.recall[label]) for label in LABELS),
            )
        )
    yield Text("On the validation split. The other recipes were trained only without `siim` and without `cohen`.")
    yield Table(header, tuple(rows))


def _others(report: TravelReport) -> Iterator[Block]:
    rows = []
    for source, found in report.outside.items():
        if source not in JUDGED:
            rows += [_others_row(source, name, outside) for name, outside in found.items()]
    recalls = (f"recall of {DISPLAY_NAMES[label]}" for label in LABELS)
    header = ("source left out", "row", "what", "figure", "difference", *recalls, "ECE")
    yield Table(header, tuple(rows))
    yield Text(OTHERS)


def _others_row(source: str, name: str, found: Outside) -> tuple[str, ...]:
    what = AGAINST.get(source, "recall of COVID-19")
    recalls = (_number(found.recall[label]) for label in LABELS)
    figures = str(found.main.value), _difference(found.main), *recalls, _number(found.ece)
    return (f"`{source}`", name, what, *figures)


def _verdicts(report: TravelReport) -> Iterator[Block]:
    header = (
        "row",
        f"`siim` validation ≥ {MUSTS['siim_val']:.2f}",
        *(f"`{source}` left out better than the baseline" for source in JUDGED),
        f"macro-F1 inside ≥ {MUSTS['inside']:.2f}",
        "aims reached",
    )
    yield Table(header, tuple(_verdict_row(report, name) for name in _remedies(report)))
    yield Text("By point estimates; comparisons with the baseline are by the interval. A dash: not measured.")
    yield Items(tuple(_readings(report)))


def _verdict_row(report: TravelReport, name: str) -> tuple[str, ...]:
    values = _values(report, name)
    better = [_compared(report, source, name) for source in JUDGED]
    told = ["–" if one is None else _yes(one.is_better) for one in better]
    aims = [f"`{aim}`" if aim in JUDGED else _AIM_NAMES[aim] for aim, least in AIMS.items() if values[aim] >= least]
    return (
        name,
        f"{values['siim_val']:.4f}: {_yes(values['siim_val'] >= MUSTS['siim_val'])}",
        *told,
        f"{values['inside']:.4f}: {_yes(values['inside'] >= MUSTS['inside'])}",
        ", ".join(aims) or "none",
    )


_AIM_NAMES: Final = {"siim_val": "`siim` validation", "inside": "macro-F1 inside"}


def _values(report: TravelReport, name: str) -> dict[str, float]:
    """A row's figures by the names of `AIMS`; NaN for a missing figure."""
    found = report.inside[ALL].get(name)
    compared = {source: _compared(report, source, name) for source in JUDGED}
    siim, f1 = (found.siim, found.macro_f1) if found else (None, None)
    return {key: _value(one) for key, one in {"siim_val": siim, "inside": f1, **compared}.items()}


def _remedies(report: TravelReport) -> list[str]:
    """Rows that were trained with all sources, without the baseline."""
    return [name for name in report.inside[ALL] if not name.startswith(BASELINE)]


def _readings(report: TravelReport) -> Iterator[str]:
    for source in JUDGED:
        rows = {name: one.main for name, one in report.outside[source].items() if not name.startswith(BASELINE)}
        better = [name for name, found in rows.items() if found.is_better]
        best = max(rows, key=lambda name: _value(rows[name]))
        yield (
            f"**`{source}` left out**: {len(better)} of {len(rows)} rows are better than the baseline by an interval "
            f"that excludes 0. The highest is `{best}` with {rows[best].value} (aim {AIMS[source]:.2f})."
        )
    for key, what in _AIM_NAMES.items():
        values = {name: _values(report, name)[key] for name in _remedies(report)}
        reached = [f"`{name}`" for name, value in values.items() if value >= MUSTS[key]]
        best = max(values, key=lambda name: values[name])
        yield (
            f"**{what[0].upper()}{what[1:]}**: the must of {MUSTS[key]:.2f} is met by "
            f"{'; '.join(reached) or 'no row'}. The highest is `{best}` with {values[best]:.3f} (aim {AIMS[key]:.2f})."
        )
    met = {name: _met(report, name) for name in _remedies(report)}
    most = max(met.values())
    yield f"**Most musts at once**: {most} of 4, by {'; '.join(f'`{name}`' for name, n in met.items() if n == most)}."
    yield from READINGS


def _met(report: TravelReport, name: str) -> int:
    """The number of met requirements, of four."""
    values, better = _values(report, name), [_compared(report, source, name) for source in JUDGED]
    return sum(one is not None and one.is_better for one in better) + sum(
        values[key] >= least for key, least in MUSTS.items()
    )


def _swabs(report: TravelReport) -> Iterator[Block]:
    yield Text(SWAB_WORDS)
    for one in report.called_normal:
        state = f"{_snapshots(one.snapshots)}{'' if one.complete else '; cut off before its last cycle'}"
        rows = [("all", f"{one.images:,}", f"{one.share:.1%}")]
        rows += [(name or "not read", f"{n:,}", f"{share:.1%}") for name, (n, share) in one.by_reading.items()]
        caption = f"`{one.run}`, {state}: COVID-19 training images of `{one.source}`"
        yield Table(("what radiologists read", "images", "p(normal) > 0.5"), tuple(rows), caption)


def _candidate(report: TravelReport) -> Iterator[Block]:
    yield Items(CANDIDATE)
    rows = tuple(
        (" + ".join(f"`{run}`" for run in one.runs), *map(_number, (one.macro_f1, one.siim))) for one in report.seeds
    )
    if rows:
        header = ("last snapshots of", "macro-F1", "AUC within `siim`")
        yield Table(header, rows, "Validation, all sources in training")


def _snapshots(snapshots: int) -> str:
    return "one snapshot" if snapshots == 1 else f"{snapshots} snapshots"


def _missing(report: TravelReport) -> Iterator[str]:
    for one in report.diverged:
        yield (
            f"`{one.name}`, {RECIPES[one.recipe]}: the training loss was not finite from epoch {one.diverged} on; "
            f"the run ended after epoch {one.epochs} with weights that are not finite and left no snapshot."
        )
    for one in report.cut_off:
        yield (
            f"`{one.name}`: cut off after epoch {one.epochs} of {one.config.epochs}, "
            f"{len(one.val)} of {one.config.cycles} snapshots; it has no figure in the tables."
        )


def _picture(report: TravelReport) -> Picture:
    shown = _shown(report)
    with panels(2, height=5.0, width_ratios=[2.4, 1]) as (figure, ((axis, key),)):
        for number, one in enumerate(shown, 1):
            place = _outside(report, one.name), _inside(report, one.name)
            axis.scatter(*place, s=150, color=COLOURS[one.kind], alpha=0.75, zorder=2)
            axis.text(*place, str(number), ha="center", va="center", fontsize=7, color="white", zorder=3)
            key.text(0, 1 - number / (len(shown) + 1), f"{number}  {one.name}", color=INK, fontsize=8.5)
        _legend(axis)
        axis.set(
            xlabel="outside: mean AUC, siim and cohen left out",
            ylabel="inside: validation macro-F1 of the same networks",
            title="Inside against outside",
        )
        key.axis("off")
        drawn = svg(figure)
    caption = (
        "One point per row of the table. Outside: the mean of the two AUCs. The interval of one AUC is 0.04 wide for "
        "`siim` and 0.18 for `cohen`, so neighbouring points cannot be distinguished."
    )
    return Picture("travel", "Inside macro-F1 against outside AUC, one numbered point per row", caption, drawn)


def _legend(axis: Any) -> None:
    for kind, words in KINDS.items():
        axis.scatter([], [], color=COLOURS[kind], alpha=0.75, s=60, label=words)
    axis.legend(loc="best", fontsize=8, labelcolor=SOFT)


def _inside(report: TravelReport, name: str) -> float:
    return float(np.mean([_value(report.inside[source][name].macro_f1) for source in JUDGED]))


def _outside(report: TravelReport, name: str) -> float:
    return float(np.mean([_value(report.outside[source][name].main) for source in JUDGED]))


def _compared(report: TravelReport, source: str, name: str) -> Compared | None:
    found = report.outside.get(source, {}).get(name)
    return found.main if found else None


def _named(one: Candidate) -> str:
    return f"{one.name}: {RECIPES[one.name]}" if one.kind == "recipe" else one.name


def _diverged(report: TravelReport) -> list[str]:
    return list(dict.fromkeys(one.recipe for one in report.diverged))


def _difference(found: Compared) -> str:
    if found.difference is None or found.difference.value is None:
        return "–"
    said = _signed(found.difference)
    return f"**{said}**" if found.is_better else said


def _signed(figure: Figure) -> str:
    return f"{figure.value:+.3f} [{figure.low:+.3f}, {figure.high:+.3f}]"


def _value(found: Compared | None) -> float:
    return np.nan if found is None or found.value.value is None else found.value.value


def _number(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.3f}"


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
