"""FastAPI and onnxruntime: a synchronous route, which FastAPI runs in its thread pool."""

import sys
from typing import Annotated

import uvicorn
from fastapi import Body, FastAPI

from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier, Finding
from service.settings import Settings

app = FastAPI()


@app.post("/classify")
def classify(data: Annotated[bytes, Body()]) -> Finding:
    """Classify one radiograph."""
    classifier: Classifier = app.state.classifier
    return classifier.classify(data)


if __name__ == "__main__":
    port, threads, _ = map(int, sys.argv[1:])
    app.state.classifier = Classifier(Bundle(Settings().bundle), threads)
    uvicorn.run(app, port=port)
