"""The operator's settings: environment variables that start with CXR_. An unknown one is an error."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cxr.cpu_count import usable_cores
from cxr.limits import MAX_BYTES
from cxr.model import openvino
from cxr.model.bundle import DEFAULT_BUNDLE
from cxr.model.gate import GatePolicy
from cxr.model.inference import MAX_BATCH, PrecisionChoice
from cxr.report.explanation import METHODS, Method

CORES: Final = usable_cores()
MIN_KEY_LENGTH: Final = 16

MAX_SECONDS: Final = 240.0
TIMEOUT_S: Final = 300
"""BentoML's own timeout of a request, in seconds. Its answer has another format, so our deadlines must end sooner."""

Seconds = Annotated[float, Field(gt=0.0, le=MAX_SECONDS)]
Key = Annotated[SecretStr, Field(min_length=MIN_KEY_LENGTH)]


PREFIX: Final = "CXR_"
ELSEWHERE: Final = frozenset({"CXR_IMAGE", "CXR_PACS_IMAGE"})
"""Variables that other files use: deploy/compose.yaml, deploy/orthanc/compose.yaml."""


class Settings(BaseSettings):
    """The service's settings; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    bundle: Annotated[Path, Field(description="Folder of the bundle to serve.")] = DEFAULT_BUNDLE
    bundle_key: Annotated[
        Path | None,
        Field(
            description="PEM file of a public key: only bundles signed with its private key are served "
            "(`cxr bundle sign`)."
        ),
    ] = None
    threads: Annotated[
        int, Field(ge=1, description="Threads of an inference that runs alone, or of one explanation.")
    ] = CORES
    precision: Annotated[
        PrecisionChoice,
        Field(
            description="auto: float16 on a GPU, else bfloat16 on AMX where onnxruntime-ep-openvino is installed, else "
            "float32. int8 needs `cxr export --int8`."
        ),
    ] = "auto"
    gate: Annotated[
        GatePolicy,
        Field(
            description="For an image that is no upright frontal radiograph of a chest, as the bundle's gate decides: "
            "warn, or refuse (422). off: the gate does not run."
        ),
    ] = "warn"
    # Two for each core by default: while one thread waits (for the interpreter, or OpenVINO's threads), another one
    # uses the core.
    classifications: Annotated[int, Field(ge=1, description="Classifications that run at once.")] = 2 * CORES
    batch: Annotated[int, Field(ge=2, le=512, description="Largest number of images in a GPU's batch.")] = MAX_BATCH
    explanations: Annotated[int, Field(ge=1, description="Explanations that run at once.")] = 1
    queue: Annotated[
        int, Field(ge=0, description="Files that may wait in each queue (decode, classify, explain); then 429.")
    ] = 64
    queue_seconds: Annotated[
        Seconds, Field(description="Longest expected wait of a classification, estimated from recent ones; then 429.")
    ] = 2.0
    classify_seconds: Annotated[Seconds, Field(description="Deadline of a classification, including its wait.")] = 30.0
    explain_seconds: Annotated[
        Seconds, Field(description="Deadline of an explanation by any other method, including its wait.")
    ] = 60.0
    lrp_seconds: Annotated[Seconds, Field(description="Deadline of an explanation by LRP, including its wait.")] = 120.0
    integrated_gradients_seconds: Annotated[
        Seconds, Field(description="Deadline of an explanation by integrated gradients, including its wait.")
    ] = 120.0
    occlusion_seconds: Annotated[
        Seconds, Field(description="Deadline of an explanation by occlusion, including its wait.")
    ] = 120.0
    upload_seconds: Annotated[Seconds, Field(description="Deadline of a request's body; later it gets a 408.")] = 30.0
    upload_mib: Annotated[
        int,
        Field(ge=MAX_BYTES >> 20, description="MiB of request bodies in memory, of all requests together; then 429."),
    ] = 512
    api_keys: Annotated[
        tuple[Key, ...],
        NoDecode,
        Field(description="Valid API keys, separated by commas, each of 16 characters or more. Empty: no key needed."),
    ] = ()
    api_keys_file: Annotated[
        Path | None,
        Field(description="File with the valid API keys instead, one per line. It is read again when it changes."),
    ] = None
    requests_per_minute: Annotated[
        int | None,
        Field(ge=1, description="Requests per minute of a key in a replica; a form is one; then 429. None: no limit."),
    ] = None
    allow_anonymous: Annotated[
        bool, Field(description="Listen beyond loopback without a key. Only if a proxy authenticates.")
    ] = False

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("precision")
    @classmethod
    def _available(cls, precision: PrecisionChoice) -> PrecisionChoice:
        if precision == "bfloat16" and not openvino.usable():
            raise ValueError(openvino.NEEDS)
        return precision

    @model_validator(mode="after")
    def _refuse_unknown(self) -> Self:
        """Refuse unknown names: a misspelt CXR_API_KEYS would silently open the service."""
        known = {f"{PREFIX}{name.upper()}" for name in type(self).model_fields}
        for name in sorted({name.upper() for name in os.environ} - known - ELSEWHERE):
            if name.startswith(PREFIX):
                meant = get_close_matches(name, known, n=1)
                raise ValueError(f"There is no setting {name}." + (f" Did you mean {meant[0]}?" if meant else ""))
        return self

    def deadline(self, method: Method) -> float:
        """Seconds that an explanation by a method may take. A slow method has its own setting, named after it."""
        seconds: float = getattr(self, f"{method}_seconds", self.explain_seconds)
        return seconds

    @property
    def longest_s(self) -> float:
        """Seconds that a request may take from its first byte to its answer."""
        return self.upload_seconds + self.classify_seconds + max(map(self.deadline, METHODS))

    @property
    def needs_key(self) -> bool:
        """Whether requests without a key are refused."""
        return bool(self.api_keys) or self.api_keys_file is not None

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if self.api_keys and self.api_keys_file:
            raise ValueError("Set CXR_API_KEYS or CXR_API_KEYS_FILE, not both.")
        return self

    @model_validator(mode="after")
    def _within_timeout(self) -> Self:
        if self.longest_s >= TIMEOUT_S:
            raise ValueError(
                "upload_seconds, classify_seconds and the longest deadline of a method (explain_seconds, lrp_seconds, "
                f"integrated_gradients_seconds, occlusion_seconds) must be under {TIMEOUT_S} s together"
            )
        return self

    def __str__(self) -> str:
        """One line for the log. It contains the number of keys, not the keys."""
        shown = {**dict(self), "api_keys": len(self.api_keys)}
        return " ".join(f"{PREFIX}{name.upper()}={value}" for name, value in shown.items())
