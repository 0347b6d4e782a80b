"""Our own API, who may use it, and what happens when much is asked or something fails."""

import asyncio
import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from crowd import ask_at_once
from serving import Serve, until
from starlette.routing import Route
from tiny import save_tiny_reader

from dmdoc.cli.library import record
from dmdoc.cli.serve import answer_record_of
from dmdoc.errors import BackboneError
from dmdoc.library.library import Library
from dmdoc.model.reader import Reader
from dmdoc.serve import guard, jobs
from dmdoc.serve.app import Server, Settings
from dmdoc.serve.engine import Engine

pytestmark = pytest.mark.slow

KEY = "a key of sixteen"
ASK = {"question": "What does lot seven hold?", "document": "lots", "max_tokens": 6}


def test_an_answer_is_what_ask_prints_as_json(serve: Serve) -> None:
    record = serve().post("/api/ask", json=ASK).json()
    assert record["question"] == ASK["question"] and record["document"] == "lots"
    assert record["answer"] and record["section"] and record["citations"]


def test_the_document_that_a_question_is_about_is_found(serve: Serve) -> None:
    asked = {"question": "Who is the captain of the barge Sorrel?", "max_tokens": 2, "citations": False}
    record = serve().post("/api/ask", json=asked).json()
    assert record["document"] == "barges" and record["citations"] == []


def test_many_at_once_are_answered_as_one_by_one(serve: Serve) -> None:
    client = serve()
    questions = [{**ASK, "question": f"What is in lot {number}?"} for number in range(8)]
    one_by_one = [client.post("/api/ask", json=each).json()["answer"] for each in questions]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda each: client.post("/api/ask", json=each).json()["answer"], questions))
    assert together == one_by_one
    counted = client.get("/metrics").text
    assert 'dmdoc_questions_total{outcome="answered"} 16.0' in counted
    assert "dmdoc_cached_states 1.0" in counted


def test_one_question_is_answered_in_several_ways(serve: Serve) -> None:
    client = serve()
    found = client.post("/api/compare", json={**ASK, "modes": ["frozen", "spans"]}).json()
    assert found["question"] == ASK["question"]
    assert [each["recall"] for each in found["answers"]] == ["frozen", "spans"]
    alone = client.post("/api/ask", json=ASK).json()
    assert found["answers"][1] == {**alone, "seconds": found["answers"][1]["seconds"]}
    wrong: list[dict[str, Any]] = [
        {"modes": []},
        {"modes": ["dreams"]},
        {"modes": "spans"},
        {"recall": "spans"},
        {"question": 1},
    ]
    for bad in wrong:
        assert client.post("/api/compare", json={**ASK, **bad}).status_code == 400


def test_the_api_is_described_as_it_is(serve: Serve, served: Library, served_reader: Reader) -> None:
    engine = Engine(served, lambda _: served_reader)
    app = Server(engine, Settings(answer_record_of, record)).app()
    there = {
        (method.lower(), route.path)
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith("/api/")
        for method in (route.methods or set()) - {"HEAD"}
    }
    client = serve(key=KEY)
    described = client.get("/openapi.json").json()
    assert {(method, path) for path, each in described["paths"].items() for method in each} == there
    asked = described["paths"]["/api/ask"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate(ASK, asked)
    page = client.get("/docs").text
    assert all(f"{method.upper()} {path}<" in page for method, path in there)


def test_a_crowd_is_answered_as_each_alone(serve: Serve) -> None:
    """For a minute, with the embedded model: `make bench`."""
    questions = [{**ASK, "question": f"What is in lot {number}?"} for number in range(5)]
    crowd = ask_at_once(str(serve().base_url), questions, clients=64, seconds=0)
    assert crowd.wrong == [] and len(crowd.seconds) >= 64


def test_documents_are_listed_shown_and_removed(serve: Serve, served: Library) -> None:
    client = serve()
    listed = client.get("/api/documents").json()["documents"]
    assert [each["name"] for each in listed] == ["barges", "lots"]
    assert client.get("/api/documents/lots").json()["text"][0].startswith("Lot seven")
    assert client.post("/api/ask", json=ASK).status_code == 200
    assert client.delete("/api/documents/lots").status_code == 204
    assert served.names() == ("barges",)
    assert client.get("/api/documents/lots").status_code == 404
    assert client.post("/api/ask", json=ASK).status_code == 404  # although its state was in memory


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400),
        ({"question": ""}, 400),
        ({"question": 3}, 400),
        ({**ASK, "document": ["lots"]}, 400),
        ({**ASK, "tag": "salt"}, 400),
        ({**ASK, "temprature": 1}, 400),
        ({**ASK, "evidence": 99}, 400),
        ({**ASK, "citations": "no"}, 400),
        ({**ASK, "seed": True}, 400),
        ({**ASK, "document": "nobody"}, 404),
        ({**ASK, "document": "../lots"}, 400),
        ({"question": "?" * 8001}, 400),
    ],
)
def test_what_cannot_be_answered_is_one_line(serve: Serve, asked: dict[str, Any], status: int) -> None:
    answer = serve().post("/api/ask", json=asked)
    assert (answer.status_code, answer.json()["error"]["message"].count("\n")) == (status, 0)


