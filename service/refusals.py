"""Errors of HTTP requests. Errors of files are in `cxr.errors`.

Refusal                         a 4xx, with a fixed message
├── BadRequest                  400: UnknownTarget, UnknownMethod, UnknownObject, UnknownPictures, UnknownParameter,
│                               MalformedForm, SeveralFiles
├── OtherOrigin                 403
├── NotAcceptable               406
├── UploadTooSlow               408
├── TooLarge                    413: BatchTooLarge, TooManyFiles, TooManyFields
├── UnsupportedMedia            415: NotAForm, BodyEncoded
└── UnknownHost                 421
Unavailable                     Busy (429), ExplainerUnavailable, ExplainerDied and OtherBundle (503), DeadlineExceeded
                                (504)
"""

from math import ceil

from cxr.errors import BadRequest, Refusal, TooLarge, Unavailable
from cxr.labels import LABELS
from cxr.report.explanation import METHODS
from cxr.report.objects import OBJECTS
from cxr.report.pictures import PICTURES
from service.limits import MAX_FIELDS, MAX_FILES, MAX_FORM_BYTES

PREDICTED = "predicted"
"""The target that stands for the label with the largest probability."""


def one_of(*names: str) -> str:
    """The names joined by commas, the last by "or"."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


class UnknownTarget(BadRequest):
    code = "unknown_target"
    message = f"Unknown target. Use {one_of(PREDICTED, *LABELS)}."


class UnknownMethod(BadRequest):
    code = "unknown_method"
    message = f"Unknown method. Use {one_of(*METHODS)}."


class UnknownObject(BadRequest):
    code = "unknown_object"
    message = f"Unknown object. Use {one_of(*OBJECTS)}, or omit the parameter for both."


class UnknownPictures(BadRequest):
    code = "unknown_pictures"
    message = f"Unknown pictures. Use {one_of(*PICTURES)}."


class MalformedForm(BadRequest):
    code = "malformed_form"
    message = "The multipart form is incomplete or malformed."


class SeveralFiles(BadRequest):
    code = "several_files"
    message = "The form holds more than one file. Send one, or send all of them to /v1/classify."


class UnknownParameter(BadRequest):
    code = "unknown_parameter"
    message = (
        "A query parameter is unknown or given more than once. /explain takes method, target, member, pictures and "
        "object; other routes take none."
    )


class OtherOrigin(Refusal):
    code = "other_origin"
    message = "Pages of another origin may not use this service while it requires no key. Set CXR_API_KEYS."


class UnknownHost(Refusal):
    code = "unknown_host"
    message = (
        "Without a key the service answers to localhost and loopback addresses only. Set CXR_API_KEYS, or "
        "CXR_ALLOW_ANONYMOUS=1 if a proxy authenticates."
    )


class NotAcceptable(Refusal):
    code = "not_acceptable"
    message = "The Accept header excludes every form of this answer. /docs.json lists the available ones."


class UploadTooSlow(Refusal):
    code = "upload_too_slow"
    message = "The body did not arrive within the deadline."


class BatchTooLarge(TooLarge):
    code = "batch_too_large"
    message = f"The form is larger than {MAX_FORM_BYTES >> 20} MiB."


class TooManyFiles(TooLarge):
    code = "too_many_files"
    message = f"The form has more than {MAX_FILES} files."


class TooManyFields(TooLarge):
    code = "too_many_fields"
    message = f"The form has more than {MAX_FIELDS} text fields."


class UnsupportedMedia(Refusal):
    code = "unsupported_media_type"
    message = "Unsupported media type. Send one PNG, JPEG or DICOM file, as the raw body or as the one file of a form."


class NotAForm(UnsupportedMedia):
    code = "not_a_form"
    message = "Unsupported media type. Send several files as multipart/form-data."


class BodyEncoded(UnsupportedMedia):
    code = "unsupported_content_coding"
    message = "Unsupported content coding. Send the body as it is, without Content-Encoding."


class Busy(Unavailable):
    code = "busy"
    message = "The service is at capacity. Try again shortly."

    def __init__(self, wait_s: float = 0.0) -> None:
        """`wait_s`: seconds until there is likely to be room."""
        super().__init__()
        self.retry_after_s = max(1, ceil(wait_s))


class ExplainerUnavailable(Unavailable):
    code = "explainer_unavailable"
    message = "Explanations are unavailable at the moment. Classification is not affected."


class ExplainerDied(Unavailable):
    code = "explainer_died"
    message = "The explainer ended during this explanation and is restarting. The same image may end it again."


class OtherBundle(Unavailable):
    code = "explainer_other_bundle"
    message = (
        "The explainer does not hold the model that classified this image, which was just replaced. Try again shortly."
    )


class DeadlineExceeded(Unavailable):
    code = "deadline_exceeded"
    message = "The request could not be answered within its deadline."
