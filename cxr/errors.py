"""Every error that the core raises on purpose. Errors of HTTP requests are in `service.refusals`.

CxrError
├── Refusal                     the file or request cannot be answered; has a fixed message
│   ├── BadRequest              EmptyInput, UnknownMember, NoOpacityHead
│   ├── NeedsDicom
│   ├── TooLarge                BodyTooLarge, TooManyPixels
│   └── Unprocessable           NotDecodable (Truncated, PreambleMissing and OtherFormat say why),
│                               TransferSyntaxUnsupported, DeflatedDicom, NoPixels, MultiFrame, ForProcessing,
│                               NotARadiograph, LateralView, NotAChest, Unfamiliar, NoInstance, TooSmall,
│                               UniformImage, DecoderCrashed, DecodingTooSlow, DecodingTooLarge
├── Unavailable                 the request cannot be answered now: DecoderUnavailable
├── BundleError                 the bundle's files do not match its manifest; the service does not start
│   ├── BundleUnsigned, BundleAltered, KeyUnusable    the bundle must be signed, and its signature does not verify
│   └── GoldenDiffers, NoRoom, NotServable             the new bundle cannot replace the served one
├── ParityError                 an exported graph and its PyTorch network give different outputs
└── DataError                   a training table or one of its images cannot be used

A refusal's message is a constant of its class; at most it quotes our limits. It must not contain anything that a client
sent: messages reach logs and answers, and a client's data may name a patient.
"""

from typing import ClassVar

from cxr.limits import MAX_BYTES, MAX_PIXELS, MIN_SIDE


class CxrError(Exception):
    """Base of every error this project raises on purpose."""


class _Coded(CxrError):
    """An error with a machine-readable code and a fixed message."""

    code: ClassVar[str]
    message: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.message)


class Refusal(_Coded):
    """The client's file or request cannot be answered. Sending it again will not help."""


class BadRequest(Refusal):
    """The request itself is malformed."""


class EmptyInput(BadRequest):
    code = "empty_input"
    message = "The body is empty. Send the bytes of one radiograph."


class UnknownMember(BadRequest):
    code = "unknown_member"
    message = "Unknown member. Use ensemble, or a name that /classify lists under members."


class NoOpacityHead(BadRequest):
    code = "no_opacity_head"
    message = (
        "This network has no head trained on radiologists' boxes, so there is no such map. Use a method that "
        "/classify lists under bundle, methods."
    )


class NeedsDicom(Refusal):
    code = "needs_dicom"
    message = "A DICOM result belongs to the study of a DICOM file. Send a DICOM file, or request another form."


class TooLarge(Refusal):
    """The input is over a size limit."""


class BodyTooLarge(TooLarge):
    code = "body_too_large"
    message = f"The body is larger than {MAX_BYTES >> 20} MiB."


class TooManyPixels(TooLarge):
    code = "too_many_pixels"
    message = f"The image has more than {MAX_PIXELS // 10**6} megapixels."


class Unprocessable(Refusal):
    """The bytes were understood well enough to know that they cannot be classified."""


class NotDecodable(Unprocessable):
    code = "not_decodable"
    message = "The bytes are not a complete PNG, JPEG or DICOM image."


class Truncated(NotDecodable):
    message = "The file ends too early: a part of it is missing. Send the whole file."


class PreambleMissing(NotDecodable):
    message = (
        "The bytes look like DICOM without its preamble (128 bytes, then DICM). Write the file as DICOM Part 10, "
        "for example with dcmconv of DCMTK."
    )


class OtherFormat(NotDecodable):
    message = (
        "The file is of a format that is not accepted, such as TIFF, BMP, GIF, WebP, JPEG 2000, NIfTI, PDF or an "
        "archive. Convert it to PNG or JPEG, or send the DICOM file itself."
    )


class TransferSyntaxUnsupported(Unprocessable):
    code = "transfer_syntax_unsupported"
    message = "The DICOM file's transfer syntax is not supported."


