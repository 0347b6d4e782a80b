from collections.abc import Iterator
from threading import Event, active_count

import pytest

from dmdoc.ingest.ahead import ahead

PATIENCE = 10.0


def test_the_order_stays() -> None:
    assert list(ahead(iter(range(50)), 3)) == list(range(50))
    assert list(ahead(iter(()), 3)) == []


def test_the_next_is_made_while_one_is_worked_on() -> None:
    second = Event()

    def items() -> Iterator[int]:
        yield 1
        second.set()
        yield 2

    made = ahead(items(), 1)
    assert next(made) == 1
    assert second.wait(PATIENCE)
    assert list(made) == [2]


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyboardInterrupt()], ids=lambda error: type(error).__name__
)
def test_an_error_stands_where_it_would_stand(error: BaseException) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise error

    made = ahead(items(), 4)
    assert next(made) == 1
    with pytest.raises(type(error)):
        next(made)


def test_who_stops_stops_the_thread() -> None:
    before, ended = active_count(), Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            ended.set()

    taken: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        for item in (made := ahead(items(), 2)):
            taken.append(item)
            if item == 3:
                made.close()  # type: ignore[attr-defined]
                raise KeyboardInterrupt
    assert taken == [0, 1, 2, 3]
    assert ended.wait(PATIENCE)
    assert active_count() <= before + 1
