"""From the bytes of a file and its finding to an explanation, on a CPU."""

from typing import Literal

import torch

from attribution.gradcam import MAPS
from cxr.bundle import Bundle
from cxr.explanation import Explanation, Method
from cxr.heatmap import heatmap_png
from cxr.labels import LABELS, Label
from cxr.narrate import caption, statement
from cxr.nets import load_member
from cxr.pipeline import Finding, Stopwatch, prepare
from cxr.render import overlay_png

Target = Label | Literal["predicted"]


class Explainer:
    """The member of a bundle whose maps are shown, loaded and ready. Safe to call from several threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises BundleError unless the explaining member's weights are those that the bundle describes."""
        self.bundle = bundle
        self._network = load_member(bundle, bundle.explainer)

    def explain(self, data: bytes, finding: Finding, target: Target, method: Method) -> Explanation:
        """Explain what `cxr.pipeline.Classifier` of the same bundle found in the same bytes.

        Label and probabilities shown are the ensemble's, from `finding`; the map is one member's, and the
        statement says so where that member favours another label.

        Args:
            data: PNG, JPEG or DICOM Part 10.
            finding: of these bytes.
            target: the label to look for evidence of; `predicted` is the finding's.
            method: how to make the map.

        Raises:
            Refusal: the bytes cannot be classified; its class says why.
        """
        watch = Stopwatch()
        radiograph, image = prepare(data, self.bundle, Stopwatch())  # classifying has timed these stages
        label = finding.prediction if target == "predicted" else target
        with watch.stage("attribution"):
            batch = torch.from_numpy(image)[None, None]
            heatmap = MAPS[method](self._network, batch, torch.tensor([LABELS.index(label)]))[0].numpy()
        member, coverage = self.bundle.explainer.name, self.bundle.manifest.conformal.coverage
        words = (finding, label, method, member, coverage, not heatmap.any())
        with watch.stage("render"):
            overlay = overlay_png(radiograph.pixels, heatmap, caption(*words))
            grey = heatmap_png(heatmap, radiograph.pixels.shape)
        return Explanation(method, label, member, grey, overlay, statement(*words), watch.timings_ms)
