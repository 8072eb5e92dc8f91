"""Two bundles that answer differently, and the link by which an operator chooses between them."""

import json
import os
import shutil
from pathlib import Path

from cxr.model.bundle import DEFAULT_BUNDLE, Bundle


def another(bundle: Bundle, root: Path) -> Bundle:
    """A second bundle: the same networks, other probabilities, another explaining member. Its files are links."""
    root.mkdir(parents=True)
    for folder in ("weights", "onnx"):
        shutil.copytree(bundle.root / folder, root / folder, copy_function=os.link)
    manifest = bundle.manifest
    explainer = next(member.name for member in manifest.members if member.name != manifest.explainer)
    changes = {
        "version": f"{manifest.version}-other",
        "temperature": manifest.temperature * 1.5,
        "explainer": explainer,
    }
    (root / "bundle.json").write_text(json.dumps(json.loads((bundle.root / "bundle.json").read_text()) | changes))
    return Bundle(root)


class Shelf:
    """A folder with two bundles and the link `current`."""

    def __init__(self, folder: Path, first: Path = DEFAULT_BUNDLE) -> None:
        self.bundles = (Bundle(first.resolve()), another(Bundle(first.resolve()), folder / "other"))
        self.current = folder / "current"
        self.serve(self.bundles[0])

    def serve(self, bundle: Bundle) -> None:
        """Replace the link atomically, as an operator does (`ln -s … next && mv -T next current`)."""
        following = self.current.with_name("next")
        following.symlink_to(bundle.root)
        following.replace(self.current)

    def swap(self) -> Bundle:
        """Serve the other of the two bundles."""
        other = next(bundle for bundle in self.bundles if bundle.root != self.current.resolve())
        self.serve(other)
        return other
