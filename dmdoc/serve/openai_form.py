"""What OpenAI's clients send and expect, of chat completions, models and errors; no more than that is known here.

The question is the last message of the user. The messages before it are not read: the adapter answers single
questions, as it was trained to. What would change the answer and is not done here is refused; the rest is ignored.
"""

import time
import uuid
from collections.abc import Mapping
from typing import Any, get_args

from dmdoc.errors import DmdocError, DocumentNotFoundError, UsageError
from dmdoc.library.saved_document import SavedDocument
from dmdoc.model.prompt import RecallMode, usual_mode
from dmdoc.serve.engine import Answered, Busy, Question
from dmdoc.serve.guard import Refused
from dmdoc.settings.generation import GenerationSettings

PREFIX = "dmdoc/"
"""Before a document's name in the id of a model."""

TAG = f"{PREFIX}tag:"
"""Before a tag in the id of a model: its documents."""

ALL = "dmdoc"
"""The model that is all documents: the one that a question is about is found."""

_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "stop": ([], ""),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
"""Parameters that would change the answer, with the values that do not."""


def read_question(body: Any) -> Question:
    """The question of a request for a chat completion.

    Raises:
        UsageError: it is not one, or asks for what is not done here.
        DocumentNotFoundError: the model's id is none of ours.
    """
    if not isinstance(body, dict):
        raise UsageError("the request must be a JSON object")
    for name, neutral in _NEUTRAL.items():
        if body.get(name) is not None and body[name] not in neutral:
            raise UsageError(f"{name} is not supported; leave it out")
    extra = body.get("dmdoc") or {}
    if not isinstance(extra, dict):
        raise UsageError("dmdoc must be an object")
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    settings = read_settings({**body, "max_tokens": most})
    return Question(
        text=_last_of_user(body.get("messages")),
        **_documents(body.get("model")),
        settings=settings,
        **read_mode(extra, settings),
    )


def read_settings(body: Mapping[str, Any]) -> GenerationSettings:
    """How an answer is drawn; greedily unless a temperature is given.

    Raises:
        UsageError: a value that cannot be used.
    """
    kinds: dict[str, type] = {"max_tokens": int, "temperature": float, "top_p": float, "seed": int}
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
            raise UsageError(f"{name} must be a number, got {value!r}")
        values[name] = kind(value)
    return GenerationSettings(**values)


def read_mode(body: Mapping[str, Any], settings: GenerationSettings) -> dict[str, Any]:
    """`recall`, `evidence` (passages in the prompt) and `citations`, as options of a `Question`.

    Args:
        settings: an answer that is drawn is in the model's own words, unless `recall` says otherwise.

    Raises:
        UsageError: a value that cannot be used.
    """
    found: dict[str, Any] = {"mode": usual_mode(freely=settings.temperature > 0)}
    modes = get_args(RecallMode)
    if (mode := body.get("recall")) is not None:
        if mode not in modes:
            raise UsageError(f"recall must be one of {', '.join(modes)}, got {mode!r}")
        found["mode"] = mode
    if (passages := body.get("evidence")) is not None:
        if type(passages) is not int or not 1 <= passages <= 12:
            raise UsageError(f"evidence must be a number of passages from 1 to 12, got {passages!r}")
        found |= {"mode": "evidence", "passages": passages}
    if (citations := body.get("citations")) is not None:
        if not isinstance(citations, bool):
            raise UsageError(f"citations must be true or false, got {citations!r}")
        found["citations"] = citations
    return found


def completion(answered: Answered, record: dict[str, Any], model: str) -> dict[str, Any]:
    """A whole answer; `record` is what `dmdoc ask --json` says of it."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": answered.recalled.answer.text, "refusal": None},
        "finish_reason": finish_reason(answered),
        "logprobs": None,
    }
    return {
        **_envelope("chat.completion", model),
        "choices": [choice],
        "usage": usage(answered),
        "dmdoc": record,
    }


class Chunks:
    """The pieces of one answer, which have one id."""

    def __init__(self, model: str) -> None:
        self._envelope = _envelope("chat.completion.chunk", model)

    def delta(self, reason: str | None = None, **delta: str) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return {**self._envelope, "choices": [choice]}

    def last(self, answered: Answered, record: dict[str, Any]) -> dict[str, Any]:
        return {**self.delta(finish_reason(answered)), "dmdoc": record}

    def usage(self, answered: Answered) -> dict[str, Any]:
        return {**self._envelope, "choices": [], "usage": usage(answered)}


def usage(answered: Answered) -> dict[str, int]:
    answer = answered.recalled.answer
    tokens = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.answer_tokens}
    return {**tokens, "total_tokens": sum(tokens.values())}


def finish_reason(answered: Answered) -> str:
    recalled, most = answered.recalled, answered.question.settings.max_tokens
    chosen = recalled.choice is not None and bool(recalled.choice.places)  # from the text, however long it is
    return "length" if not chosen and recalled.answer.answer_tokens >= most else "stop"


def models(documents: list[SavedDocument]) -> dict[str, Any]:
    """A model for all documents, one for each, and one for each tag."""
    tags = sorted({tag for saved in documents for tag in saved.tags})
    ids = [ALL, *(f"{PREFIX}{saved.name}" for saved in documents), *(f"{TAG}{tag}" for tag in tags)]
    listed = [{"id": each, "object": "model", "created": 0, "owned_by": "dmdoc"} for each in ids]
    return {"object": "list", "data": listed}


def failure(error: Exception) -> tuple[int, dict[str, Any]]:
    """The status and the body that tell of an error; of one that is our own fault no more than that."""
    status, kind, code = 500, "server_error", None
    message = str(error) if isinstance(error, DmdocError) else "the server failed at this request"
    if isinstance(error, Refused):
        status, code = error.status, error.code
        kind = "authentication_error" if status == 401 else "invalid_request_error"
    elif isinstance(error, Busy):
        status, kind, code = 429, "rate_limit_error", "rate_limit_exceeded"
    elif isinstance(error, DocumentNotFoundError):
        status, kind, code = 404, "invalid_request_error", "model_not_found"
    elif isinstance(error, UsageError):
        status, kind = 400, "invalid_request_error"
    return status, {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _envelope(kind: str, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def _documents(model: Any) -> dict[str, Any]:
    """The model's part of a `Question`."""
    if model == ALL:
        return {}
    if isinstance(model, str) and model.startswith(PREFIX):
        tagged = model.startswith(TAG)  # no document's name has a colon
        return {"tag": model.removeprefix(TAG)} if tagged else {"document": model.removeprefix(PREFIX)}
    raise DocumentNotFoundError(
        f"no model {model!r}: expected {ALL}, {PREFIX} and a document's name, or {TAG} and a tag"
    )


def _last_of_user(messages: Any) -> str:
    if not isinstance(messages, list):
        raise UsageError("messages must be a list")
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            text = _text(message.get("content")).strip()
            if text:
                return text
            break
    raise UsageError("there is no question: the last message of the user must have text")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [None]
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise UsageError("a message's content must be text")
    return "\n".join(map(str, texts))
