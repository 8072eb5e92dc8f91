"""What an operator may set, through environment variables that start with CXR_. There are no others."""

import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from cxr.bundle import DEFAULT_BUNDLE

CORES: Final = len(os.sched_getaffinity(0))  # those that this process may use

Seconds = Annotated[float, Field(gt=0.0, le=240.0)]  # BentoML's own timeout, in another shape, is at 300


class Settings(BaseSettings):
    """The service's settings; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix="CXR_", frozen=True)

    bundle: Annotated[Path, Field(description="Folder of the bundle to serve.")] = DEFAULT_BUNDLE
    threads: Annotated[int, Field(ge=1, description="Threads of one inference or one explanation.")] = CORES
    classifications: Annotated[int, Field(ge=1, description="Classifications that run at once.")] = CORES
    explanations: Annotated[int, Field(ge=1, description="Explanations that run at once.")] = 1
    queue: Annotated[
        int, Field(ge=0, description="Requests of a kind that may wait for their turn; the next gets a 503.")
    ] = 64
    classify_seconds: Annotated[Seconds, Field(description="Deadline of a classification, its wait included.")] = 30.0
    explain_seconds: Annotated[Seconds, Field(description="Deadline of an explanation, its wait included.")] = 60.0

    def __str__(self) -> str:
        """One line for the log. No setting is a secret; one that is must not be printed here."""
        return " ".join(f"CXR_{name.upper()}={value}" for name, value in self)
