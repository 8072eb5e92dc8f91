"""The wheel contains the page. For a bento see tests/service/test_bento.py."""

import os
import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from scripts.server import REPOSITORY
from service.page.files import FILES

PATH = f"{REPOSITORY / 'build' / 'uv' / 'bin'}:{os.environ['PATH']}"


@pytest.mark.slow
def test_every_file_is_in_the_wheel(tmp_path: Path) -> None:
    uv = shutil.which("uv", path=PATH)
    assert uv is not None
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, REPOSITORY], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    made = {"words.js"}
    assert {f"service/page/static/{name}" for name in FILES if name not in made} <= set(ZipFile(wheel).namelist())
