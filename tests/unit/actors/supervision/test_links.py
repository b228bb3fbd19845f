"""Which actors die together."""

from __future__ import annotations

from actors.supervision.links import Links, Tie


def test_death_of_either_end_gives_the_other() -> None:
    for dead, left in ((1, Tie(2, since=1)), (2, Tie(1, 7))):
        links = Links()
        links.add(Tie(1, 7), 2, 1)

        assert links.take(dead) == [left]
        assert links.take(left.number) == []


def test_each_end_keeps_what_it_wants_to_be_told() -> None:
    links = Links()
    links.add(Tie(1, 7, "told"), 2, 1)
    links.add(Tie(2, 9), 1, 1)

    assert links.take(2) == [Tie(1, 7, "told")]


def test_link_undone_by_one_is_undone_for_both() -> None:
    links = Links()
    links.add(Tie(1, 7), 2, 1)
    links.add(Tie(1, 8), 3, 1)

    links.remove(1, 7)

    assert links.take(2) == []
    assert links.take(1) == [Tie(3, since=1)]


def test_undoing_what_is_no_link_changes_nothing() -> None:
    links = Links()
    links.add(Tie(1, 7), 2, 1)

    links.remove(2, 7)
    links.remove(3, 7)

    assert links.take(1) == [Tie(2, since=1)]


def test_link_with_the_next_incarnation_outlives_this_one() -> None:
    links = Links()
    links.add(Tie(1, 7), 2, 4)

    assert links.take(2, 3) == []
    assert links.take(2, 4) == [Tie(1, 7)]


def test_end_for_good_undoes_every_link() -> None:
    links = Links()
    links.add(Tie(1, 7), 2, 4)

    assert links.take(2) == [Tie(1, 7)]
    assert links.take(1) == []
