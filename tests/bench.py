"""`make bench`: what the memory costs and what it saves, as ratios against the same work without it.

Ratios carry from one machine to another where seconds do not. The runs of both sides of a ratio alternate, so that
a busy moment hits both, and their medians are compared. What a user waits for (bench_serve.py) is in seconds, which
need a quiet machine. Exits with 1 if a target is missed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import bench_serve
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from dmdoc.answer.recall import Inquiry, recall, recall_all
from dmdoc.document import Document
from dmdoc.errors import BackboneError
from dmdoc.ingest.many import ingest_many
from dmdoc.ingest.room import room_for
from dmdoc.ingest.sections import batches
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.memory.adapter import DeltaMemAdapter, DeltaMemConfig
from dmdoc.memory.attach import attention_sizes
from dmdoc.memory.delta_rule import delta_rule, delta_rule_recurrent
from dmdoc.memory.state_header import Identity
from dmdoc.model.backbone import describe, load_backbone
from dmdoc.model.embedded import NAME, embedded_folder
from dmdoc.model.reader import Reader
from dmdoc.settings.folders import cache_folder
from dmdoc.settings.generation import GenerationSettings
from dmdoc.text.chunking import Chunk

DOCUMENT_TOKENS = 8192
PROMPT_TOKENS = 30
SHORT_DOCUMENTS = 20
SHORT_DOCUMENT_TOKENS = {"cpu": 80, "cuda": 200}
"""On a processor less, so that a run ends in half a minute."""
QUESTIONS, ANSWER_TOKENS = 32, 16


@dataclass(frozen=True)
class Row:
    """One line of the table; a target is either the least or the most that passes."""

    name: str
    measured: float
    target: float
    unit: str = "×"
    at_least: bool = False

    @property
    def passed(self) -> bool:
        return self.measured >= self.target if self.at_least else self.measured <= self.target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunk-tokens", type=int, default=2048, help="tokens of each written chunk")
    parser.add_argument("--chunks", type=int, default=2, help="chunks written in each run")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each side of a ratio")
    parser.add_argument("--crowd-seconds", type=float, default=60, help="how long 64 clients ask the server")
    parser.add_argument("--device", default="cpu", help="cpu in float32, or cuda in bfloat16")
    options = parser.parse_args()
    rows = [help_row()]
    if options.device == "cpu":
        outside = bench_serve.rows(
            cache_folder(os.environ), repeats=options.repeats, crowd_seconds=options.crowd_seconds
        )
        rows += [Row(name, measured, target, unit) for name, measured, target, unit in outside]
    with torch.inference_mode():
        # Before the scans: a process that has loaded a model keeps the memory it frees, as any that ingests does.
        try:
            reader = embedded_reader(options.device)
        except BackboneError as error:
            parser.error(str(error))
        rows += launches_rows()
        rows += scan_rows(4 * options.repeats, reader.backbone.device)
        rows.append(ingest_row(reader, options.chunks, options.chunk_tokens, options.repeats))
        rows.append(ask_row(reader, options.repeats))
        rows.append(documents_row(reader, options.repeats))
        rows.append(questions_row(reader, options.repeats))
    Console().print(table(rows, describe(reader.backbone)))
    return 0 if all(row.passed for row in rows) else 1


def table(rows: list[Row], machine: str) -> Table:
    made = Table(
        "measurement", "measured", "target", "", title=f"{machine}, {torch.get_num_threads()} threads"
    )
    for row in rows:
        bound = "≥" if row.at_least else "≤"
        mark = "[green]met[/]" if row.passed else "[red]missed[/]"
        made.add_row(row.name, f"{row.measured:.2f} {row.unit}", f"{bound} {row.target:g} {row.unit}", mark)
    return made


def medians(
    *sides: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Seconds of each side: the median of runs that alternate, after one unmeasured run of each."""
    seconds: list[list[float]] = [[] for _ in sides]
    for repeat in range(repeats + 1):
        for side, taken in zip(sides, seconds, strict=True):
            started = clock()
            side()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if repeat > 0:
                taken.append(clock() - started)
    return [statistics.median(taken) for taken in seconds]


