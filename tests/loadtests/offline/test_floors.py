"""The floors of docs/performance.md: operations are counted from the graph, and rates measured."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from loadtests.offline.floors import fastest, operations


def test_a_convolutions_operations_are_two_for_each_weight_and_place(tmp_path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 3, 3], [0.0] * 108)
    head = helper.make_tensor("h", TensorProto.FLOAT, [2, 4], [0.0] * 8)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["y"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "h"], ["z"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2])],
        [weights, head],
    )
    onnx.save(helper.make_model(graph), tmp_path / "small.onnx")
    assert operations(tmp_path / "small.onnx") == 2 * 108 * 4 * 4 + 2 * 8


def test_a_work_runs_once_before_it_is_timed() -> None:
    runs: list[int] = []
    assert fastest(lambda: runs.append(1), rounds=3) > 0
    assert len(runs) == 4
