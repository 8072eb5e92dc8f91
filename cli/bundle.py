"""`cxr bundle sign`, `cxr bundle verify`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import failing_cleanly

app = typer.Typer(
    help="Sign a model's folder, and verify that it is unchanged since it was signed.", no_args_is_help=True
)

Folder = Annotated[Path, typer.Argument(help="Folder of the model.", show_default=False)]


@app.command()
def sign(
    bundle: Folder,
    key: Annotated[Path, typer.Option(help="Private key in PEM, as `openssl genpkey -algorithm ed25519` makes it.")],
) -> None:
    """Sign every file of an exported bundle: write SHA256SUMS and SHA256SUMS.sig. Sign again after any change."""
    from cxr.model import signature
    from cxr.model.bundle import Bundle

    with failing_cleanly():
        _ = Bundle(bundle).onnx  # fails if it is not exported: an export after signing would need a new signature
        signed = signature.sign(bundle, key)
    typer.echo(f"Signed: {len(signed)} files of {bundle}.")


@app.command()
def verify(
    bundle: Folder,
    key: Annotated[Path, typer.Option(help="Public key in PEM, as `openssl pkey -pubout` makes it.")],
) -> None:
    """Verify every file against the signature. A service with CXR_BUNDLE_KEY does the same."""
    from cxr.model import signature
    from cxr.model.bundle import Bundle

    with failing_cleanly():
        verified = signature.verify(bundle, key)
        _ = Bundle(bundle, key).onnx
    typer.echo(f"Verified: {len(verified)} files of {bundle} are unchanged since they were signed.")
