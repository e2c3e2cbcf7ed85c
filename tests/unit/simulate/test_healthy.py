from __future__ import annotations

from datetime import UTC, datetime

from trailwatch.model.event import Event
from trailwatch.simulate.healthy import month

START = datetime(2026, 3, 2, tzinfo=UTC)


def test_the_same_seed_gives_the_same_records():
    assert list(month(7, start=START, days=5)) == list(month(7, start=START, days=5))


def test_another_seed_gives_other_records():
    assert list(month(7, start=START, days=2)) != list(month(8, start=START, days=2))


def test_each_record_is_an_event_with_an_id_of_its_own_and_days_come_in_order():
    events = [Event(record) for record in month(7, start=START, days=7)]

    assert len({event.event_id for event in events}) == len(events)
    assert [event.time.date() for event in events] == sorted(event.time.date() for event in events)
    assert {event.account for event in events} == {"210987654321"}


def test_a_weekend_is_quieter_than_a_week():
    per_day: dict[int, int] = {}
    for record in month(7, start=START, days=7):
        weekday = Event(record).time.weekday()
        per_day[weekday] = per_day.get(weekday, 0) + 1

    assert max(per_day[5], per_day[6]) < min(per_day[day] for day in range(5))
