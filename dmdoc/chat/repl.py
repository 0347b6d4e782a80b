"""The interactive session: a line in, a Reply out, and the two loops that feed it lines.

`Repl.handle_line` needs no terminal, so a session is tested as a script. On a terminal line_editor.py reads
the lines; otherwise they come as they are, so that questions can be piped in. Answers go to stdout, everything
else to stderr. Knows nothing about how an answer is made, how a turn is remembered or what a command does.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dmdoc import console
from dmdoc.answer.evidence import Passage
from dmdoc.answer.finding import find_by_words
from dmdoc.answer.judging import judge
from dmdoc.answer.recall import Recalled, cite
from dmdoc.chat.commands import Context, Reply, completions, run_command
from dmdoc.chat.preferences import LABELS
from dmdoc.chat.session import ChatSession
from dmdoc.console import answers
from dmdoc.errors import DmdocError, UsageError
from dmdoc.library.library import Library
from dmdoc.model.prompt import usual_mode
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings
from dmdoc.text.asked import is_small_talk
from dmdoc.text.counting import counted

CONTINUED = "\\"
"""At the end of a line: what is asked goes on in the next one."""


class Repl:
    """A session with commands: a line that begins with "/" is a command, any other a question.

    Args:
        on_text: hears each answer as it grows, and a line end after it.
        citations: say where the text speaks of an answer.
        finds: each question is put to the saved document that it is about, until one is named.
    """

    def __init__(
        self,
        session: ChatSession,
        library: Library,
        *,
        on_text: Callable[[str], None],
        citations: bool = True,
        finds: bool = False,
    ) -> None:
        self.session = session
        self._context = Context(session, library, finds=finds)
        self._on_text = on_text
        self._citations = citations
        self._own_words_told = False

    @property
    def prompt(self) -> str:
        """What stands before the line that is typed."""
        document = None if self._context.finds else self.session.document
        return f"{'dmdoc' if document is None else document.name}> "

    @property
    def greeting(self) -> str:
        stats = self.session.stats()
        if stats.document is None:
            return "nothing is read yet: /ingest FILE reads a document, /help lists the commands"
        if self._context.finds:
            count = counted(len(self._context.library.names()), "document")
            return f"{count} saved, each question finds its own; /use NAME keeps to one, /help lists the commands"
        return f"{stats.document}, {stats.document_tokens:,} tokens read; /help lists the commands"

    def handle_line(self, text: str) -> Reply:
        """Do what a line says; a blank one says nothing. The session survives expected errors and Ctrl-C."""
        text = text.strip()
        if not text:
            return Reply()
        try:
            return run_command(text, self._context) if text.startswith("/") else self._answer(text)
        except DmdocError as error:
            return Reply(str(error), error=True)
        except KeyboardInterrupt:
            # Of the commands only /ingest takes time, and it resumes.
            lost = "the same command goes on" if text.startswith("/") else "this turn is not remembered"
            return Reply(f"interrupted; {lost}", interrupted=True)

    def completions(self, text: str) -> tuple[str, ...]:
        """The lines that `text` could become."""
        return completions(text, self._context.library)

    @property
    def report(self) -> str:
        """What was preferred of the answers that were given in pairs; "" where none were."""
        return self._context.preferences.report()

    def _answer(self, question: str) -> Reply:
        if is_small_talk(question):
            return Reply("that asks nothing; ask about the document, or /help lists the commands")
        among = self._find(question)
        if self._context.answers_twice:
            return self._answer_twice(question)
        with self._line_end():
            recalled = self.session.ask(question, self._on_text)
        if not recalled.answer.text:
            return Reply("the answer is empty")
        found = cite(question, recalled, self.session.pages) if self._citations else ()
        lines = [self._told(question, recalled, found, among), answers.left_open(recalled), self._own_words()]
        lines += answers.citations(found)
        return Reply("\n".join(filter(None, lines)))

    def _own_words(self) -> str:
        """Said once: why no phrase of a text is given, where phrases are what answers come from."""
        if self._own_words_told or self.session.document is not None or self.session.mode != "spans":
            return ""
        self._own_words_told = True
        return "no document is read, so there are no phrases to choose from: answers are in the model's own words"

    def _find(self, question: str) -> int:
        """Turn to the document that a question is about, unless one was named; of how many it is chosen."""
        if not self._context.finds:
            return 1
        found, among = find_by_words(question, self._context.library)
        now = self.session.document
        # Where no text has a word of it, the question may be about what was said before.
        if found is not None and among > 1 and (now is None or found.name != now.name):
            self.session.turn_to(found)
        return max(1, among)

    def _told(self, question: str, recalled: Recalled, found: Sequence[Passage], among: int) -> str:
        """How far to trust an answer, or what it was made from; "" where that is not known."""
        if recalled.mode in ("frozen", "full"):
            return answers.origin(recalled)
        document, section = self.session.document, recalled.answer.section
        if document is not None and section == len(document.header().sections) and not recalled.evidence:
            return "from what was said"
        session, name = self.session, "" if document is None else document.name
        judgement = judge(question, recalled, session.state, session.pages, session.reader, name)
        if document is None or (judgement is None and among == 1 and recalled.mode != "evidence"):
            return ""
        return answers.verdict(recalled, judgement, found, document, among)

    def _answer_twice(self, question: str) -> Reply:
        """Nothing is said about the two answers, so that they are judged as they are."""
        order = self._context.preferences.draw_order()
        given = {}
        for label, mode in zip(LABELS, order, strict=True):
            self._on_text(f"{label}: ")
            with self._line_end():
                given[mode] = self.session.answer(question, mode, self._on_text).answer
        self.session.end_turn(question, given["state"])
        self._context.preferences.add(question, order)
        return Reply("/prefer a or /prefer b says which is better")

    @contextmanager
    def _line_end(self) -> Iterator[None]:
        """An answer's last line ends, whether the answer does or is interrupted."""
        try:
            yield
        except KeyboardInterrupt:
            self._on_text("\n")
            raise
        self._on_text("\n")


