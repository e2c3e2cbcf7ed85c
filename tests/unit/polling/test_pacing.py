"""Calls to one account and region are spaced, across processes too."""

import itertools

from trailwatch.sources.pacing import Pacer
from trailwatch.testing import FixedClock


def test_the_first_call_ever_does_not_wait():
    clock = FixedClock()
    pacer = Pacer(clock, 0.55)

    pacer.take()

    assert clock.monotonic() == FixedClock().monotonic()


def test_calls_are_a_pace_apart_without_bursts_after_a_pause():
    clock = FixedClock()
    pacer = Pacer(clock, 0.55)
    times = []
    for pause in (0.0, 0.0, 10.0, 0.0, 0.0):
        clock.advance(pause)
        pacer.take()
        times.append(clock.monotonic())

    gaps = [round(after - before, 6) for before, after in itertools.pairwise(times)]
    assert gaps == [0.55, 10.0, 0.55, 0.55]


def test_the_last_call_of_an_earlier_process_counts():
    clock = FixedClock()
    began = clock.monotonic()
    pacer = Pacer(clock, 0.55, last_call=clock.now().timestamp() - 0.2)

    pacer.take()

    assert round(clock.monotonic() - began, 6) == 0.35


def test_a_last_call_in_the_future_costs_one_pace_and_no_more():
    clock = FixedClock()
    began = clock.monotonic()
    pacer = Pacer(clock, 0.55, last_call=float("inf"))

    pacer.take()

    assert round(clock.monotonic() - began, 6) == 0.55


def test_every_call_is_counted_and_the_last_one_is_known_for_the_next_process():
    clock = FixedClock()
    pacer = Pacer(clock, 0.55)
    pacer.take()
    pacer.take()

    assert (pacer.calls, pacer.last_call) == (2, clock.now().timestamp())
