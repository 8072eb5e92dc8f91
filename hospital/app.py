"""`cxr pacs`, or `python -m hospital` if the rest of the project is not installed."""

import logging
import signal
import ssl
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxr.labels import DISCLAIMER

if TYPE_CHECKING:
    from hospital.sender import Archive

app = typer.Typer(
    help="A DICOM node that sends radiographs from a hospital's archive to the service, and results back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SpoolPath = Annotated[
    Path,
    typer.Option(
        "--spool",
        help="Folder for waiting radiographs and results. It contains patients' images and names.",
        show_default=False,
    ),
]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@app.command()
def serve(
    spool: SpoolPath,
    archive: Annotated[
        str,
        typer.Option(
            help="Where results go: TITLE@HOST:PORT for C-STORE, or a DICOMweb URL for STOW-RS.", show_default=False
        ),
    ],
    archive_login: Annotated[Path | None, typer.Option(help="File with USER:PASSWORD for a DICOMweb URL.")] = None,
    service: Annotated[str, typer.Option(help="URL of the running service.")] = "http://127.0.0.1:3000",
    key_file: Annotated[Path | None, typer.Option(help="File with the service's API key.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 11112,
    title: Annotated[str, typer.Option(help="Our AE title; callers that use another title are rejected.")] = "CXR",
    caller: Annotated[
        list[str] | None, typer.Option(help="AE title that may call; may be repeated. Without it, all may call.")
    ] = None,
    tls: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Certificate and key, PEM: listen with TLS.", metavar="CERT KEY")
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option(
            help="Trusted certificates, PEM: callers must have one of them, and the archive is called with TLS."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of radiographs sent to the service at once.")] = 1,
    keep_hours: Annotated[float, typer.Option(min=0, help="Hours to keep results after they were sent.")] = 0.0,
    most_gib: Annotated[
        float, typer.Option(help="Largest size of the spool; beyond it the sender gets 0xA700 (out of resources).")
    ] = 20.0,
    least_free_gib: Annotated[float, typer.Option(help="Free space that the disk must keep.")] = 1.0,
    orthanc: Annotated[
        str | None, typer.Option(help="URL of an Orthanc whose new radiographs are fetched too.")
    ] = None,
    orthanc_login: Annotated[Path | None, typer.Option(help="File with USER:PASSWORD for it.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Port of /metrics, at the same address.")] = None,
) -> None:
    """Receive radiographs by C-STORE, let the service explain them, and send structured report and overlay back."""
    if find_spec("pynetdicom") is None:
        _complain("pynetdicom is not installed: pip install 'deepcovidexplainer[hospital]'")
        raise typer.Exit(2)
    from hospital.client import Service
    from hospital.feeders import OrthancChanges
    from hospital.node import Plan, run
    from hospital.receiver import Node
    from hospital.spool import Spool, SpoolInUse

    if host not in LOOPBACK and not caller:
        raise typer.BadParameter(
            "to listen beyond loopback, name the allowed callers with --caller.", param_hint="--host"
        )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("cxr").setLevel(logging.INFO)
    _complain(DISCLAIMER)
    folder = Spool(spool, int(most_gib * 2**30), int(least_free_gib * 2**30))
    plan = Plan(
        Node(host, port, title, caller or (), tls=_listening(tls, trust)),
        Service(service, _secret(key_file)),
        _archive(archive, _login(archive_login), title, _calling(tls, trust)),
        workers,
        3600 * keep_hours,
        OrthancChanges(orthanc, folder, _login(orthanc_login)) if orthanc else None,
        (host, metrics_port) if metrics_port is not None else None,
    )
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        run(plan, folder, ended)
    except SpoolInUse:
        _complain(f"{spool}: another process uses this spool.")
        raise typer.Exit(2) from None
    except OSError as error:
        _complain(f"{host}:{port}: {error.strerror}")
        raise typer.Exit(2) from None


@app.command()
def feed(
    spool: SpoolPath,
    files: Annotated[list[Path], typer.Argument(help="DICOM files.", show_default=False)],
) -> None:
    """Put DICOM files into the spool of a node, which processes them like received ones."""
    from hospital.feeders import NotDicom
    from hospital.feeders import feed as put
    from hospital.spool import Spool, SpoolFull

    folder, failed = Spool(spool), 0
    for path in files:
        try:
            put(folder, path)
            continue
        except NotDicom:
            _complain(f"{path}: This is not a DICOM file.")
        except SpoolFull:
            _complain(f"{path}: The spool or its disk is full.")
        except OSError as error:
            _complain(f"{path}: {error.strerror}")
        failed += 1
    raise typer.Exit(1 if failed else 0)


def _complain(line: str) -> None:
    typer.echo(line, err=True)


def _archive(text: str, login: tuple[str, str] | None, title: str, tls: ssl.SSLContext | None) -> "Archive":
    from hospital.sender import Dimse, Stow

    if text.startswith(("http://", "https://")):
        return Stow(text, login)
    called, _, address = text.partition("@")
    host, _, port = address.rpartition(":")
    if not (called and host and port.isdigit()):
        raise typer.BadParameter("must be TITLE@HOST:PORT, or a URL.", param_hint="--archive")
    return Dimse(host, int(port), called, title, tls)


def _calling(tls: tuple[Path, Path] | None, trust: Path | None) -> ssl.SSLContext | None:
    """The TLS context for calls to the archive; None without certificates to check it."""
    if trust is None:
        return None
    context = ssl.create_default_context(cafile=str(trust))
    if tls:
        context.load_cert_chain(*map(str, tls))
    return context


def _listening(tls: tuple[Path, Path] | None, trust: Path | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(trust) if trust else None)
    if trust:
        context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*map(str, tls))
    return context


def _secret(path: Path | None) -> str:
    return path.read_text().strip() if path else ""


def _login(path: Path | None) -> tuple[str, str] | None:
    if path is None:
        return None
    user, _, password = _secret(path).partition(":")
    return user, password
