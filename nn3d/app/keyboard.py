"""Who has the keyboard: the search dialog while it is open, a text that is being written, else the gestures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from nn3d.app import clipboard
from nn3d.stage.commands import Hover, SetSearch, SetWriting, apply
from nn3d.stage.controls import Act, Context, answer, writing
from nn3d.stage.controls.offers import Catalogue
from nn3d.stage.controls.requests import CopyText, Request
from nn3d.stage.controls.searching import field_in, key_pressed, lit, text_typed
from nn3d.stage.state import Search

# What opens a dialog over a run, and nothing where there is none yet.
WITH_RUN: Final = ("Ctrl F", "Ctrl P", "?")
POINTER: Final = ("drag", "wheel", "move", "click", "double click", "shift click")


def acts(trigger: str, text: str, context: Context, catalogue: Catalogue) -> Sequence[Act]:
    """What a gesture does. text : what was typed with it."""
    if not context.state.search.kind:
        return answer(trigger, context) if context.state.writing is None else _written(trigger, text, context)
    if trigger.startswith(POINTER):
        return ()
    done = _edited(trigger, text, context, catalogue)
    after = context.state
    for act in done:
        after = after if isinstance(act, Request) else apply(after, act)
    if after.search.text == context.state.search.text:
        return done
    return (*done, *lit(after, catalogue.of(after)[0], after.search.row))


def _written(trigger: str, text: str, context: Context) -> Sequence[Act]:
    """While a text of one's own is written, keys edit it; the pointer does as ever, and a click elsewhere ends it."""
    if trigger.startswith(POINTER):
        done = answer(trigger, context)
        return (*done, SetWriting(None)) if trigger in ("click", "double click") else done
    if text or trigger == "Ctrl V":
        return writing.text_typed(context, text or clipboard.read())
    return writing.key_pressed(context, trigger)


def _edited(trigger: str, text: str, context: Context, catalogue: Catalogue) -> Sequence[Act]:
    if text:
        return text_typed(context, text)
    if trigger == "Ctrl V":
        pasted = clipboard.read()
        return text_typed(context, pasted) if pasted else ()
    low, high = field_in(context.state.search).selected
    if trigger in ("Ctrl C", "Ctrl X") and low != high:
        copied = CopyText(context.state.search.text[low:high])
        return (copied, *text_typed(context, "")) if trigger == "Ctrl X" else (copied,)
    found = key_pressed(context, trigger, *catalogue.of(context.state))
    if not isinstance(found, str):
        return found
    closed = replace(context, state=replace(context.state, search=Search(), hover=None))
    return (SetSearch(Search()), Hover(None), *answer(found, closed))
