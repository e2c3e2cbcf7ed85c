from trailwatch.service.canary import LOST, judge, overdue
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.canaries import Canary

NOW = 1_772_359_200
WITHIN = 1800


def sent(store, marker, ago, *, back=None, region="eu-west-1"):
    store.canaries.add([Canary(marker, "1", region, "k", NOW - ago)])
    if back is not None:
        store.canaries.returned(marker, NOW - ago + back)


def lost(store):
    return [one.marker for one in overdue(store, WITHIN, NOW)]


def test_one_that_has_time_left_is_not_lost(store):
    sent(store, "a", WITHIN)
    assert lost(store) == []


def test_the_newest_that_did_not_come_back_in_time_is(store):
    sent(store, "a", 7200)
    sent(store, "b", 3600)
    sent(store, "c", 60)
    assert lost(store) == ["b"]


def test_one_that_was_called_later_and_came_back_makes_up_for_it(store):
    sent(store, "a", 7200)
    sent(store, "b", 3600, back=300)
    assert lost(store) == []


def test_one_that_was_called_earlier_and_came_back_later_does_not(store):
    sent(store, "a", 7200, back=3700)
    sent(store, "b", 3600)
    assert lost(store) == ["b"]


def test_regions_are_judged_one_by_one(store):
    sent(store, "a", 3600, back=60)
    sent(store, "b", 3600, region="us-east-1")
    assert lost(store) == ["b"]


def test_one_that_could_not_be_sent_is_not_awaited(store):
    sent(store, "a", 3600)
    store.canaries.failed("a", "no network")
    assert lost(store) == []


def test_its_alert_is_opened_once_a_day_and_stays_closed_where_somebody_closed_it(store):
    sent(store, "a", 3600)
    judge(store, WITHIN, NOW)
    judge(store, WITHIN, NOW + 60)
    [alert] = store.alerts.search(AlertFilter(rule=LOST.id))
    assert "never came back before" in alert.context["usually takes"]
    from trailwatch.model.alert import AlertState

    store.alerts.handle(alert.id, AlertState.CLOSED, None, "AWS was late", NOW + 90)
    judge(store, WITHIN, NOW + 120)
    assert [one.state for one in store.alerts.search(AlertFilter(rule=LOST.id))] == [AlertState.CLOSED]
    judge(store, WITHIN, NOW + 86400)
    assert len(store.alerts.search(AlertFilter(rule=LOST.id))) == 2


def test_a_region_that_cannot_be_read_is_told_in_one_way_alone(store):
    sent(store, "a", 3600)
    judge(store, WITHIN, NOW, [("1", "eu-west-1")])
    assert store.alerts.untold() == []
    assert len(store.alerts.unclosed(LOST.id)) == 1
