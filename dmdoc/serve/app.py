"""What is answered over HTTP: OpenAI's chat completions, our own small API, and how it goes with the server."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from dmdoc.errors import DmdocError, UsageError
from dmdoc.library.saved_document import SavedDocument
from dmdoc.serve import api_form, openai_form
from dmdoc.serve.engine import Answered, Asked, Busy, Engine, Question
from dmdoc.serve.guard import Guard, Refused, allowed_file, body_of, json_of
from dmdoc.serve.jobs import Job, Jobs, store_upload
from dmdoc.serve.metrics import Metrics
from dmdoc.serve.openapi import openapi_routes
from dmdoc.serve.page import page_routes


@dataclass(frozen=True)
class Settings:
    """What a server is told when it starts."""

    answer_record: Callable[[Answered], dict[str, Any]]
    """What JSON says of an answer."""
    document_record: Callable[[SavedDocument], dict[str, Any]]
    """What JSON says of a saved document."""
    key: str | None = None
    """What a request must have; None lets every program of this machine ask."""
    roots: tuple[Path, ...] = ()
    """Folders whose files may be read by their path."""
    most_upload: int = 64 * 2**20
    """Bytes of a file that is sent."""
    address: str = ""
    """Where it listens, for whoever asks how it is."""


class Server:
    """The routes, over one engine."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._jobs, self._metrics = Jobs(), Metrics(engine)

    def app(self) -> Starlette:
        get, post = ["GET"], ["POST"]
        return Starlette(
            routes=[
                *page_routes(),
                *openapi_routes(),
                Route("/health", self.health, methods=get),
                Route("/metrics", self.metrics, methods=get),
                Route("/v1/models", self.models, methods=get),
                Route("/v1/chat/completions", self.chat_completions, methods=post),
                Route("/api/ask", self.ask, methods=post),
                Route("/api/compare", self.compare, methods=post),
                Route("/api/documents", self.documents, methods=get),
                Route("/api/documents", self.ingest, methods=post),
                Route("/api/documents/{name}", self.document, methods=get),
                Route("/api/documents/{name}", self.remove, methods=["DELETE"]),
                Route("/api/jobs/{number}", self.job, methods=get),
                Route("/api/jobs/{number}/events", self.job_events, methods=get),
            ],
            middleware=[Middleware(Guard, key=self._settings.key, refuse=self._failure)],
            exception_handlers={
                HTTPException: self._not_found,
                DmdocError: self._failed,
                Exception: self._failed,
            },
            lifespan=self._lifespan,
        )

    @property
    def busy(self) -> bool:
        """Whether a file is being read, or waits to be."""
        return self._jobs.busy

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self._engine.start()
        reading = asyncio.create_task(self._jobs.run())
        yield
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await run_in_threadpool(self._engine.close)

    async def health(self, _: Request) -> Response:
        loaded, more = self._engine.loaded, {"process": os.getpid(), "address": self._settings.address}
        if not loaded.done():
            return JSONResponse({"status": "loading", **more}, 503, headers={"Retry-After": "1"})
        if (error := loaded.exception()) is not None:
            return JSONResponse({"status": "failed", "error": str(error), **more}, 503)
        return JSONResponse({"status": "ready", "model": loaded.result().backbone.name, **more})

    async def metrics(self, _: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def models(self, _: Request) -> Response:
        documents = await run_in_threadpool(self._engine.library.documents)
        return JSONResponse(openai_form.models(list(documents)))

    async def chat_completions(self, request: Request) -> Response:
        body = await json_of(request)
        question = openai_form.read_question(body)
        if not body.get("stream"):
            answered = await self._answered(request, question)
            record = self._settings.answer_record(answered)
            return JSONResponse(openai_form.completion(answered, record, body["model"]))
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        chunks = openai_form.Chunks(body["model"])
        pieces, asked = self._asked(question)

        async def events() -> AsyncIterator[str]:
            yield _event(chunks.delta(role="assistant", content=""))
            try:
                async for piece in pieces:
                    yield _event(chunks.delta(content=piece))
                answered = await self._result(asked)
                yield _event(chunks.last(answered, self._settings.answer_record(answered)))
                if with_usage:
                    yield _event(chunks.usage(answered))
                yield "data: [DONE]\n\n"
            except Exception as error:
                yield _event(openai_form.failure(error)[1])
            finally:
                asked.abandoned = True

        return StreamingResponse(events(), media_type="text/event-stream")

    async def ask(self, request: Request) -> Response:
        question = api_form.read_question(await json_of(request))
        return JSONResponse(self._settings.answer_record(await self._answered(request, question)))

    async def compare(self, request: Request) -> Response:
        asked = [self._queued(each) for each in api_form.read_comparison(await json_of(request))]
        answers = [self._settings.answer_record(await self._result(each)) for each in asked]
        return JSONResponse({"question": asked[0].question.text, "answers": answers})

    async def documents(self, _: Request) -> Response:
        found = await run_in_threadpool(self._engine.library.documents)
        return JSONResponse({"documents": [self._settings.document_record(saved) for saved in found]})

    async def document(self, request: Request) -> Response:
        saved = await run_in_threadpool(self._engine.library.get, request.path_params["name"])
        pages = await run_in_threadpool(saved.pages)
        return JSONResponse({**self._settings.document_record(saved), "text": list(pages)})

    async def remove(self, request: Request) -> Response:
        await run_in_threadpool(self._engine.library.remove, request.path_params["name"])
        return Response(status_code=204)

    async def ingest(self, request: Request) -> Response:
        """A file in the body, its name in `?file=`; or as JSON the path of one."""
        if self._jobs.full:
            raise Busy("too many documents wait to be read; send it again later")
        arguments = [f"--tag={tag}" for tag in request.query_params.getlist("tag")]
        if (name := request.query_params.get("name")) is not None:
            arguments.append(f"--name={name}")
        if request.headers.get("content-type", "").startswith("application/json"):
            path, upload = self._allowed(await json_of(request)), None
        else:
            content = await body_of(request, self._settings.most_upload)
            path = await run_in_threadpool(store_upload, request.query_params.get("file", ""), content)
            upload = path.parent
        job = self._jobs.add(Job([*arguments, "--", str(path)], upload))
        return JSONResponse(job.record(), 202, headers={"Location": f"/api/jobs/{job.number}"})

    def _allowed(self, given: Any) -> Path:
        path = given.get("path") if isinstance(given, dict) else None
        if not isinstance(path, str):
            raise UsageError("path must be that of a file")
        return allowed_file(path, self._settings.roots)

    async def job(self, request: Request) -> Response:
        return JSONResponse(self._job(request).record())

    async def job_events(self, request: Request) -> Response:
        job = self._job(request)

        async def events() -> AsyncIterator[str]:
            async for event in job.events():
                yield _event(event)

        return StreamingResponse(events(), media_type="text/event-stream")

    def _job(self, request: Request) -> Job:
        job = self._jobs.get(request.path_params["number"])
        if job is None:
            raise Refused("there is no such job", 404, "not_found")
        return job

    def _asked(self, question: Question) -> tuple[AsyncIterator[str], Asked]:
        """The pieces of an answer as they come, and what gives the whole."""
        loop, heard = asyncio.get_running_loop(), asyncio.Queue[str | None]()

        def hear(piece: str | None) -> None:
            loop.call_soon_threadsafe(heard.put_nowait, piece)

        asked = self._queued(question, hear)
        asked.answer.add_done_callback(lambda _: hear(None))

        async def pieces() -> AsyncIterator[str]:
            while (piece := await heard.get()) is not None:
                yield piece

        return pieces(), asked

    def _queued(self, question: Question, on_text: Callable[[str], None] | None = None) -> Asked:
        if not self._engine.loaded.done() or self._engine.loaded.exception() is not None:
            raise Refused("the model is not loaded; ask /health", 503, "loading")
        try:
            return self._engine.ask(question, on_text)
        except Busy:
            self._metrics.refused("busy")
            raise

    async def _answered(self, request: Request, question: Question) -> Answered:
        return await self._result(self._queued(question))

    async def _result(self, asked: Asked) -> Answered:
        try:
            answered = await asyncio.wrap_future(asked.answer)
        except Exception:
            self._metrics.refused("failed")
            raise
        self._metrics.answered(answered)
        return answered

    def _failure(self, error: Exception) -> Response:
        status, body = openai_form.failure(error)
        headers = {"Retry-After": "1"} if status in (429, 503) else {}
        return JSONResponse(body, status, headers=headers)

    async def _failed(self, _: Request, error: Exception) -> Response:
        return self._failure(error)

    async def _not_found(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self._failure(
            Refused(f"there is nothing here: {error.detail}", error.status_code, "not_found")
        )


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