def chat(
    reader: Reader,
    library: Library,
    name: str | None,
    *,
    remember: bool,
    citations: bool,
    finds: bool = False,
    settings: GenerationSettings,
    history: Path,
) -> None:
    """Talk with the saved document `name`, or with none, until the user leaves or the piped lines end.

    Answers are phrases of the text that the state chooses, or drawn in the model's own words.

    Args:
        finds: each question is put to the document that it is about; `name` is where a session begins.
        citations: say where the text speaks of an answer.
        history: the file that keeps what was typed on a terminal; its folder is created.

    Raises:
        DocumentNotFoundError, IdentityError, StateFileError: the document cannot be taken up.
        KeyboardInterrupt: Ctrl-C while the lines come from elsewhere than a terminal.
    """
    document = None if name is None else library.get(name)
    mode = usual_mode(freely=settings.temperature > 0)
    session = ChatSession(reader, document, remember=remember, settings=settings, mode=mode)
    repl = Repl(
        session,
        library,
        on_text=console.write_answer,
        citations=citations,
        finds=finds,
    )
    if sys.stdin.isatty():
        from dmdoc.chat.line_editor import LineEditor

        run_terminal(repl, LineEditor(history, repl.completions).read)
    else:
        run_lines(repl, (line.decode() for line in sys.stdin.buffer))
    if repl.report:
        console.note(repl.report)


def run_terminal(repl: Repl, read: Callable[[str], str]) -> None:
    """Ask for lines with `read(prompt)` until it raises EOFError (Ctrl-D) or a command leaves."""
    console.note(repl.greeting)
    leave = False
    while not leave:
        try:
            reply = repl.handle_line(read(repl.prompt))
            _show(reply)
            leave = reply.leave
        except KeyboardInterrupt:
            continue  # Ctrl-C at the prompt: the line is dropped
        except EOFError:
            leave = True


def run_lines(repl: Repl, lines: Iterable[str]) -> None:
    """Handle lines that nobody types. An error is told on stderr and the next line is handled all the same.

    Raises:
        KeyboardInterrupt: as soon as the user interrupts anything.
        UsageError: the lines are not UTF-8.
    """
    if repl.session.document is None:
        console.note(repl.greeting)
    try:
        for line in _whole_lines(lines):
            reply = repl.handle_line(line)
            _show(reply)
            if reply.interrupted:
                raise KeyboardInterrupt
            if reply.leave:
                return
    except UnicodeDecodeError as error:
        raise UsageError("standard input is not UTF-8 text; convert the questions first") from error


def _whole_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines, those that a backslash continues put together."""
    begun = ""
    for line in lines:
        line = line.rstrip("\r\n")
        if line.endswith(CONTINUED):
            begun += line.removesuffix(CONTINUED) + "\n"
        else:
            yield begun + line
            begun = ""
    if begun:
        yield begun


def _show(reply: Reply) -> None:
    if reply.text:
        (console.error if reply.error else console.note)(reply.text)
