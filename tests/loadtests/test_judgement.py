"""The verdicts of the load tests on synthetic replies: bad replies make them fail."""

import math
import signal
from pathlib import Path

import pytest

from loadtests import tables
from loadtests.bench import result as bench_table
from loadtests.bench import with_refusals
from loadtests.chaos import StrikeOutcome
from loadtests.clients import Reply, milliseconds
from loadtests.compare import CEILING, CLIENTS, OURS, added_ms, one_after_the_other, ratio
from loadtests.compare import result as compare_table
from loadtests.contestants import Measured, as_form
from loadtests.golden import GoldenRequest
from loadtests.overload import Calm, Storm
from loadtests.samples import Sample
from loadtests.soak import Reading, faults

CLASSIFY = GoldenRequest("/classify", Sample("one", "image/png", b"1"))
EXPLAIN = GoldenRequest("/explain", Sample("one", "image/png", b"1"))


def reply(begun: float, status: int = 200, seconds: float = 0.01, right: bool | None = None) -> Reply:
    return Reply(CLASSIFY, begun, seconds, status, status == 200 if right is None else right)


def test_replies_are_distinguished() -> None:
    lost, refused, failed, wrong = reply(0, 0), reply(0, 503), reply(0, 500), reply(0, 200, right=False)
    assert [one.lost for one in (lost, refused, failed, wrong)] == [True, False, False, False]
    assert [one.refused for one in (lost, refused, failed, wrong)] == [False, True, False, False]
    assert [one.failed for one in (lost, refused, failed, wrong)] == [False, False, True, False]
    assert [one.wrong for one in (lost, refused, failed, wrong)] == [False, False, False, True]
    assert milliseconds([reply(0, seconds=0.1), reply(0, seconds=0.3)], 50) == [pytest.approx(200)]
    assert math.isnan(milliseconds([], 50)[0])


# --- chaos


def test_what_was_in_flight_may_be_lost_to_a_kill() -> None:
    outcome = StrikeOutcome("deepcovidexplainer", signal.SIGKILL, [1.0], [1.1], [9.0], [reply(0.9, 0, 0.2), reply(2.0)])
    assert outcome.in_flight == 1
    assert outcome.faults() == []


def test_requests_sent_to_a_dying_process_may_be_lost() -> None:
    outcome = StrikeOutcome("deepcovidexplainer", signal.SIGKILL, [1.0], [1.1], [9.0], [reply(1.05, 0)])
    assert outcome.in_flight == 0
    assert outcome.faults() == []


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (signal.SIGKILL, reply(1.2, 0)),
        (signal.SIGKILL, reply(0.9, 500, 0.2)),
        (signal.SIGKILL, reply(0.9, 200, 0.2, right=False)),
        (signal.SIGTERM, reply(0.9, 0, 0.2)),
    ],
)
def test_anything_else_is_a_fault(kind: signal.Signals, bad: Reply) -> None:
    assert StrikeOutcome("deepcovidexplainer", kind, [1.0], [1.1], [9.0], [bad]).faults()


def test_the_explainers_death_must_not_touch_classify() -> None:
    assert StrikeOutcome("explainer", signal.SIGKILL, [1.0], [1.1], [9.0], [reply(0.9, 503, 0.2)]).faults()
    explaining = Reply(EXPLAIN, 0.9, 0.2, 503, False)
    assert StrikeOutcome("explainer", signal.SIGKILL, [1.0], [1.1], [9.0], [explaining]).faults() == []


# --- overload


def storm(replies: list[Reply], afterwards: list[Reply]) -> Storm:
    return Storm(2.0, 1.0, replies, afterwards, Calm(per_second=10.0, usual_ms=20.0))


def test_an_overload_that_meets_all_goals() -> None:
    good = [reply(i / 10) for i in range(10)]
    weathered = storm([*good, *[reply(i / 10, 503) for i in range(10)]], [reply(1.0, seconds=0.5), reply(1.5)])
    assert weathered.goodput == 1.0
    assert weathered.recovery_s == pytest.approx(0.6)
    assert weathered.missed() == []


@pytest.mark.parametrize(
    ("replies", "afterwards", "goal"),
    [
        ([reply(i / 10) for i in range(8)], [reply(1.0)], "goodput"),
        ([reply(i / 10) for i in range(10)] + [reply(0.5, 503, seconds=0.2)], [reply(1.0)], "refusals"),
        ([reply(i / 10) for i in range(10)] + [reply(0.5, 500)], [reply(1.0)], "1 faults"),
        ([reply(i / 10) for i in range(10)], [reply(6.5, 503)], "normal after"),
    ],
)
def test_a_goal_that_is_missed_is_named(replies: list[Reply], afterwards: list[Reply], goal: str) -> None:
    (missed,) = storm(replies, afterwards).missed()
    assert goal in missed


# --- soak


def readings(memory_mb: float = 0.0, descriptors: float = 0.0, threads: float = 0.0) -> list[Reading]:
    """Readings of a process that grows by this much each time."""
    return [Reading(2.0 * i, 500 + memory_mb * i, int(20 + descriptors * i), int(5 + threads * i)) for i in range(100)]


def test_a_flat_process_is_fine() -> None:
    assert faults([reply(0)], {"api": readings()}) == []


@pytest.mark.parametrize(
    ("grown", "what"),
    [
        (readings(memory_mb=1.0), "MB"),
        (readings(descriptors=0.2), "descriptors"),
        (readings(threads=0.1), "threads"),
    ],
)
def test_growth_is_a_fault(grown: list[Reading], what: str) -> None:
    (found,) = faults([reply(0)], {"api": grown})
    assert what in found


