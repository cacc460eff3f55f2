"""How many images are open, and until when."""

from types import SimpleNamespace

import pytest

from interactivenet.errors import DataError
from interactivenet.viewer.refusals import StoreFull, UnknownSession
from interactivenet.viewer.sessions import session_store
from interactivenet.viewer.sessions.session_store import SessionStore
from interactivenet.viewer.settings import ViewerSettings

SETTINGS = ViewerSettings(sessions=2, idle_minutes=10, alive_minutes=1)


@pytest.fixture
def store(monkeypatch, clock):
    numbers = iter(range(1000))

    def opened(entry, model, labels):
        if entry == "broken":
            raise DataError("broken")
        return SimpleNamespace(id=f"{entry}-{next(numbers)}")

    monkeypatch.setattr(session_store, "OpenScan", opened)
    return SessionStore(SimpleNamespace(load=lambda name: name), SETTINGS, clock=clock)


def test_what_is_open_is_found_until_it_is_closed(store):
    one = store.open("scan", "model")
    assert store.get(one.id) is one
    store.close(one.id)
    store.close(one.id)  # twice is no fault
    with pytest.raises(UnknownSession, match="no longer open: open it again"):
        store.get(one.id)


def test_another_than_those_that_may_be_is_refused_for_as_long_as_they_live(store, clock):
    one = store.open("scan", "model")
    clock.now += 30
    store.open("scan", "model")
    with pytest.raises(StoreFull, match="2 images are open, as many as may be") as refused:
        store.open("scan", "model")
    assert refused.value.retry_after == 30  # the first page may have gone
    store.close(one.id)
    store.open("scan", "model")


def test_an_image_whose_page_is_gone_is_closed_soon(store, clock):
    one, two = store.open("scan", "model"), store.open("scan", "model")
    for _ in range(3):
        clock.now += 30
        store.alive(one.id)
    with pytest.raises(UnknownSession):
        store.get(two.id)
    assert store.get(one.id) is one


def test_a_page_that_nobody_works_at_is_closed_in_the_end(store, clock):
    one = store.open("scan", "model")
    for _ in range(19):
        clock.now += 30
        store.alive(one.id)
    store.get(one.id)  # work: the clock begins anew
    for _ in range(19):
        clock.now += 30
        store.alive(one.id)
    clock.now += 30
    with pytest.raises(UnknownSession):
        store.alive(one.id)


def test_a_client_without_signs_of_life_has_the_idle_clock_alone(store, clock):
    one = store.open("scan", "model", watched=False)
    clock.now += 599
    assert store.get(one.id) is one
    clock.now += 600
    store.close_expired()
    assert len(store) == 0


def test_an_image_that_cannot_be_read_takes_no_place(store):
    for _ in range(5):
        with pytest.raises(DataError):
            store.open("broken", "model")
    store.open("scan", "model")
    store.open("scan", "model")
    assert len(store) == 2
