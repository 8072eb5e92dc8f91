"""The Accept header: weights, ranges, and headers of real clients."""

import pytest

from service.refusals import NotAcceptable
from service.routes.negotiation import JSON, PNG, preferred


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/json; charset=utf-8", JSON),
        ("application/json, image/png", JSON),
        ("image/png", PNG),
        ("IMAGE/PNG", PNG),
        ("image/*", PNG),
        ("image/png, */*", PNG),
        ("image/png;q=0.5, application/json", JSON),
        ("image/png;q=0.5, application/json;q=0.4", PNG),
        ("image/png;q=0, application/*", JSON),
        ("image/*;q=0.9, image/png;q=0.1, application/json;q=0.5", JSON),
        ("*/*;q=0.1, application/json;q=0", PNG),
        ("image/avif,image/webp,image/*,*/*;q=0.8", PNG),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("image/png;q=abc, application/json", JSON),
        ("image/png;q=2", JSON),
        (";;,,q=", JSON),
    ],
)
def test_the_form_that_is_preferred(accept: str, media_type: str) -> None:
    assert preferred(accept, (JSON, PNG)) == media_type


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "image/jpeg, image/png;q=0.000", "application/dicom"])
def test_nothing_fits(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        preferred(accept, (JSON, PNG))
