"""`cxr bundle sign`, `cxr bundle verify`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import failing_cleanly

app = typer.Typer(help="Sign a model's folder, and verify that it is as it was signed.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Folder of the model.", show_default=False)]


@app.command()
def sign(
    bundle: Folder,
    key: Annotated[Path, typer.Option(help="Private key in PEM, as `openssl genpkey -algorithm ed25519` makes it.")],
) -> None:
    """Sign every file of an exported bundle: SHA256SUMS and SHA256SUMS.sig. Sign again after any change."""
    from cxr.model import signature
    from cxr.model.bundle import Bundle

    with failing_cleanly():
        _ = Bundle(bundle).onnx  # what was never exported would have to be signed once more
        signed = signature.sign(bundle, key)
    typer.echo(f"Signed: {len(signed)} files of {bundle}.")


@app.command()
def verify(
    bundle: Folder,
    key: Annotated[Path, typer.Option(help="Public key in PEM, as `openssl pkey -pubout` makes it.")],
) -> None:
    """Verify that every file is as the private key's holder signed it. A service does so with CXR_BUNDLE_KEY."""
    from cxr.model import signature
    from cxr.model.bundle import Bundle

    with failing_cleanly():
        verified = signature.verify(bundle, key)
        _ = Bundle(bundle, key).onnx
    typer.echo(f"Verified: {len(verified)} files of {bundle} are as they were signed.")
