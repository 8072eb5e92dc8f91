"""The first page: a summary for clinicians and reviewers."""

from collections.abc import Iterator

from cxr.labels import DISPLAY_NAMES, LABELS
from evaluation.figure import Figure
from evaluation.split_evaluation import SplitEvaluation
from reporting.document import Block, Items, Section, Text, Tile, Tiles
from reporting.measured import SPLIT_NAMES, counted


def summary(found: SplitEvaluation) -> Section:
    """Key figures of one split, and their meaning in words."""
    about = f"{SPLIT_NAMES[found.split]}: {counted(found)}. In brackets 95 % intervals."
    blocks: tuple[Block, ...] = (Text(about), Tiles(tuple(_tiles(found))), Items(tuple(_words(found))))
    return Section("In short", blocks)


def _tiles(found: SplitEvaluation) -> Iterator[Tile]:
    figures = found.figures
    yield Tile("Macro-F1", str(figures["macro_f1"]), f"knowing only the source: {figures['source_only/macro_f1']}")
    for name, said in (("ppv", "COVID-19 PPV"), ("recall", "COVID-19 recall")):
        alone = figures.get(f"source_only/covid19_{name}")
        yield Tile(said, str(figures[f"covid19_{name}"]), f"knowing only the source: {alone}" if alone else "")
    for source in found.sources:
        auroc = figures.get(f"{source}/covid19_vs_pneumonia_auroc")
        if auroc is not None:
            counts = (found.counts[f"{source}/{label}"] for label in ("covid19", "pneumonia"))
            note = f"AUROC, {' and '.join(map(str, counts))} images; guessing gives 0.5"
            yield Tile(f"COVID-19 or pneumonia, within {source}", str(auroc), note)


def _words(found: SplitEvaluation) -> Iterator[str]:
    figures = found.figures
    share = found.share("covid19")
    yield (
        f"Of 100 images that it calls COVID-19, {_of_100(figures['covid19_ppv'])} are COVID-19, if {share:.0%} of all "
        "images are COVID-19, as here." + _where_rare(found)
    )
    recalls = (f"{_of_100(figures[f'{label}_recall'])} of 100 {DISPLAY_NAMES[label]} images" for label in LABELS)
    yield f"It finds {', '.join(recalls)}."
    yield from _worst_source(found)
    if "if_calibrated/ece" in figures:
        yield (
            f"Its probabilities are off by {figures['ece']} on average (ECE); a perfectly calibrated model would show "
            f"{figures['if_calibrated/ece']} on as many images."
        )


def _where_rare(found: SplitEvaluation) -> str:
    rare = found.figures.get("covid19_ppv@0.05")
    return f" If only 5 % are, it would be {_of_100(rare)}." if rare else ""


def _worst_source(found: SplitEvaluation) -> Iterator[str]:
    if worst := found.worst_source:
        yield f"Its accuracy is lowest on images of `{worst}`: {found.figures[f'source/{worst}/accuracy']}."


def _of_100(figure: Figure) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "an unknown number"
    return f"{100 * figure.value:.0f} [{100 * figure.low:.0f}, {100 * figure.high:.0f}]"
