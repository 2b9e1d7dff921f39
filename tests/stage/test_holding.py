"""Laws of what is held in memory: the budget, the urgent first, and no memory of what was looked at before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nn3d.stage.holding import Holding, Wanted

SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=8)


def loaded(holding: Holding[int], sizes: list[int], order: tuple[int, ...], budget: int) -> set[int]:
    """Read what is missing and not refused, most urgent first, until nothing is; returns what is held of it."""
    wanted = Wanted(order, budget)
    for _ in range(200):
        refused = holding.refused(wanted)
        missing = [n for n in order if holding.get(n) is None and n not in refused]
        if not missing:
            return {n for n in order if holding.get(n) is not None}
        holding.put(missing[0], missing[0], sizes[missing[0]], wanted)
        assert holding.nbytes <= max(budget, 0)
    raise AssertionError("the same things are read again and again")


@given(SIZES, st.randoms(use_true_random=False), st.integers(1, 150))
def test_what_is_held_follows_from_urgency_and_sizes_alone(sizes: list[int], random: object, budget: int) -> None:
    order = list(range(len(sizes)))
    random.shuffle(order)  # type: ignore[attr-defined]
    fresh = loaded(Holding(), sizes, tuple(order), budget)
    used: Holding[int] = Holding()
    for _ in range(3):
        other = order[: max(1, len(order) // 2)]
        random.shuffle(other)  # type: ignore[attr-defined]
        loaded(used, sizes, tuple(other), budget)
    assert loaded(used, sizes, tuple(order), budget) == fresh
    room = budget
    for n in order:
        assert (n in fresh) == (sizes[n] <= room)
        room -= sizes[n] if n in fresh else 0


def test_what_fits_is_never_refused_and_the_picture_before_goes_first() -> None:
    holding: Holding[str] = Holding()
    first, second = Wanted(("a", "b"), 100), Wanted(("c", "b"), 100)
    for need in first.needs:
        holding.put(need, str(need), 50, first)
    assert not holding.refused(first)
    holding.put("c", "c", 40, second)
    assert (holding.get("a"), holding.get("b"), holding.get("c")) == (None, "b", "c")
    assert not holding.refused(second)


def test_a_refusal_holds_for_the_picture_that_it_was_made_for() -> None:
    holding: Holding[str] = Holding()
    narrow, wide = Wanted(("a", "b"), 60), Wanted(("a", "b"), 120)
    holding.put("a", "a", 50, narrow)
    holding.put("b", "b", 50, narrow)
    assert holding.refused(narrow) == {"b"}
    assert holding.refused(wide) == frozenset()


def test_without_a_picture_the_oldest_goes_and_the_newest_stays() -> None:
    holding: Holding[str] = Holding(100)
    for need in ("a", "b", "c"):
        holding.put(need, need, 60)
    assert (holding.get("a"), holding.get("b"), holding.get("c")) == (None, None, "c")
    holding.put("d", "d", 300)
    assert holding.get("d") == "d"
