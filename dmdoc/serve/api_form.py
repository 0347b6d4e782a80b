"""What our own API expects of questions; its answers are what `dmdoc ask --json` prints."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

from dmdoc.errors import UsageError
from dmdoc.model.prompt import RecallMode
from dmdoc.serve.engine import Question
from dmdoc.serve.openai_form import read_mode, read_settings

COMPARED: tuple[RecallMode, ...] = ("spans", "state", "frozen")
"""The ways of answering that are compared, unless told."""

_KNOWN = {"question", "document", "tag", "recall", "evidence", "citations"}
_KNOWN |= {"max_tokens", "temperature", "top_p", "seed"}


def read_question(body: Any) -> Question:
    """
    Raises:
        UsageError: it is no question, or asks for what cannot be done.
    """
    if not isinstance(body, dict) or body.keys() - _KNOWN:
        raise UsageError(f"a question is an object with some of {', '.join(sorted(_KNOWN))}")
    text, document, tag = (body.get(name) for name in ("question", "document", "tag"))
    if not isinstance(text, str) or not text.strip():
        raise UsageError("there is no question; give it as question")
    if not isinstance(document, str | None) or not isinstance(tag, str | None):
        raise UsageError("document and tag must be the name of one")
    if document is not None and tag is not None:
        raise UsageError("give document or tag, not both")
    settings = read_settings(body)
    return Question(text.strip(), document, tag, settings, **read_mode(body, settings))


def read_comparison(body: Any) -> Sequence[Question]:
    """One question, to be answered in each of `modes`.

    Raises:
        UsageError: as `read_question`, or a mode is none.
    """
    if not isinstance(body, dict) or "recall" in body or "evidence" in body:
        raise UsageError("a comparison is an object with a question and modes, without recall and evidence")
    modes = body.get("modes", list(COMPARED))
    if not isinstance(modes, list) or not modes or any(mode not in get_args(RecallMode) for mode in modes):
        raise UsageError(f"modes must be a list of some of {', '.join(get_args(RecallMode))}")
    question = read_question({name: value for name, value in body.items() if name != "modes"})
    return [replace(question, mode=mode) for mode in dict.fromkeys(modes)]
