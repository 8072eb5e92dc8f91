"""Which architectures and ensembles travel: docs/study/outside.md, packed from runs and remade from what is packed.

python -m scripts.travel.architectures pack RUNS docs/study/outside
python -m scripts.travel.architectures page docs/study/outside docs/travel/runs -o docs/study/outside.md
"""

from collections.abc import Iterator, Mapping
from math import isnan
from pathlib import Path
from typing import Annotated, Final

import typer

from cxr.labels import DISCLAIMER, Label
from evaluation.figure import Figure
from reporting.document import Block, Document, Items, Section, Table, Text
from reporting.markdown import write_markdown
from scripts.gpu.plan import plan
from study.architectures import MEMBERS, SHIPPED, Travelled, travelled
from study.ensemble import LAST
from study.travel import BASELINE, Compared, Outside
from study.travel_archive import pack as pack_runs
from study.travel_archive import recipe_of, unpack
from training.data import DEFAULT_DATA, read_table, table_sha256
from training.rundir import RunDir

app = typer.Typer(help=__doc__, add_completion=False)

ASKED: Final = (
    "The paper says that VGG-19 with DenseNet-161 is best. Is it also best at a hospital outside the training data? "
    "And do ensembles of architectures travel better than one architecture over two frames?"
)
PROTOCOL: Final = (
    "**The paper's protocol**: 200 epochs, 20 cycles, the whole radiograph, all images; the mean of the last "
    f"{LAST} snapshots, so none is selected. Trained once with all sources, once without all patients of `siim`.",
    "**Travelling**: the recipe `convolution` of [travel.md](../travel.md): only the lungs, 100 epochs, two cycles, a "
    "second head trained on boxes. VGG-16, VGG-19 and the two DenseNets were trained with all sources only.",
    f"`{BASELINE}` is ResNet-18 on the whole radiograph, 100 epochs; `{SHIPPED}` are the recipes of the default "
    "bundle's two members. All runs have seed 0. Ensembles are means of probabilities (SCPA), uncalibrated.",
    "Left out: training and validation images of that source. Intervals resample patients. They do not include the "
    "variation between seeds.",
)
COMMANDS: Final = (
    "Trained on four H200 at once: `python -m scripts.gpu.study` (see its docstring). By the paper's protocol "
    "DenseNet-161 took 18 minutes with all sources and 14 without `siim`, VGG-19 7 without `siim`; of the travelling "
    "runs DenseNet-201 took 10 minutes, DenseNet-161 9, VGG-19 5, VGG-16 4, ResNet-34 2.",
    "Packed by `python -m scripts.travel.architectures pack RUNS docs/study/outside`, this page by `python -m "
    "scripts.travel.architectures page docs/study/outside docs/travel/runs -o docs/study/outside.md`.",
)


@app.command()
def pack(runs: Path, target: Path) -> None:
    """Logits of the last snapshots of the runs that docs/travel/runs does not have."""
    wanted = {training for trainings in MEMBERS.values() for training in trainings}
    names = [run.name for run in plan() if run.name.partition("-without-")[0] in wanted and not recipe_of(run.name)]
    pack_runs((RunDir(runs / name) for name in names if (runs / name / "config.json").exists()), target, LAST)


@app.command()
def page(
    folder: Path, recipes: Path, output: Annotated[Path, typer.Option("-o", "--output")], data: Path = DEFAULT_DATA
) -> None:
    """Write the page, of two folders of packed runs."""
    sha = table_sha256(data)
    found = travelled(read_table(data), [*unpack(recipes, sha), *unpack(folder, sha)])
    write_markdown(outside_page(found), output)


def outside_page(found: Travelled) -> Document:
    """Make the page. It computes no figures."""
    sections = (
        Section("What was asked", (Text(ASKED),)),
        Section("What was found", (Items(tuple(_findings(found))),)),
        Section("Left out: `siim`, COVID-19 against normal", (_left_out(found, "siim"),)),
        Section("Left out: `cohen`, COVID-19 against pneumonia", (_left_out(found, "cohen"),)),
        Section("All sources in training, on validation", (_inside(found),)),
        Section("Protocol", (Items(PROTOCOL),)),
        Section("Machine and command", (Items(COMMANDS),)),
    )
    return Document("Do the paper's networks travel?", DISCLAIMER, sections)


def _findings(found: Travelled) -> Iterator[str]:
    for source, rows in found.to_shipped.items():
        others = {name: one.main for name, one in rows.items() if name != SHIPPED}
        better = [name for name, one in others.items() if one.is_better]
        worse = [name for name, one in others.items() if _is_worse(one)]
        yield (
            f"**`{source}` left out**: `{SHIPPED}` has an AUC of {rows[SHIPPED].main.value}. Better by an interval "
            f"that excludes 0: {_listed(better)}. Worse by such an interval: {_listed(worse)}."
        )


def _is_worse(one: Compared) -> bool:
    return one.difference is not None and one.difference.high is not None and one.difference.high < 0


def _listed(names: list[str]) -> str:
    return "; ".join(names) or "none"


def _left_out(found: Travelled, source: str) -> Block:
    header = ("row", "AUC", "minus baseline", "minus default's recipes", *_recalls(found.outside[source]), "ECE")
    rows = [
        (
            name,
            str(one.main.value),
            _difference(one.main.difference),
            _difference(found.to_shipped[source][name].main.difference),
            *(f"{one.recall[label]:.3f}" for label in _labels(found.outside[source])),
            f"{one.ece:.3f}",
        )
        for name, one in found.outside[source].items()
    ]
    return Table(header, tuple(rows), "Recall of a label: the largest of three probabilities is the answer.")


def _labels(rows: Mapping[str, Outside]) -> list[Label]:
    """Labels that the source has."""
    recall = next(iter(rows.values())).recall
    return [label for label, value in recall.items() if not isnan(value)]


def _recalls(rows: Mapping[str, Outside]) -> Iterator[str]:
    yield from (f"recall of {label}" for label in _labels(rows))


def _inside(found: Travelled) -> Block:
    header = ("row", "macro-F1", "minus baseline", "COVID-19 or normal within `siim`, AUC", "ECE")
    rows = [
        (
            name,
            str(one.macro_f1.value),
            _difference(one.macro_f1.difference),
            str(one.siim.value) if one.siim else "–",
            f"{one.ece:.3f}",
        )
        for name, one in found.inside.items()
    ]
    return Table(header, tuple(rows), "The whole validation split, which was not used to select these rows.")


def _difference(difference: Figure | None) -> str:
    if difference is None or difference.value is None or difference.low is None or difference.high is None:
        return "–"
    return f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


if __name__ == "__main__":
    app()
