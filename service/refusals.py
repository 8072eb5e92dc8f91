"""Refusals that only HTTP has; what is wrong with a file is in `cxr.errors`."""

from cxr.errors import BadRequest, Refusal, TooLarge, UnsupportedMedia


class UnknownParameter(BadRequest):
    code = "unknown_parameter"
    message = (
        "A query parameter is unknown or given twice. /explain takes method, target and member; other routes take none."
    )


class SeveralFiles(BadRequest):
    code = "several_files"
    message = "The form holds more than one file. Send one, or send all of them to /v1/classify."


class NotAcceptable(Refusal):
    code = "not_acceptable"
    message = "The Accept header leaves no form of this answer. /docs.json names those that there are."


class TooManyFields(TooLarge):
    code = "too_many_fields"
    message = "The form has more than 100 text fields."


class BodyEncoded(UnsupportedMedia):
    code = "unsupported_content_coding"
    message = "Unsupported content coding. Send the body as it is, without Content-Encoding."
