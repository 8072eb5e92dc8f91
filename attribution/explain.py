"""From a file's bytes and its finding to an explanation, on a GPU if there is one."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from attribution.gradcam import gradcam, gradcam_plus_plus
from attribution.loading import Networks
from attribution.lrp import lrp
from attribution.metrics import conservation_error
from attribution.opacity import opacity
from attribution.perturbation import integrated_gradients, occlusion
from cxr.arrays import Map
from cxr.errors import NoOpacityHead, UnknownMember
from cxr.labels import LABELS, Label
from cxr.model.bundle import ENSEMBLE, Bundle, Member
from cxr.pipeline import Finding, Prepared, Preprocessor, Stopwatch
from cxr.report.explanation import Explanation, Method, Panel, offered
from cxr.report.heatmap import PIXEL_WISE, PlacedMap, resample
from cxr.report.illustrate import Illustrator, Question
from cxr.report.pictures import EVERYTHING, Drawing
from networks.architectures import Network

Target = Label | Literal["predicted"]

MAPS: Final[dict[Method, Callable[[Network, Tensor, Tensor], Tensor]]] = {
    "gradcam_plus_plus": gradcam_plus_plus,
    "gradcam": gradcam,
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
    "opacity": opacity,
}
"""Every method except LRP, which needs another form of the network. A method takes a network in evaluation mode, images
[N, 1, H, W] uint8 and targets [N], and returns maps [N, h, w] of any size over the network's frame, in any unit. The
signs are those that `cxr.report.explanation` states for the method."""


class Explainer:
    """Explains findings of a bundle's ensemble, by any member or by all together. Safe to call from several threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the explaining member. Others are loaded at their first use.

        Args:
            bundle: if it has a lung segmenter, this must have been exported.

        Raises:
            BundleError: weights or graph do not match the bundle's description.
        """
        self.bundle = bundle
        self._networks = Networks(bundle)
        self._prepare = Preprocessor(bundle).prepare
        self._illustrator = Illustrator(bundle)
        self._networks.plain(bundle.explainer)

    def explain(
        self,
        data: bytes | Prepared,
        finding: Finding,
        target: Target,
        method: Method,
        member: str | None = None,
        drawing: Drawing = EVERYTHING,
    ) -> Explanation:
        """Explain the finding that `cxr.pipeline.Classifier` of the same bundle made for the same file.

        Label and probabilities are the ensemble's, from `finding`. The map is one member's; the statement warns if that
        member favours another label.

        Args:
            data: PNG, JPEG or DICOM Part 10; or the file already prepared, and if an overlay is requested with the
                pixels that `cxr.report.render.for_overlay` keeps.
            finding: of this file.
            target: the label to explain; `predicted` is the finding's label.
            method: the attribution method.
            member: the member to explain; by default the bundle's explaining member. `ENSEMBLE` is the mean over all.
            drawing: the pictures to make.

        Raises:
            Refusal: the bytes cannot be classified, the member does not exist, or it has no such map. The subclass
                says which.
        """
        watch = Stopwatch()
        question = self._question(data, finding, target, member)
        if method not in offered(self.bundle.manifest, question.member):
            raise NoOpacityHead
        with watch.stage("attribution"):
            placed, error = self._map(question, method)
        return self._illustrator.explanation(question, method, placed, error, drawing, watch)

    def panel(
        self,
        data: bytes | Prepared,
        finding: Finding,
        target: Target,
        member: str | None = None,
        methods: Sequence[Method] | None = None,
    ) -> Panel:
        """The maps of several methods side by side, by default of all available ones; otherwise as `explain`."""
        question = self._question(data, finding, target, member)
        methods = methods or offered(self.bundle.manifest, question.member)
        return self._illustrator.panel(question, {method: self._map(question, method)[0] for method in methods})

    def _question(self, data: bytes | Prepared, finding: Finding, target: Target, member: str | None) -> Question:
        name = member or self.bundle.explainer.name
        if name not in self.bundle.manifest.choices:
            raise UnknownMember
        # The classification has already timed the stages of preparation.
        prepared = self._prepare(data) if isinstance(data, bytes) else data
        return Question(prepared, finding, finding.prediction if target == "predicted" else target, name)

    def _map(self, question: Question, method: Method) -> tuple[PlacedMap, float | None]:
        """The requested map, and for LRP its conservation error."""
        members = self.bundle.manifest.members
        if question.member != ENSEMBLE:
            members = tuple(member for member in members if member.name == question.member)
        maps, errors = zip(*(self._member_map(member, question, method) for member in members), strict=True)
        found = [error for error in errors if error is not None]
        if question.member != ENSEMBLE:
            return maps[0], max(found, default=None)
        weights = {member.name: member.probabilities[question.target] for member in question.finding.members}
        return mean_map(maps, [weights[member.name] for member in members]), max(found, default=None)

    def _member_map(self, member: Member, question: Question, method: Method) -> tuple[PlacedMap, float | None]:
        """A member's map over its frame."""
        image = torch.from_numpy(question.prepared.views[member.frame])
        batch = image[None, None].to(self._networks.device)
        target = torch.tensor([LABELS.index(question.target)], device=self._networks.device)
        heatmap, error = self._bare_map(member, batch, target, method)
        return PlacedMap(heatmap, question.prepared.placements[member.frame]), error

    def _bare_map(self, member: Member, batch: Tensor, target: Tensor, method: Method) -> tuple[Map, float | None]:
        if method != "lrp":
            return _array(MAPS[method](self._networks.plain(member), batch, target)), None
        canonical = self._networks.canonical(member)
        relevance = lrp(canonical, batch, target)
        with torch.inference_mode():
            logit = canonical(batch)[:, target[0]]
        return _array(relevance), float(conservation_error(relevance.detach(), logit))


def mean_map(maps: Sequence[PlacedMap], weights: Sequence[float]) -> PlacedMap:
    """The weighted mean of several networks' maps, each first scaled to a positive evidence of 1.

    Maps of different architectures differ in size and unit; the mean has the size of the largest. If the frames differ,
    the mean is over the whole radiograph. A map without positive evidence adds nothing.
    """
    if len({placed.place for placed in maps}) > 1:
        maps = [_on_the_whole(placed) for placed in maps]
    shape = max(placed.heatmap.shape for placed in maps)
    total = sum(weights) or 1.0
    mean = np.zeros(shape, np.float32)
    for placed, weight in zip(maps, weights, strict=True):
        resampled = resample(placed.heatmap, (shape[0], shape[1]))
        evidence = float(np.maximum(resampled, 0).sum())
        if evidence > 0:
            mean += np.float32(weight / total / evidence) * resampled
    return PlacedMap(mean, maps[0].place)


def _on_the_whole(placed: PlacedMap) -> PlacedMap:
    """A map over the whole radiograph, with at least as many cells; a coarse map gets `PIXEL_WISE` a side."""
    side = max(PIXEL_WISE, *placed.heatmap.shape)
    return PlacedMap(resample(placed.heatmap, (side, side), placed.place))


def _array(maps: Tensor) -> Map:
    """[1, h, w] → [h, w]."""
    array: Map = maps[0].detach().cpu().numpy()
    return array
