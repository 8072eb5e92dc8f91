"""What an operator may set, through environment variables that start with CXR_. Others of that name are an error."""

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
"""BentoML's own timeout of a request, whose answer has another shape: it must never come first."""

Seconds = Annotated[float, Field(gt=0.0, le=MAX_SECONDS)]
Key = Annotated[SecretStr, Field(min_length=MIN_KEY_LENGTH)]


PREFIX: Final = "CXR_"
ELSEWHERE: Final = frozenset({"CXR_IMAGE", "CXR_PACS_IMAGE"})
"""Names that others read: deploy/compose.yaml, deploy/orthanc/compose.yaml."""


class Settings(BaseSettings):
    """The service's settings; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    bundle: Annotated[Path, Field(description="Folder of the bundle to serve.")] = DEFAULT_BUNDLE
    bundle_key: Annotated[
        Path | None,
        Field(
            description="File of a public key in PEM: only a bundle that its other half has signed (`cxr bundle sign`)."
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
            description="Of an image that is no upright frontal radiograph of a chest, as the bundle's gate sees it: "
            "warn, refuse (422), or off: the gate is not asked."
        ),
    ] = "warn"
    # Two for each core: a thread often waits, for the interpreter or for OpenVINO's threads, and a core must not.
    classifications: Annotated[int, Field(ge=1, description="Classifications that run at once.")] = 2 * CORES
    batch: Annotated[int, Field(ge=2, le=512, description="Images that a GPU is given at once, at most.")] = MAX_BATCH
    explanations: Annotated[int, Field(ge=1, description="Explanations that run at once.")] = 1
    queue: Annotated[
        int, Field(ge=0, description="Files of a kind that may wait for their turn; the next request gets a 429.")
    ] = 64
    queue_seconds: Annotated[
        Seconds, Field(description="Wait, as works took lately, past which a classification is not let in: a 429.")
    ] = 2.0
    classify_seconds: Annotated[Seconds, Field(description="Deadline of a classification, its wait included.")] = 30.0
    explain_seconds: Annotated[
        Seconds, Field(description="Deadline of an explanation by a method without one of its own, its wait included.")
    ] = 60.0
    lrp_seconds: Annotated[Seconds, Field(description="Deadline of an explanation by LRP, its wait included.")] = 120.0
    integrated_gradients_seconds: Annotated[
        Seconds, Field(description="Deadline of an explanation by integrated gradients, its wait included.")
    ] = 120.0
    occlusion_seconds: Annotated[
        Seconds, Field(description="Deadline of an explanation by occlusion, its wait included.")
    ] = 120.0
    upload_seconds: Annotated[Seconds, Field(description="Deadline of a request's body; later it gets a 408.")] = 30.0
    upload_mib: Annotated[
        int,
        Field(ge=MAX_BYTES >> 20, description="MiB of bodies held at once, all requests together; then 429."),
    ] = 512
    api_keys: Annotated[
        tuple[Key, ...],
        NoDecode,
        Field(description="Keys that open the service, separated by commas, 16 characters or more; none: all may."),
    ] = ()
    api_keys_file: Annotated[
        Path | None,
        Field(description="File with such keys, one a line, instead; replaced while the service runs, it is followed."),
    ] = None
    requests_per_minute: Annotated[
        int | None,
        Field(ge=1, description="Requests a minute of one key in a replica, a form being one; then 429. None: any."),
    ] = None
    allow_anonymous: Annotated[
        bool, Field(description="Listen beyond loopback without a key: where a proxy authenticates.")
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
        """A misspelt CXR_API_KEYS would open the service without a word."""
        known = {f"{PREFIX}{name.upper()}" for name in type(self).model_fields}
        for name in sorted({name.upper() for name in os.environ} - known - ELSEWHERE):
            if name.startswith(PREFIX):
                meant = get_close_matches(name, known, n=1)
                raise ValueError(f"There is no setting {name}." + (f" Is {meant[0]} meant?" if meant else ""))
        return self

    def deadline(self, method: Method) -> float:
        """Seconds that an explanation by a method may take: a costly one has a setting of its own, by its name."""
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
        """One line for the log; of the keys, only how many there are."""
        shown = {**dict(self), "api_keys": len(self.api_keys)}
        return " ".join(f"{PREFIX}{name.upper()}={value}" for name, value in shown.items())
