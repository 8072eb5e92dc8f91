"""LitServe and onnxruntime. LitServe accepts JSON or forms but no raw body, so the file is sent in a form."""

import sys
from dataclasses import asdict
from typing import Any

import litserve
from fastapi import UploadFile

from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier, Finding
from service.settings import Settings


class Radiographs(litserve.LitAPI):  # type: ignore[misc]
    """Decoding, inference and answer of one request, in LitServe's three steps."""

    def __init__(self, threads: int) -> None:
        super().__init__(api_path="/classify")
        self.threads = threads

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Called once in each worker."""
        settings = Settings()
        self.classifier = Classifier(Bundle(settings.bundle), self.threads, settings.precision)

    def decode_request(self, request: UploadFile, **_: Any) -> bytes:
        """The file of the form's field `request`."""
        return request.file.read()

    def predict(self, data: bytes, **_: Any) -> Finding:
        """Classify one radiograph."""
        return self.classifier.classify(data)

    def encode_response(self, finding: Finding, **_: Any) -> dict[str, Any]:
        """The answer as JSON-compatible values."""
        return asdict(finding)


if __name__ == "__main__":
    port, threads, workers = map(int, sys.argv[1:])
    server = litserve.LitServer(Radiographs(threads), accelerator="cpu", workers_per_device=workers)
    server.run(port=port, host="127.0.0.1", num_api_servers=1, generate_client_file=False)
