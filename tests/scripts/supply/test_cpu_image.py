"""The image for a processor holds the whole service, with builds of PyTorch and onnxruntime that need no CUDA."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", text, re.MULTILINE))


def test_the_bento_holds_what_the_other_one_holds() -> None:
    cpu, full = (yaml.safe_load((ROOT / name).read_text()) for name in ("bentofile.cpu.yaml", "bentofile.yaml"))
    assert cpu["python"]["requirements_txt"] == "requirements/cpu.txt"
    assert {"name": "UV_TORCH_BACKEND", "value": "cpu"} in cpu["envs"]
    assert {key: cpu[key] for key in cpu if key not in ("name", "python", "envs")} == {
        key: full[key] for key in full if key not in ("name", "python", "envs")
    }


def test_the_pins_are_the_services_without_cuda() -> None:
    cpu = pins("cpu.txt")
    assert set(cpu) - {"onnxruntime"} <= set(pins("service.txt"))
    assert cpu["torch"].endswith("+cpu")
    assert "onnxruntime-gpu" not in cpu
    assert not [name for name in cpu if name.startswith(("nvidia-cu", "cuda", "triton"))]
