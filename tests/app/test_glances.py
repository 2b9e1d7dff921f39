"""How often an unfinished picture is looked at anew."""

from __future__ import annotations

from nn3d.app.glances import Glances


def test_a_picture_that_took_long_is_not_put_together_anew_before_twice_that_time_has_passed() -> None:
    glances = Glances()
    assert glances.is_due(0.0)
    glances.drew(1.0, 1.5)
    assert not glances.is_due(2.4)
    assert glances.is_due(2.5)


def test_a_quick_picture_waits_a_twentieth_of_a_second() -> None:
    glances = Glances()
    glances.drew(1.0, 1.001)
    assert not glances.is_due(1.04)
    assert glances.is_due(1.06)
