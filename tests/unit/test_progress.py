from __future__ import annotations

import logging

import pytest

from tpcav_core.progress import Progress, duration


@pytest.fixture
def clock():
    times = {"hundredths": 0}

    def read():
        return times["hundredths"] / 100

    read.times = times
    return read


def test_messages_come_at_a_rate_and_once_at_the_end(clock, caplog):
    progress = Progress("examples", 4000, every=10, clock=clock)
    with caplog.at_level(logging.INFO, "tpcav_core"):
        for _ in range(4000):
            clock.times["hundredths"] += 1
            progress.add()
    # 40 s: at 10, 20 and 30 s, and at the end
    assert [record.message for record in caplog.records] == [
        "1,000 of 4,000 examples (25 %), 30 s left",
        "2,000 of 4,000 examples (50 %), 20 s left",
        "3,000 of 4,000 examples (75 %), 10 s left",
        "4,000 of 4,000 examples in 40 s",
    ]


def test_a_short_step_says_its_end_only(clock, caplog):
    progress = Progress("regions", 20, clock=clock)
    with caplog.at_level(logging.INFO, "tpcav_core"):
        progress.add(12)
        progress.add(8)
    assert [record.message for record in caplog.records] == ["20 of 20 regions in 0 s"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (3540, "59 min")),
        *((3600 + 300, "1 h 5 min"), (90_000, "25 h 0 min")),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
