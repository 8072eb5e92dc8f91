"""The number of images that a figure needs. With fewer it is unknown, and the missing number is stated."""

from cxr.labels import Label
from evaluation.figure import Figure
from study.site.needs import FOR_ECE, FOR_TEMPERATURE, OF_A_LABEL, UNKNOWN, enough_to_recalibrate, known, needs

SOME = Figure(0.5, 0.4, 0.6)
FIFTY: dict[Label, int] = {"normal": 16, "pneumonia": 0, "covid19": 34}
NAMES = (
    *("normal_recall", "normal_specificity", "covid19_recall", "covid19_specificity", "covid19_auroc", "macro_f1"),
    *("conformal/covid19/coverage", "conformal/normal/coverage", "conformal/set_size"),
    *("ece", "uncalibrated/ece", "accuracy"),
)


def test_fifty_images_are_too_few() -> None:
    missing = {need.figure: need.missing for need in needs(FIFTY) if need.missing}
    assert missing == {
        "sensitivity, coverage and threshold of normal": OF_A_LABEL - 16,
        "sensitivity, coverage and threshold of pneumonia": OF_A_LABEL,
        "specificity of COVID-19": OF_A_LABEL - 16,
        "temperature, and with it a bundle for this site": FOR_TEMPERATURE - 50,
        "calibration error (ECE)": FOR_ECE - 50,
    }
    shown = {name for name, figure in known(dict.fromkeys(NAMES, SOME), FIFTY).items() if figure is not UNKNOWN}
    assert shown == {
        "normal_specificity", "covid19_recall", "conformal/covid19/coverage", "conformal/set_size", "accuracy",
    }  # fmt: skip
    assert not enough_to_recalibrate(FIFTY)


def test_enough() -> None:
    many: dict[Label, int] = {"normal": 60, "pneumonia": 60, "covid19": 60}
    assert not any(need.missing for need in needs(many))
    assert UNKNOWN not in known(dict.fromkeys(NAMES, SOME), many).values()
    assert enough_to_recalibrate(many)
    assert not enough_to_recalibrate({"normal": 29, "pneumonia": 29, "covid19": 29})
