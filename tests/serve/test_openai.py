"""OpenAI's own client, against a server in this process; answers are those of `recall`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from serving import Serve

from dmdoc.answer.ask import load_state
from dmdoc.answer.recall import recall
from dmdoc.library.library import Library
from dmdoc.model.prompt import RecallMode
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

if TYPE_CHECKING:
    import openai  # takes seconds; so it is imported by the tests that use it

pytestmark = pytest.mark.slow

QUESTION = "What does lot seven hold?"
SAID: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who are you?"},
    {"role": "assistant", "content": "A document."},
    {"role": "user", "content": QUESTION},
]
FREELY = {"dmdoc": {"recall": "state"}}


@pytest.fixture
def client(serve: Serve) -> "Iterator[openai.OpenAI]":
    import openai

    with openai.OpenAI(base_url=f"{serve().base_url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def expected(library: Library, reader: Reader, name: str, most: int, mode: RecallMode = "state") -> Any:
    saved = library.get(name)
    settings = GenerationSettings(max_tokens=most)
    return recall(
        QUESTION,
        reader,
        load_state(saved, reader),
        saved.pages,
        settings=settings,
        mode=mode,
        budget=saved.header().write_budget,
    )


def test_every_document_and_tag_is_a_model(client: "openai.OpenAI", served: Library) -> None:
    import openai

    served.tag("lots", add=["salt"])
    ids = ["dmdoc", "dmdoc/barges", "dmdoc/lots", "dmdoc/tag:salt"]
    assert [model.id for model in client.models.list()] == ids
    for model, name in {"dmdoc": "lots", "dmdoc/tag:salt": "lots"}.items():
        answer: Any = client.chat.completions.create(model=model, messages=SAID, max_tokens=1)
        assert answer.model_extra["dmdoc"]["document"] == name
    with pytest.raises(openai.NotFoundError, match="no document"):
        client.chat.completions.create(model="dmdoc/tag:nothing", messages=SAID)


def test_an_answer_is_that_of_the_library(
    client: "openai.OpenAI", served: Library, served_reader: Reader
) -> None:
    answer = client.chat.completions.create(
        model="dmdoc/lots", messages=SAID, max_tokens=9, extra_body=FREELY
    )
    wanted = expected(served, served_reader, "lots", 9).answer
    (choice,) = answer.choices
    assert choice.message.content == wanted.text != ""
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == wanted.prompt_tokens
    assert answer.usage.completion_tokens == wanted.answer_tokens == 9
    assert choice.finish_reason == "length"
    extra: Any = answer.model_extra
    assert extra["dmdoc"]["document"] == "lots" and extra["dmdoc"]["citations"][0]["page"] == 1


def test_without_being_told_it_answers_as_ask_does(
    client: "openai.OpenAI", served: Library, served_reader: Reader
) -> None:
    answer: Any = client.chat.completions.create(model="dmdoc/lots", messages=SAID, max_tokens=1)
    wanted, extra = expected(served, served_reader, "lots", 1, "spans"), answer.model_extra["dmdoc"]
    assert answer.choices[0].message.content == wanted.answer.text
    assert answer.choices[0].finish_reason == "stop"  # a phrase of the text, which has its own length
    assert extra["recall"] == "spans" and extra["places"] == [each._asdict() for each in wanted.choice.places]
    assert extra["verdict"] == "sure" and extra["probability"] > 0.9
    drawn: Any = client.chat.completions.create(
        model="dmdoc/lots", messages=SAID, max_tokens=1, temperature=1
    )
    assert drawn.model_extra["dmdoc"]["recall"] == "state"


def test_a_stream_is_the_answer_in_pieces(
    client: "openai.OpenAI", served: Library, served_reader: Reader
) -> None:
    options: Any = {"stream_options": {"include_usage": True}}
    chunks = list(
        client.chat.completions.create(
            model="dmdoc/lots",
            messages=SAID,
            max_completion_tokens=9,
            stream=True,
            extra_body=FREELY,
            **options,
        )
    )
    pieces = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(pieces) == expected(served, served_reader, "lots", 9).answer.text
    assert len([piece for piece in pieces if piece]) > 1
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == 9
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "length"
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_ends_as_clients_expect(serve: Serve) -> None:
    body = {"model": "dmdoc", "messages": SAID, "max_tokens": 2, "stream": True}
    lines = serve().post("/v1/chat/completions", json=body).text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]


def test_draws_are_seeded(client: "openai.OpenAI") -> None:
    answers = [
        client.chat.completions.create(
            model="dmdoc/lots", messages=SAID, max_tokens=8, temperature=1.5, seed=seed
        )
        for seed in (1, 1, 2)
    ]
    said = [answer.choices[0].message.content for answer in answers]
    assert said[0] == said[1] != said[2]
    cold = client.chat.completions.create(model="dmdoc/lots", messages=SAID, max_tokens=8, temperature=1e-300)
    greedy = client.chat.completions.create(
        model="dmdoc/lots", messages=SAID, max_tokens=8, extra_body=FREELY
    )
    assert cold.choices[0].message.content == greedy.choices[0].message.content


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        ({"model": "dmdoc/nobody"}, 404, "nobody"),
        ({"model": "gpt-4"}, 404, "gpt-4"),
        ({"messages": []}, 400, "no question"),
        ({"messages": [{"role": "user", "content": " "}]}, 400, "no question"),
        ({"n": 2}, 400, "n is not supported"),
        ({"stop": ["."]}, 400, "stop is not supported"),
        ({"tools": [{"type": "function"}]}, 400, "tools is not supported"),
        ({"temperature": -1}, 400, "temperature"),
        ({"max_tokens": 100_000}, 400, "exceed"),
        ({"extra_body": {"dmdoc": {"recall": "dreams"}}}, 400, "recall must be one of"),
    ],
)
def test_errors_are_in_openais_form(
    client: "openai.OpenAI", options: dict[str, Any], status: int, says: str
) -> None:
    import openai

    with pytest.raises(openai.APIStatusError, match=says) as raised:
        client.chat.completions.create(**{"model": "dmdoc/lots", "messages": SAID, **options})
    body: Any = raised.value.body
    assert raised.value.status_code == status
    assert body["type"] == "invalid_request_error"


def test_what_does_not_change_the_answer_is_taken(client: "openai.OpenAI") -> None:
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]
    neutral: Any = {"user": "me", "n": 1, "presence_penalty": 0, "stop": None, "metadata": {"a": "b"}}
    answer = client.chat.completions.create(model="dmdoc/lots", messages=parts, max_tokens=2, **neutral)
    assert answer.choices[0].message.content is not None


def test_a_way_of_answering_may_be_asked_for(client: "openai.OpenAI") -> None:
    body = {"dmdoc": {"evidence": 1, "citations": False}}
    answer = client.chat.completions.create(model="dmdoc/lots", messages=SAID, max_tokens=2, extra_body=body)
    extra: Any = answer.model_extra
    assert extra["dmdoc"]["recall"] == "evidence" and extra["dmdoc"]["document_tokens_in_prompt"] > 0


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"model": "dmdoc", "messages": 3}', b"[" * 100_000])
def test_what_is_no_request_is_said_in_one_line(serve: Serve, body: bytes) -> None:
    answer = serve().post("/v1/chat/completions", content=body)
    assert answer.status_code == httpx2.codes.BAD_REQUEST
    assert answer.json()["error"]["message"]
