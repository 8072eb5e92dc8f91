"""FastAPI and onnxruntime: a synchronous route, which FastAPI runs in its thread pool."""

import sys
from threading import get_ident
from typing import Annotated

import uvicorn
from fastapi import Body, FastAPI

from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier, Finding
from service.settings import Settings

app = FastAPI()


_running: set[int] = set()


@app.post("/classify")
def classify(data: Annotated[bytes, Body()]) -> Finding:
    """Classify one radiograph, on all cores if no other thread does."""
    classifier: Classifier = app.state.classifier
    thread = get_ident()
    _running.add(thread)
    try:
        return classifier.classify(data, alone=len(_running) == 1)
    finally:
        _running.remove(thread)


if __name__ == "__main__":
    port, threads, _ = map(int, sys.argv[1:])
    settings = Settings()
    app.state.classifier = Classifier(Bundle(settings.bundle), threads, settings.precision)
    uvicorn.run(app, port=port)