class DeflatedDicom(Unprocessable):
    code = "deflated_dicom"
    message = "Deflated DICOM (1.2.840.10008.1.2.1.99) is not accepted: its size cannot be bounded before inflation."


class NoPixels(Unprocessable):
    code = "no_pixels"
    message = "The DICOM file holds no pixel data."


class MultiFrame(Unprocessable):
    code = "multi_frame"
    message = "The DICOM file holds several frames. Send a single projection radiograph."


class ForProcessing(Unprocessable):
    code = "for_processing"
    message = "The image is FOR PROCESSING. Send the one for presentation."


class NotARadiograph(Unprocessable):
    code = "not_a_radiograph"
    message = "The DICOM object is not a projection radiograph (CR, DX for presentation or secondary capture)."


class LateralView(Unprocessable):
    code = "lateral_view"
    message = "The view is lateral or oblique. Only frontal chest radiographs are accepted."


class NotAChest(Unprocessable):
    code = "not_a_chest"
    message = "The body part examined is not the chest."


class Unfamiliar(Unprocessable):
    code = "unfamiliar"
    message = (
        "The image does not look like an upright frontal radiograph of a chest. Send the whole radiograph, upright, "
        "alone and with air dark."
    )


class NoInstance(Unprocessable):
    code = "no_instance"
    message = "The DICOM file does not name its class, study, series and instance: no result object can refer to it."


class TooSmall(Unprocessable):
    code = "too_small"
    message = f"The image's short side is under {MIN_SIDE} pixels."


class UniformImage(Unprocessable):
    code = "uniform_image"
    message = "All or nearly all pixels of the image are alike: it shows nothing. Send the radiograph itself."


class DecoderCrashed(Unprocessable):
    code = "decoder_crashed"
    message = "The decoder failed on the file: its pixel data is damaged. Export the image again, uncompressed."


class DecodingTooSlow(Unprocessable):
    code = "decoding_too_slow"
    message = "The image takes longer to decode than allowed. Send it uncompressed or smaller."


class DecodingTooLarge(Unprocessable):
    code = "decoding_too_large"
    message = "The image takes more memory to decode than allowed. Send it in grey or smaller."


class Unavailable(_Coded):
    """The service cannot answer now. The same request may succeed later."""


class DecoderUnavailable(Unavailable):
    code = "decoder_unavailable"
    message = "DICOM files cannot be decoded at the moment. PNG and JPEG files are not affected."


class BundleError(CxrError):
    """A bundle's files are missing, altered or of an unsupported version. The message names the file."""


class BundleUnsigned(BundleError):
    """A signed bundle is required, and this one is not signed. The message names the folder."""


class BundleAltered(BundleError):
    """A signed bundle was altered, or was signed with another key. The message names the file."""


class KeyUnusable(BundleError):
    """The key for signing or verifying cannot be used. The message names the file."""


class GoldenDiffers(BundleError):
    """A loaded bundle's outputs differ from those of its networks at export. The message has the figures."""


class NoRoom(BundleError):
    """There is not enough memory for a second bundle beside the served one. The message has the figures."""


class NotServable(BundleError):
    """A bundle is valid, but this running service cannot serve it. The message says why."""


class ParityError(CxrError):
    """An exported graph computes something else than its network. The message has graph, figure and limit."""


class PrecisionUnavailable(CxrError):
    """The requested precision is not available on this machine. The message says what it needs."""


class DataError(CxrError):
    """A training table or one of its images cannot be used. The message names the file and the row."""


def error_named(name: str) -> Refusal | Unavailable:
    """The error whose class has this name, which another process sent. Raises KeyError if there is none."""
    kinds: list[type[Refusal | Unavailable]] = [Refusal, Unavailable]
    for kind in kinds:  # the list grows during the loop
        kinds.extend(kind.__subclasses__())
    return {kind.__name__: kind for kind in kinds if hasattr(kind, "code")}[name]()
