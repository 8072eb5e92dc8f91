"""FastAPI and eager PyTorch on the CPU."""

import sys

import numpy as np
import torch
import uvicorn

from cxr.arrays import Logits, Views
from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier
from loadtests.peers.fastapi_onnx import app
from networks.architectures import load_member
from service.settings import Settings


class Eager:
    """Replaces the ONNX ensemble."""

    def __init__(self, bundle: Bundle) -> None:
        self._networks = [(member.frame, load_member(bundle, member)) for member in bundle.manifest.members]

    def logits(self, views: Views, alone: bool = True) -> Logits:  # noqa: ARG002
        """Prepared images [N, S, S] uint8 in each frame → logits [M, N, 3]. PyTorch's thread count is set at start."""
        batches = {frame: torch.from_numpy(images)[:, None] for frame, images in views.items()}
        with torch.inference_mode():
            return np.stack([network(batches[frame]).numpy() for frame, network in self._networks])


if __name__ == "__main__":
    port, threads, _ = map(int, sys.argv[1:])
    torch.set_num_threads(threads)
    bundle = Bundle(Settings().bundle)
    app.state.classifier = Classifier(bundle, threads)
    app.state.classifier.ensemble = Eager(bundle)
    uvicorn.run(app, port=port)
