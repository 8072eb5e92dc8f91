"""Leave one source out, to measure a network on images from a hospital outside its training data.

In data gathered from several collections, class and source are confounded, so a good figure on known sources may come
from recognising the hospital (DeGrave et al. 2021). The two compared networks differ only in their training images.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cxr.arrays import Floats, Mask
from cxr.labels import LABELS, Label
from cxr.model.posterior import combine
from evaluation import metrics
from evaluation.bootstrap import RESAMPLES, Resampling
from evaluation.measures import COVID19
from study.ensemble import LAST
from study.study import Part, Study, archived_cycles
from study.tables import LeftOutRow, OnSource
from training.rundir import RunDir


def left_out_rows(study: Study, part: Part, resamples: int = RESAMPLES) -> Iterator[LeftOutRow]:
    """A row for each run that left a source out, if the same run with all sources and the source's images exist.

    Posteriors are means of the last snapshots that both runs have. They are uncalibrated: do not read them as
    probabilities.
    """
    for name, run in study.left_out.items():
        config = run.config
        reference = next((one for one, c in study.configs.items() if c == replace(config, leave_out="")), None)
        here = np.array([row.source == config.leave_out for row in part.rows], dtype=bool)
        if reference is None or not here.any():
            continue
        seen, unseen = _posteriors(study, part, study.runs[reference], run)
        yield LeftOutRow(
            source=config.leave_out,
            reference=reference,
            run=name,
            images=_counts(part, here),
            seen=_measured(seen, part, here, resamples),
            unseen=_measured(unseen, part, here, resamples),
        )


def _posteriors(study: Study, part: Part, *runs: RunDir) -> list[Floats]:
    cycles = min((archived_cycles(run) for run in runs), key=len)[-LAST:]
    logits = [np.stack([study.said(run, cycle, part.name) for cycle in cycles]) for run in runs]
    return [combine(members, 1.0, "scpa") for members in logits]


def _measured(posterior: Floats, part: Part, here: Mask, resamples: int) -> OnSource:
    said, labels = posterior[here], part.labels[here]
    right, positive = said.argmax(axis=1) == labels, labels == COVID19
    patients = [patient for patient, kept in zip(part.patients, here, strict=True) if kept]

    def figures(weights: Floats) -> dict[str, Floats]:
        return {
            "accuracy": metrics.mean(right, weights),
            "covid19_recall": metrics.mean(right, weights * positive),
            "auroc": metrics.auroc(said[:, COVID19], positive, weights),
        }

    return OnSource(**Resampling(patients, resamples).measure(figures))


def _counts(part: Part, here: Mask) -> dict[Label, int]:
    found = Counter(row.label for row, kept in zip(part.rows, here, strict=True) if kept)
    return {label: found[label] for label in LABELS}