def test_one_that_fails_fails_alone(serve: Serve, served_reader: Reader, served: Library) -> None:
    served.get("lots").state_path.write_bytes(b"damaged")
    client = serve()
    asked = [ASK, {**ASK, "document": "barges"}] * 3
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda each: client.post("/api/ask", json=each), asked))
    assert [each.status_code for each in found] == [500, 200] * 3
    assert "lots" in found[0].json()["error"]["message"]


def test_health_tells_of_loading_and_of_failure(serve: Serve, served_reader: Reader) -> None:
    release = threading.Event()

    def slow(_: object) -> Reader:
        release.wait(30)
        return served_reader

    client = serve(open_reader=slow)
    until(lambda: client.get("/health").status_code == 503)
    assert client.get("/health").json()["status"] == "loading"
    assert client.post("/api/ask", json=ASK).status_code == 503
    release.set()
    until(lambda: client.get("/health").status_code == 200)
    ready = {"status": "ready", "model": "tiny", "process": os.getpid(), "address": ""}
    assert client.get("/health").json() == ready

    def broken(_: object) -> Reader:
        raise BackboneError("no such model")

    client = serve(open_reader=broken)
    until(lambda: client.get("/health").json().get("error") == "no such model")


def test_more_than_may_wait_are_refused(serve: Serve, served_reader: Reader) -> None:
    release, opened = threading.Event(), threading.Event()

    def slow(saved: object) -> Reader:
        if saved is not None:
            opened.set()
            release.wait(30)
        return served_reader

    client = serve(open_reader=slow, most_waiting=1)
    until(lambda: client.get("/health").status_code == 200)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.post, "/api/ask", json=ASK)
        assert opened.wait(30)
        second = pool.submit(client.post, "/api/ask", json=ASK)
        until(lambda: "dmdoc_waiting_questions 1.0" in client.get("/metrics").text)
        refused = client.post("/api/ask", json=ASK)
        release.set()
        assert (first.result().status_code, second.result().status_code) == (200, 200)
    assert refused.status_code == 429 and refused.headers["Retry-After"] == "1"
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"


def test_without_the_key_nothing_is_told(serve: Serve) -> None:
    client = serve(key=KEY)
    for path in ("/v1/models", "/api/documents", "/metrics", "/api/jobs/0", "/nothing"):
        assert client.get(path).status_code == 401
        for given in ("Bearer wrong", f"Basic {KEY}", "Bearer", f"Bearer {KEY} "[:-2]):
            assert client.get(path, headers={"Authorization": given}).status_code == 401
    assert client.get("/v1/models", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example:8080"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Host": "evil.example@localhost"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://[::1"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
    ],
)
def test_a_page_from_elsewhere_asks_in_vain(serve: Serve, headers: dict[str, str]) -> None:
    client = serve()
    assert client.get("/v1/models", headers=headers).status_code == 403
    assert client.post("/api/ask", json=ASK, headers=headers).status_code == 403


