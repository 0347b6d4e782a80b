"""A conversation over a saved document, which remembers by writing each turn into a state of its own.

Only the current question is ever in the prompt: what was said before is in the conversation's state, which is asked
beside the document's sections, so that a prompt is as long in turn 10 as in turn 2. Knows nothing about terminals
or commands.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import torch

import dmdoc
from dmdoc.answer.ask import Answer, load_state
from dmdoc.answer.recall import Recalled, recall
from dmdoc.document import Document
from dmdoc.errors import UsageError
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.rounding import kept_bytes, rounded
from dmdoc.memory.state import MemoryState
from dmdoc.memory.state_header import Section, StateHeader
from dmdoc.model.prompt import RecallMode, load_prompt
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings
from dmdoc.text.normalise import normalise_text

TURN_PROMPT = "turn"
"""The built-in prompt whose user part is what is written of a turn."""


@dataclass(frozen=True)
class Turn:
    """A question with its answer, as the conversation's state has read it."""

    text: str
    tokens: int
    """Tokens written, layout included."""


@dataclass(frozen=True)
class SessionStats:
    """What a session has read and said so far."""

    document: str | None
    """None when no document has been read."""
    document_tokens: int
    """Tokens that were written of the document."""
    turns: int
    """Turns that are remembered."""
    turn_tokens: int
    """Tokens that were written of them."""
    sections: int
    """States that are asked: those of the document's sections, and that of the turns."""
    state_numbers: int
    """Of all of them."""
    state_bytes: int
    last_answer: Answer | None


class ChatSession:
    """A saved document, or none, and the turns that were said about it. The saved states are never changed.

    Args:
        document: what to talk with; None begins from the state that has read nothing.
        remember: write finished turns into the conversation's state.
        mode: how `ask` answers, until it is changed.

    Raises:
        IdentityError, StateFileError: as `load_state` of the document.
    """

    def __init__(
        self,
        reader: Reader,
        document: SavedDocument | None,
        *,
        remember: bool,
        settings: GenerationSettings,
        mode: RecallMode = "state",
    ) -> None:
        self.reader = reader
        self.remember = remember
        self.settings = settings
        self.mode: RecallMode = mode
        """How `ask` answers."""
        self.last_answer: Answer | None = None
        self.turns: tuple[Turn, ...] = ()
        self._conversation = reader.zero_state()
        self._turn_prompt = load_prompt(TURN_PROMPT)
        self.turn_to(document)

    def use(self, document: SavedDocument | None) -> None:
        """Talk with another document, or with newer states of this one; the turns are forgotten.

        Raises:
            IdentityError, StateFileError: as `load_state`; the session is then as it was.
        """
        self.turn_to(document)
        self.forget()

    def turn_to(self, document: SavedDocument | None) -> None:
        """As `use`, but what was said is remembered."""
        header, state = None, self.reader.zero_state()
        if document is not None:
            header, state = document.header(), load_state(document, self.reader)
        self.document: SavedDocument | None = document
        self._header: StateHeader | None = header
        self._document_state: MemoryState = state
        self._join()

    def forget(self) -> None:
        """Go back to the document alone, as it was when the session took it up."""
        self.turns = ()
        self._conversation = self.reader.zero_state()
        self._join()

    def ask(self, question: str, on_text: Callable[[str], None] | None = None) -> Recalled:
        """Answer in the session's mode; then, if it remembers, write the turn into the conversation's state.

        An exception on the way, KeyboardInterrupt among them, leaves the session as it was before the question.

        Raises:
            UsageError: as `answer`.
        """
        # Where nothing has been read, there is only what was said.
        mode: RecallMode = "state" if self.document is None and self.mode == "spans" else self.mode
        recalled = self.answer(question, mode, on_text)
        self.end_turn(question, recalled.answer)
        return recalled

    def answer(
        self, question: str, mode: RecallMode, on_text: Callable[[str], None] | None = None
    ) -> Recalled:
        """Answer in one recall mode, and remember nothing.

        Raises:
            UsageError: as `recall`, or the mode needs a text and nothing has been read.
        """
        if self.document is None and mode in ("spans", "evidence", "full"):
            raise UsageError(
                f"nothing has been read yet, so there is no text for {mode}; read a document first"
            )
        return recall(
            question,
            self.reader,
            self.state,
            self.pages,
            settings=self.settings,
            mode=mode,
            budget=None if self._header is None else self._header.write_budget,
            on_text=on_text,
        )

    def end_turn(self, question: str, answer: Answer) -> None:
        """Take the answer for the turn's; if the session remembers, write the turn into its state."""
        if self.remember:
            filled = self._turn_prompt.fill(question=question, answer=answer.text)
            self._write(normalise_text(filled[-1]["content"]))
        self.last_answer = answer  # only now: a turn that could not be written leaves no trace

    def pages(self) -> tuple[str, ...]:
        """The text of the document, page by page; none where nothing has been read."""
        return () if self.document is None else self.document.pages()

    def save(self, library: Library, name: str) -> SavedDocument:
        """Keep the session as a new document, and make that the library's current one. The session goes on.

        Its pages and its sections are the document's and another of the turns; its source is `chat:` and the
        document's name.

        Raises:
            UsageError: the name is taken or cannot be one, or there is nothing besides the document to save.
        """
        if self.document is None or self._header is None:
            raise UsageError("nothing has been read yet; read a document first, then save the session")
        if not self.turns:
            raise UsageError(
                f"no turn is remembered, so the session is still {self.document.name!r}; ask something first"
            )
        turns_page = "\n\n".join(turn.text for turn in self.turns)
        document = Document(
            name=name, source=f"chat:{self.document.name}", pages=(*self.document.pages(), turns_page)
        )
        with library.lock(name):
            if name in library.names():
                raise UsageError(f"the name {name!r} is taken; choose another, or `dmdoc rm {name}` first")
            staged = library.begin(document, restart=True)
            return library.finish(staged, self.state, self._header_with_turns(self._header, document))

    def stats(self) -> SessionStats:
        return SessionStats(
            document=None if self.document is None else self.document.name,
            document_tokens=0 if self._header is None else self._header.tokens_written,
            turns=len(self.turns),
            turn_tokens=sum(turn.tokens for turn in self.turns),
            sections=self.state.batch,
            state_numbers=self.state.batch * self.state.numbers,
            state_bytes=kept_bytes(self.state),
            last_answer=self.last_answer,
        )

    def _write(self, text: str) -> None:
        chunks = self.reader.chunks(text)
        conversation = self._conversation
        with torch.no_grad():
            for chunk in chunks:
                conversation = self.reader.write([chunk], conversation)
        conversation = replace(conversation, vectors=None)  # of the last chunk alone
        # All only now: a turn that is interrupted while it is written leaves no trace.
        self._conversation = conversation
        self.turns = (*self.turns, Turn(text, sum(len(chunk.token_ids) for chunk in chunks)))
        self._join()

    def _join(self) -> None:
        """Put together what questions are answered from: a section a row; what was said is the last."""
        self.state = self._document_state
        if self.turns:
            said = rounded(self._conversation)  # as it is read where the session is saved
            self.state = said if self.document is None else MemoryState.cat((self._document_state, said))

    def _header_with_turns(self, header: StateHeader, document: Document) -> StateHeader:
        page = len(document.pages)
        turns = Section(sum(turn.tokens for turn in self.turns), first_page=page, last_page=page)
        return replace(
            header,
            sections=(*header.sections, turns),
            sections_total=header.sections_total + 1,
            document_sha256=document.sha256,
            dmdoc_version=dmdoc.__version__,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