def help_row() -> Row:
    """The only absolute figure: what a shell waits for before the first word."""

    def run() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "dmdoc", "--help"], check=True, capture_output=True)
        return time.perf_counter() - started

    return Row("dmdoc --help", min(run() for _ in range(7)), 0.3, unit="s")


def launches_rows() -> list[Row]:
    """Kernels that a card is given to write the memory of a layer, counted without one where Triton is."""
    if find_spec("triton") is None:
        return []
    from launches import of_a_tiny_layer

    written, corrected = (of_a_tiny_layer(corrects).total() for corrects in (False, True))
    name = f"kernels of a layer's memory on a card, write ({corrected} to read and correct, too)"
    return [Row(name, written, 6, unit="")]


def scan_rows(repeats: int, device: torch.device) -> list[Row]:
    """The chunked form against the token loop, over a whole document with one 8 × 8 state, on one thread.

    Its operations are so small that sharing them out measures what else the machine does. So does a clock on the wall:
    the token loop is more often interrupted than the short scan, or less. On a CPU time is the thread's own.
    """
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    rows = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # What every processor tried reaches, a busy one too; docs/speed.md has what was wanted.
    for kind, gates, least in (("a gate a row", 8, 17), ("a gate a head", 1, 25)):
        arguments = [argument.to(device) for argument in random_scan(gates)]

        def chunked(arguments: list[Tensor] = arguments) -> object:
            return delta_rule(*arguments)

        def token_loop(arguments: list[Tensor] = arguments) -> object:
            return delta_rule_recurrent(*arguments)

        loop, fast = medians(token_loop, chunked, repeats=repeats, clock=clock)
        name = f"token loop / chunked scan, {DOCUMENT_TOKENS:,} tokens, {kind} ({fast * 1000:.0f} ms)"
        rows.append(Row(name, loop / fast, least, at_least=True))
    torch.set_num_threads(threads)
    return rows


def random_scan(gates: int) -> list[Tensor]:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 1, DOCUMENT_TOKENS, 8) for _ in range(3))
    q, k = (torch.nn.functional.normalize(x, dim=-1) for x in (q, k))
    beta = torch.sigmoid(torch.randn(1, 1, DOCUMENT_TOKENS, gates) - 1.5)
    return [q, k, v, 1 - beta, beta, beta, torch.zeros(1, 1, 8, 8)]


def embedded_reader(device: str) -> Reader:
    """The embedded backbone with a random adapter of the published shape, corrections while writing included."""
    folder = embedded_folder(cache_folder(os.environ))
    backbone = load_backbone(folder, name=NAME, device=device, dtype="float32" if device == "cpu" else "auto")
    torch.manual_seed(0)
    adapter = DeltaMemAdapter(DeltaMemConfig(), attention_sizes(backbone.model)).requires_grad_(False)
    for position in range(len(adapter.layer_indices)):
        for head in adapter.config.delta_heads:
            torch.nn.init.normal_(adapter.layer(position).get_parameter(f"delta_{head}_proj"), std=1e-3)
    return Reader(backbone, adapter.to(backbone.device, backbone.dtype), Identity("random", "0" * 64))


def random_ids(reader: Reader, count: int) -> list[int]:
    return torch.randint(100, 10_000, (count,)).tolist()


def random_text(reader: Reader, tokens: int) -> str:
    """Words at random, as a tokenizer takes them for so many tokens: not the very ones that were drawn."""
    text = reader.decode(random_ids(reader, tokens))
    _, ends = reader.backbone.tokenizer.encode_with_ends(text)
    return text[: ends[tokens - 1]]


def ingest_row(reader: Reader, chunks: int, tokens: int, repeats: int) -> Row:
    """Writing chunks against a bare forward pass of the decoder over the same chunks."""
    texts = [random_ids(reader, tokens) for _ in range(chunks)]
    decoder = reader.backbone.model.get_decoder()

    def write() -> None:
        state = reader.zero_state()
        for ids in texts:
            state = reader.write([Chunk(tuple(ids), (0,) * len(ids), "")], state)

    def bare() -> None:
        for ids in texts:
            decoder(input_ids=torch.tensor([ids], device=reader.backbone.device), use_cache=False)

    without, with_memory = medians(bare, write, repeats=repeats)
    name = f"ingest / bare forward, {chunks} chunks of {tokens:,} tokens ({with_memory:.1f} s)"
    return Row(name, with_memory / without, 1.15)


