"""What is left of a run: played through on the cores there are, at the pace seen so far."""

from __future__ import annotations

import time

import pytest

from snow.console.left import START, STEADY, Expected, Pace, about, clock, seconds_left


def chain(*seconds: float | None) -> dict[str, Expected]:
    """Jobs that wait for each other."""
    return {f"job {n}": Expected("job", (f"job {n - 1}",) if n else (), 1, each) for n, each in enumerate(seconds)}


def side_by_side(count: int, seconds: float, threads: int = 1) -> dict[str, Expected]:
    """Jobs that wait for nothing."""
    return {f"job {n}": Expected("job", (), threads, seconds) for n in range(count)}


def test_jobs_that_wait_for_each_other_add_up() -> None:
    assert seconds_left(chain(3, 4, 5), (), {}, Pace(), 8) == (12 + 3 * START, [])
    assert seconds_left(chain(3, 4, 5), ["job 0"], {"job 1": 1.5}, Pace(), 8) == (6.5 + START, [])


@pytest.mark.parametrize(("threads", "cores", "rounds"), [(1, 2, 3), (1, 1, 5), (2, 2, 5), (4, 2, 5), (1, None, 1), (2, 5, 3)])
def test_others_share_the_cores(threads: int, cores: int | None, rounds: int) -> None:
    assert seconds_left(side_by_side(5, 10, threads), (), {}, Pace(), cores) == (rounds * (10 + START), [])


def test_a_small_job_fills_what_a_wide_one_leaves() -> None:
    jobs = {"wide 0": Expected("wide", (), 2, 10), "wide 1": Expected("wide", (), 2, 10), "small 0": Expected("small", (), 1, 10)}
    assert seconds_left(jobs, (), {}, Pace(), 3) == (2 * (10 + START), [])


def test_what_nobody_knows_is_named_until_one_of_its_stage_has_ended() -> None:
    jobs, pace = chain(None, None, None), Pace()
    assert seconds_left(jobs, (), {}, pace, 1) == (0, ["job"])
    pace.saw(jobs["job 0"], 7, 7 + START)
    assert seconds_left(jobs, ["job 0"], {}, pace, 1) == (2 * (7 + START), [])


def five_of_ten(body: float, whole: float) -> float:
    """What is left when five of ten jobs that wait for each other ended, each expected to take 100 s."""
    jobs, pace = chain(*[100.0] * 10), Pace()
    for number in range(5):
        pace.saw(jobs[f"job {number}"], body, whole)
    return seconds_left(jobs, [f"job {number}" for number in range(5)], {}, pace, 1)[0]


def test_a_run_that_is_twice_as_slow_is_expected_to_stay_so() -> None:
    assert five_of_ten(200, 200 + START) == pytest.approx(500 * (1000 + STEADY) / (500 + STEADY) + 5 * START)
    assert 950 < five_of_ten(200, 200 + START) < 1000


def test_what_comes_from_the_cache_or_waits_in_a_queue_is_expected_to_go_on_so() -> None:
    assert five_of_ten(0, 0.3) < 30
    assert five_of_ten(100, 700) == pytest.approx(5 * (100 + (5 * 600 + START) / 6))


def test_six_thousand_jobs_are_played_through_in_a_moment() -> None:
    jobs = {f"{stage} {n}": Expected(stage, (f"a {n}",) if stage == "b" else (), 1, 1.0) for stage in "ab" for n in range(3000)}
    began = time.process_time()
    assert seconds_left(jobs, (), {}, Pace(), 2) == (3000 * (1 + START), [])
    assert time.process_time() - began < 1


def test_times_are_written_as_exactly_as_they_are_known() -> None:
    assert [clock(seconds) for seconds in (7.9, 200, 7400)] == ["0:07", "3:20", "2:03:20"]
    assert [about(seconds) for seconds in (3, 44, 89, 90, 3000, 5400, 19800, 3 * 86400)] == [
        "10 s",
        "40 s",
        "90 s",
        "2 min",
        "50 min",
        "1.5 h",
        "5.5 h",
        "3.0 days",
    ]
