"""`cxr batch`: one row for every file, the same from both engines and after any kill."""

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from archive.output import CHUNK, RAY
from cli import app
from cxr.errors import EmptyInput, NotDecodable
from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier
from scripts.server import REPOSITORY
from tests import files

runner = CliRunner()
BAD = {"empty.dcm": b"", "text.jpg": b"no picture"}
CODES = {"empty.dcm": EmptyInput.code, "text.jpg": NotDecodable.code}


def archive(folder: Path, count: int) -> Path:
    """An archive of `count` names of one radiograph, and two bad files."""
    folder.mkdir()
    (folder / ".radiograph").write_bytes(files.png(np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)))
    for number in range(count):
        (folder / f"{number:05}.png").symlink_to(folder / ".radiograph")
    for name, data in BAD.items():
        (folder / name).write_bytes(data)
    return folder


def rows(output: Path) -> dict[str, dict[str, Any]]:
    """Rows by file name, without duplicates."""
    found = parquet.read_table(output).to_pylist()
    by_name = {Path(row["path"]).name: row for row in found}
    assert len(by_name) == len(found)
    return by_name


def command(bundle: Bundle, source: Path, output: Path, engine: str) -> list[str]:
    options = ["--engine", engine, "--workers", "2", "--bundle", str(bundle.root)]
    return ["batch", str(source), "-o", str(output), *options]


def test_every_file_has_its_row(bundle: Bundle, tmp_path: Path) -> None:
    source, output = archive(tmp_path / "in", 3), tmp_path / "out.parquet"
    result = runner.invoke(app, [*command(bundle, source, output, "local"), "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert "5 files: 3 classified, 2 refused" in result.stdout
    made = rows(output)
    assert {name: row["error"] for name, row in made.items() if row["error"]} == CODES
    expected = Classifier(bundle, threads=1).classify((source / ".radiograph").read_bytes())
    assert made["00000.png"]["prediction"] == expected.prediction
    assert made["00000.png"]["p_covid19"] == pytest.approx(expected.probabilities["covid19"], abs=1e-5)
    again = runner.invoke(app, command(bundle, source, output, "local"))
    assert again.exit_code == 0, again.output
    assert rows(output) == made, "nothing is scored twice"


def test_an_address_needs_the_ray_engine(bundle: Bundle, tmp_path: Path) -> None:
    asked = [*command(bundle, tmp_path, tmp_path / "out.parquet", "local"), "--address", "127.0.0.1:1"]
    assert runner.invoke(app, asked).exit_code == 2


@pytest.mark.slow
def test_both_engines_make_the_same_table(bundle: Bundle, tmp_path: Path) -> None:
    source = archive(tmp_path / "in", 300)
    tables = {}
    for engine in ("local", "ray"):
        output = tmp_path / f"{engine}.parquet"
        subprocess.run(cxr(command(bundle, source, output, engine)), cwd=REPOSITORY, check=True)
        tables[engine] = rows(output)
        assert len(tables[engine]) == 302
    schemas = {
        parquet.read_schema(next(p.glob("[!_.]*.parquet"))).remove_metadata() for p in tmp_path.glob("*.parquet")
    }
    assert len(schemas) == 1
    without_times = [{name: {**row, "seconds": 0} for name, row in table.items()} for table in tables.values()]
    assert without_times[0] == without_times[1]


@pytest.mark.slow
@pytest.mark.parametrize("parts", [0, 1, 3])
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_killed_run_resumes(bundle: Bundle, tmp_path: Path, engine: str, parts: int) -> None:
    """Kill the command and all its processes when `parts` parts are written."""
    count = 6 * CHUNK
    source, output = archive(tmp_path / "in", count), tmp_path / "out.parquet"
    asked = cxr(command(bundle, source, output, engine))
    running = subprocess.Popen(asked, cwd=REPOSITORY)
    end = time.monotonic() + 900
    while not begun(output, parts):
        assert running.poll() is None, "it was done before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.02)
    for process in (*psutil.Process(running.pid).children(recursive=True), running):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    running.wait()
    time.sleep(1)
    before = set(output.glob("[!_.]*.parquet"))
    assert len(before) < count // CHUNK, "all of it was done"
    subprocess.run(asked, cwd=REPOSITORY, check=True)
    made = rows(output)
    assert len(made) == count + len(BAD)
    assert {name: row["error"] for name, row in made.items() if row["error"]} == CODES


def begun(output: Path, parts: int) -> bool:
    """Whether this many parts exist; for 0, whether work on the first one has begun."""
    if parts:
        return len(list(output.glob("[!_.]*.parquet"))) >= parts
    if (output / RAY).exists():
        return any((output / RAY / "inflight").glob("*"))
    return (output / "_manifest.parquet").exists()


def cxr(arguments: list[str]) -> list[str]:
    return [
        sys.executable,
        "-c",
        f"import sys; sys.argv = {json.dumps(['cxr', *arguments])}; from cli import app; app()",
    ]