def ask_row(reader: Reader, repeats: int) -> Row:
    """The first token from a state, against reading the document again before the same prompt."""
    document, prompt = random_ids(reader, DOCUMENT_TOKENS - PROMPT_TOKENS), random_ids(reader, PROMPT_TOKENS)
    state, settings = reader.zero_state(), GenerationSettings(max_tokens=1)
    whole = torch.tensor([document + prompt], device=reader.backbone.device)

    def ask() -> None:
        reader.generate(prompt, state, settings)

    def read_again() -> None:
        reader.backbone.model(input_ids=whole, use_cache=True, logits_to_keep=1)

    (again,) = medians(read_again, repeats=max(1, repeats // 2))
    (asked,) = medians(ask, repeats=repeats)
    name = f"reading {DOCUMENT_TOKENS:,} tokens again / asking the state, first token ({asked * 1000:.0f} ms)"
    return Row(name, again / asked, 20, at_least=True)


def documents_row(reader: Reader, repeats: int) -> Row:
    """Short documents read one by one, against the same ones in one run; saving them included.

    More than the bare passes over the same batches gain on this machine there is not to gain.
    """
    tokens = SHORT_DOCUMENT_TOKENS[reader.backbone.device.type]
    texts = [random_text(reader, tokens) for _ in range(SHORT_DOCUMENTS)]
    documents = {f"d{n}": Document(f"d{n}", f"/d{n}.txt", (text,)) for n, text in enumerate(texts)}

    def one_by_one() -> None:
        for document in documents.values():
            ingest(document, reader, library, force=True)

    def together() -> None:
        for outcome in ingest_many(
            documents,
            documents.__getitem__,
            reader,
            library,
            force=True,
            show_progress=lambda _: nullcontext(),
        ):
            assert outcome.error is None

    decoder, room = reader.backbone.model.get_decoder(), room_for(reader)
    chunks = [chunk for text in texts for chunk in reader.chunks(text)]
    batched = [[chunk.token_ids for chunk in batch] for batch in batches(chunks, room)]

    def bare(rows: Sequence[Sequence[tuple[int, ...]]]) -> None:
        for texts_at_once in rows:
            decoder(input_ids=reader.pad(texts_at_once, 0), use_cache=False)

    with TemporaryDirectory() as folder:
        library = Library(Path(folder))
        alone, many, bare_alone, bare_many = medians(
            one_by_one,
            together,
            lambda: bare([[chunk.token_ids] for chunk in chunks]),
            lambda: bare(batched),
            repeats=max(1, repeats // 2),
        )
    own = bare_alone / bare_many
    rate = SHORT_DOCUMENTS / many
    name = f"{SHORT_DOCUMENTS} documents of {tokens} tokens, one by one / together"
    return Row(
        f"{name} ({rate:.1f} a second; bare passes {own:.2f} ×)", alone / many, 0.95 * own, at_least=True
    )


def questions_row(reader: Reader, repeats: int) -> Row:
    """Questions to one state, one by one against all at once; what is said of the answers included."""
    state, settings = reader.zero_state(), GenerationSettings(max_tokens=ANSWER_TOKENS)
    inquiries = [Inquiry(f"What is in lot {number}?", state, lambda: ()) for number in range(QUESTIONS)]

    def one_by_one() -> None:
        for each in inquiries:
            recall(each.question, reader, each.state, each.pages, settings=settings)

    def together() -> None:
        recall_all(inquiries, reader, settings=settings)

    alone, many = medians(one_by_one, together, repeats=max(1, repeats // 2))
    name = f"{QUESTIONS} questions, answers of at most {ANSWER_TOKENS} tokens, one by one / together ({many:.1f} s)"
    return Row(name, alone / many, 3, at_least=True)


if __name__ == "__main__":
    sys.exit(main())
