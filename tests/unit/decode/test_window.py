import msgspec

from trailwatch.decode.window import within
from trailwatch.ports import Delivery


def delivery(*times):
    records = [msgspec.Raw(f'{{"eventName":"X","eventTime":"{time}"}}'.encode()) for time in times]
    return Delivery("x", records, range(len(records)), left_out=(("insight", 1),))


def test_events_outside_the_times_are_left_out_and_counted():
    found = within(delivery("1970-01-01T00:00:09Z", "1970-01-01T00:00:10Z", "1970-01-01T00:00:20Z"), 10, 20)

    assert list(found.positions) == [1]
    assert found.left_out == (("insight", 1), ("before --since", 1), ("after --until", 1))


def test_a_record_without_a_readable_time_stays_to_be_rejected():
    assert list(within(delivery("soon"), 10, None).positions) == [0]
