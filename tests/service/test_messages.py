"""Error messages quote the actual limits."""

from cxr.errors import BodyTooLarge, TooManyPixels, TooSmall
from cxr.labels import LABELS
from cxr.report.explanation import METHODS
from service import refusals
from service.app import app


def test_messages_name_every_choice() -> None:
    assert all(label in refusals.UnknownTarget.message for label in (refusals.PREDICTED, *LABELS))
    assert all(method in refusals.UnknownMethod.message for method in METHODS)


def test_messages_read_as_before_they_were_made_from_their_constants() -> None:
    assert {
        BodyTooLarge.message,
        TooManyPixels.message,
        TooSmall.message,
        refusals.BatchTooLarge.message,
        refusals.TooManyFiles.message,
        refusals.UnknownTarget.message,
    } == {
        "The body is larger than 64 MiB.",
        "The image has more than 40 megapixels.",
        "The image's short side is under 64 pixels.",
        "The form is larger than 256 MiB.",
        "The form has more than 64 files.",
        "Unknown target. Use predicted, normal, pneumonia or covid19.",
    }


def test_the_api_description_quotes_limits() -> None:
    document = app.openapi()["paths"]
    assert "up to 64 files" in document["/v1/classify"]["post"]["description"]
    assert "64 MiB or 40 megapixels" in document["/classify"]["post"]["responses"]["413"]["description"]