def test_growth_during_the_warm_up_does_not_count() -> None:
    warming = [Reading(2.0 * i, 900 if i > 10 else 100, 20, 5) for i in range(100)]
    assert faults([reply(0)], {"api": warming}) == []


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (reply(0, 429), "1 refused for lack of room or time (429)"),
        (reply(0, 504), "1 refused for lack of room or time (504)"),
        (reply(0, 0), "1 lost ()"),
        (reply(0, right=False), "1 wrong (200 for 200)"),
        (reply(0, 422), "1 wrong (422 for 200)"),
        (reply(0, 500), "1 wrong (500 for 200)"),
    ],
)
def test_an_answer_that_is_not_golden_is_a_fault_with_a_name(bad: Reply, what: str) -> None:
    assert faults([reply(0), bad], {"api": readings()}) == [what]


# --- compare


def test_ratios_are_paired() -> None:
    """Rounds differ in speed, and ours is a tenth slower in each. The rounds' speeds must not widen the interval."""
    theirs = [Measured(rate, 10.0) for rate in (10.0, 20.0, 40.0)]
    ours = [Measured(0.9 * one.per_second, 12.0) for one in theirs]
    pairs = list(zip(ours, theirs, strict=True))
    assert ratio(pairs) == pytest.approx((0.9, 0.9, 0.9))
    assert added_ms(pairs) == pytest.approx((2.0, 2.0, 2.0))
    middle, low, high = ratio([(one, Measured(10.0, 1.0)) for one in ours])
    assert low < middle < high


def test_work_after_other_work_adds_its_time() -> None:
    both = one_after_the_other(Measured(30.0, 40.0), Measured(60.0, 10.0))
    assert both.per_second == pytest.approx(20.0)
    assert both.median_ms == 50.0
    assert one_after_the_other(Measured(0.0, math.nan), Measured(60.0, 10.0)).per_second == 0


def test_the_table_compares_with_everybody_but_ourselves() -> None:
    rounds = [Measured(10.0, 5.0), Measured(11.0, 5.0)]
    measured = {(name, clients): rounds for name in (CEILING, OURS) for clients in (CLIENTS, 1)}
    lines = compare_table(measured).splitlines()
    assert "1.000 [1.000, 1.000]" in lines[2]
    assert "1.000" not in lines[3]


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ((10.0, 0.0, 10.0), "1.000 [1.000, 1.000], nothing answered in 1 of 3 rounds"),
        ((0.0, 0.0, 10.0), "1.000 [nan, nan], nothing answered in 2 of 3 rounds"),
        ((0.0, 0.0, 0.0), "| nothing answered in 3 of 3 rounds |"),
    ],
)
def test_a_contestant_that_answers_nothing_is_reported(rates: tuple[float, ...], said: str) -> None:
    ours = [Measured(10.0, 5.0)] * 3
    theirs = [Measured(rate, 5.0 if rate else math.nan) for rate in rates]
    measured = {(OURS, CLIENTS): ours, (OURS, 1): ours, (CEILING, CLIENTS): theirs, (CEILING, 1): theirs}
    assert said in compare_table(measured).splitlines()[-1]


def test_a_form_holds_the_file() -> None:
    form = as_form(CLASSIFY).sample
    assert form.media_type.startswith("multipart/form-data; boundary=")
    assert b"\r\n\r\n1\r\n--" in form.data


# --- tables


def test_a_table_is_put_between_its_markers(tmp_path: Path) -> None:
    document = tmp_path / "doc.md"
    document.write_text("before\n<!-- one -->\nold\n<!-- /one -->\nafter\n")
    tables.replace(document, "one", tables.table(("a", "b"), [(1, 2)]))
    tables.replace(document, "one", tables.table(("a", "b"), [(3, 4)]))
    assert document.read_text() == "before\n<!-- one -->\n| a | b |\n| --- | --- |\n| 3 | 4 |\n<!-- /one -->\nafter\n"
    with pytest.raises(ValueError, match="no place for two"):
        tables.replace(document, "two", "")


def test_locusts_rows_become_a_table() -> None:
    row = {"Name": "/classify image/png", "Request Count": "9", "Requests/s": "1.234", "Failure Count": "3"}
    percentiles = {"50%": "1", "95%": "2", "99%": "3", "99.9%": "4"}
    line = bench_table({"8 clients": [row | percentiles | {"Refused": "2"}]}).splitlines()[-1]
    assert line == "| 8 clients | /classify | image/png | 9 | 1.23 | 2 | 1 | 1 | 2 | 3 | 4 |"


def test_of_locusts_failures_only_answers_for_lack_of_capacity_are_refusals() -> None:
    names = ("/classify image/png", "/explain image/png", "Aggregated")
    errors = ("CatchResponseError('at capacity')", "ConnectionRefusedError(111, 'Connection refused')")
    failures = [{"Name": name, "Error": error, "Occurrences": "2"} for name in names[:2] for error in errors]
    rows = with_refusals([{"Name": name} for name in (*names, "/classify image/jpeg")], failures)
    assert [row["Refused"] for row in rows] == ["2", "2", "4", "0"]


def test_every_table_of_the_documents_has_its_place() -> None:
    for document, names in {
        tables.PERFORMANCE: (
            *("compare image/jpeg", "compare application/dicom", "precisions", "floors"),
            *("startup", "archives", "locust"),
        ),
        tables.RELIABILITY: ("overload", "chaos", "replicas", "soak", "leak"),
    }.items():
        text = document.read_text()
        assert all(f"<!-- {name} -->" in text and f"<!-- /{name} -->" in text for name in names)