def test_our_own_page_may_ask(serve: Serve) -> None:
    client = serve()
    origin = str(client.base_url).rstrip("/")
    assert client.post("/api/ask", json=ASK, headers={"Origin": origin}).status_code == 200


def test_bodies_are_bounded(serve: Serve, tmp_path: Path) -> None:
    client = serve(most_upload=1000)
    assert client.post("/api/ask", content=b" " * (2**20 + 1)).status_code == 413
    assert client.post("/api/documents?file=a.txt", content=b"x" * 1001).status_code == 413
    pieces = (b"x" * 600 for _ in range(2))
    assert client.post("/api/documents?file=a.txt", content=pieces).status_code == 413


def test_only_files_of_allowed_folders_are_read(serve: Serve, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside.txt"
    inside.mkdir()
    outside.write_text("Salt.")
    (inside / "link.txt").symlink_to(outside)
    client = serve(roots=(inside,))
    for path in (str(outside), str(inside / ".." / "outside.txt"), str(inside / "link.txt"), "a\0b", 3):
        assert client.post("/api/documents", json={"path": path}).status_code in (400, 403)
    as_json = {"Content-Type": "application/json"}
    for body in (b"[]", b'"x"', b"null"):
        assert client.post("/api/documents", content=body, headers=as_json).status_code == 400
    assert client.get("/api/jobs/0").status_code == httpx2.codes.NOT_FOUND


def test_who_sends_slowly_or_leaves_gets_no_answer_and_keeps_nobody_waiting(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "PIECE_SECONDS", 0.2)
    client = serve()
    place = (str(client.base_url.host), int(client.base_url.port or 0))
    begun = b"POST /api/ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    with socket.create_connection(place) as left, socket.create_connection(place, 30) as slow:
        left.sendall(begun)
        slow.sendall(begun)
        left.close()
        assert client.post("/api/ask", json=ASK).status_code == 200
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_what_cannot_be_a_request_is_one_line(serve: Serve, tmp_path: Path) -> None:
    client = serve()
    half = b'{"question": "\\ud800"}'
    assert client.post("/api/ask", content=half).status_code == 400
    for name in ("%00", "x" * 300):
        assert client.post(f"/api/documents?file={name}", content=b"Salt.").status_code == 400


def test_a_job_that_cannot_begin_stops_no_other(tmp_path: Path) -> None:
    """`?tag=%00` is an argument that no process can have."""
    upload = jobs.store_upload("..", b"Salt.")
    assert upload.name == "document"
    queue = jobs.Jobs()
    bad, next_one = queue.add(jobs.Job(["--tag=\0"], upload.parent)), queue.add(jobs.Job(["--help"]))

    async def work() -> None:
        worker = asyncio.create_task(queue.run())
        while not (bad.ended and next_one.ended):
            await asyncio.sleep(0.01)
        worker.cancel()

    asyncio.run(asyncio.wait_for(work(), 60))
    assert bad.status == "failed" and "null" in str(bad.record()["error"])
    assert not upload.parent.exists()


def test_a_file_is_read_beside_the_server(
    serve: Serve, served: Library, served_reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, adapter = save_tiny_reader(served_reader, tmp_path)
    for name, value in {"HOME": served.root, "MODEL": model, "ADAPTER": adapter}.items():
        monkeypatch.setenv(f"DMDOC_{name}", str(value))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    client = serve(roots=(tmp_path,))
    sent = client.post("/api/documents?file=../ships.txt&tag=sea", content=b"The ship Vega sank. " * 9)
    assert sent.status_code == 202
    (tmp_path / "empty.txt").write_text(" ")
    named = client.post("/api/documents", json={"path": str(tmp_path / "empty.txt")})
    with client.stream("GET", f"{sent.headers['Location']}/events") as events:
        told = [json.loads(line.removeprefix("data: ")) for line in events.iter_lines() if line]
    assert told[-1]["status"] == "done" and told[-1]["result"]["document"] == "ships"
    assert any("said" in each for each in told)
    assert served.get("ships").tags == ("sea",)
    until(lambda: client.get(named.headers["Location"]).json()["status"] == "failed")
    assert "empty" in client.get(named.headers["Location"]).json()["error"]
