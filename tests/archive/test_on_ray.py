"""The engine on Ray without Ray: how it is started, what it does with a plan that fails, and what an actor notes."""

import hashlib
import sys
from pathlib import Path
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from archive import on_ray
from archive.on_ray import SPARE_CPUS, TRIES, Scorer, score
from archive.output import CHUNK, MANIFEST, RAY, Made, Output
from archive.parquet import table, write
from archive.rows import CRASHED
from cxr.errors import DataError
from tests.findings import make_finding


class Plan:
    """Stands for a data set of Ray: remembers what becomes of it."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def step(*arguments: Any, **options: Any) -> "Plan":
            self.steps.append((name, arguments, options))
            return self

        return step


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Ray of this machine on loopback."""
    fake, data, checkpoint = ModuleType("ray"), ModuleType("ray.data"), ModuleType("ray.data.checkpoint")
    plan, context, began = Plan(), SimpleNamespace(), list[Any]()
    members: dict[ModuleType, dict[str, Any]] = {
        fake: {
            "init": lambda *arguments, **options: began.append((arguments, options)),
            "shutdown": lambda: began.append("ended"),
            "util": SimpleNamespace(get_node_ip_address=lambda: on_ray.LOOPBACK),
            "data": data,
            "plan": plan,
            "began": began,
            "context": context,
        },
        data: {
            "DataContext": SimpleNamespace(get_current=lambda: context),
            "ActorPoolStrategy": SimpleNamespace,
            "SaveMode": SimpleNamespace(APPEND="append"),
            "read_parquet": plan.read_parquet,
        },
        checkpoint: {"CheckpointConfig": SimpleNamespace},
    }
    for module, named in members.items():
        for name, value in named.items():
            setattr(module, name, value)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "")
    monkeypatch.setattr(on_ray, "TICK_S", 0.001)
    return fake


@pytest.fixture
def output(tmp_path: Path) -> Output:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    made = Made("b", "1", "0" * 64, "ray", str(CHUNK), "s")
    return Output.begun(tmp_path / "out.parquet", made, [str(tmp_path / "*.png")])


def test_it_stays_on_this_machine_and_its_plan_reads_the_manifest_and_appends(
    ray: Any, output: Output, tmp_path: Path
) -> None:
    (output.folder / RAY / "inflight").mkdir(parents=True)
    (output.folder / RAY / "inflight" / "old").touch()
    assert set(score(output, tmp_path / "bundle", 3, None)) <= {0}
    (where, options), ended = ray.began
    assert (where, options["num_cpus"], options["include_dashboard"]) == (("local",), 3 + SPARE_CPUS, False)
    assert ended == "ended"
    assert not any((output.folder / RAY / "inflight").iterdir()), "notes of a former run end no file of this one"
    (read, (manifest,), _), (_, _, blocks), (_, (scorer,), actors), (write_, (folder,), mode) = ray.plan.steps
    assert (read, manifest, write_, folder) == (
        "read_parquet",
        str(output.folder / MANIFEST),
        "write_parquet",
        str(output.folder),
    )
    assert (blocks, mode["mode"]) == ({"target_num_rows_per_block": CHUNK}, "append")
    assert (scorer, actors["compute"].size) == (Scorer, 3)
    assert actors["fn_constructor_kwargs"]["bundle"] == str(tmp_path / "bundle")
    assert ray.context.checkpoint_config.checkpoint_path == str(output.folder / RAY / "checkpoint")


def test_an_address_is_a_clusters(ray: Any, output: Output, tmp_path: Path) -> None:
    list(score(output, tmp_path, 1, "10.0.0.1:6379"))
    assert ray.began[0][1]["address"] == "10.0.0.1:6379"


def test_one_that_other_machines_could_reach_is_not_used(ray: Any, output: Output, tmp_path: Path) -> None:
    ray.util.get_node_ip_address = lambda: "10.0.0.2"
    with pytest.raises(DataError, match="does not stay on loopback"):
        list(score(output, tmp_path, 1, None))
    assert ray.began[-1] == "ended"


def test_without_it_the_extra_is_named(output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.setenv(name, "")
    with pytest.raises(DataError, match="install the extra `ray`"):
        list(score(output, tmp_path, 1, None))


def test_a_plan_that_fails_is_tried_again_and_not_for_ever(
    ray: Any, output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def fails(*_: Any) -> None:
        tried.append(len(tried))
        if len(tried) < TRIES or failing:
            raise TimeoutError

    monkeypatch.setattr(on_ray, "_run", fails)
    failing = True
    with pytest.raises(DataError, match=f"Ray failed {TRIES} times: TimeoutError"):
        list(score(output, tmp_path, 1, None))
    assert (len(tried), ray.began[-1]) == (TRIES, "ended")
    failing = False
    tried.clear()
    list(score(output, tmp_path, 1, None))
    assert len(tried) == TRIES


def test_rows_of_this_run_alone_are_counted(
    ray: Any, output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ray
    write(output.folder / "before.parquet", table([{"path": "a.png"}]))

    def writes(*_: Any) -> None:
        write(output.folder / "made.parquet", table([{"path": "b.png"}]))
        time_to_see.wait(5)

    time_to_see = Event()
    monkeypatch.setattr(on_ray, "_run", writes)
    for count in score(output, tmp_path, 1, None):
        if count == 1:
            time_to_see.set()
    assert time_to_see.is_set()


def test_an_actor_notes_the_file_that_it_scores_and_gives_up_one_that_ended_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    during: list[int] = []

    class Classifier:
        def __init__(self, _bundle: object, threads: int, at_once: int) -> None:
            assert (threads, at_once) == (1, 1)

        def classify(self, _data: bytes) -> Any:
            during.append(len(list(notes.iterdir())))
            return make_finding()

    monkeypatch.setattr(on_ray, "Classifier", Classifier)
    monkeypatch.setattr(on_ray, "Bundle", lambda _: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"a")
    scorer = Scorer("bundle", str(tmp_path / "nowhere"), str(notes))
    (made,) = scorer(table([{"path": "a.png"}])).to_pylist()
    assert made["prediction"] == "covid19"
    assert np.isclose(made["p_covid19"], 0.93)
    assert during == [1]
    assert not any(notes.iterdir()), "it is done"
    (note,) = (notes / name for name in [hashlib.sha256(b"a.png").hexdigest()])
    note.write_bytes(b".")
    assert scorer(table([{"path": "a.png"}])).to_pylist()[0]["error"] is None
    note.write_bytes(b"..")
    assert scorer(table([{"path": "a.png"}])).to_pylist()[0]["error"] == CRASHED
    assert during == [1, 1]
