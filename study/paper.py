"""The figures that Karim et al. 2020 report, as far as their text was available.

The figures by label and the means are in the abstract of arXiv 2004.04582 in its third version ("positive predictive
value of 91.6%, 92.45%, and 96.12%; precision, recall, and F1 score of 94.6%, 94.3%, and 94.6%"). COVID-19's recall of
90.5 % is from its table III, which contradicts its text. All are of the mean posterior of VGG-19 and DenseNet-161, on
the paper's own data. Its tables I and II were not available: rows that correspond to them have no figures of the paper.
"""

from typing import Final

from cxr.labels import Label
from study.tables import PaperScores

BEST_PAIR: Final = frozenset({"vgg19", "densenet161"})

BEST: Final = PaperScores(precision=0.946, recall=0.943, f1=0.946, source="abstract of arXiv 2004.04582")

BEST_BY_LABEL: Final[dict[Label, PaperScores]] = {
    "normal": PaperScores(precision=0.916, source="abstract"),
    "pneumonia": PaperScores(precision=0.9245, source="abstract"),
    "covid19": PaperScores(precision=0.9612, recall=0.905, source="abstract; recall: table III"),
}

HEADLINES: Final = (0.945, 0.961, 0.943)
"""This project's targets for macro-F1, COVID-19's precision and its recall: the paper's text, rounded."""
