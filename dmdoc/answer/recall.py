"""The five modes of answering a question about a document, and what there is to say about each answer.

    state      from the document's state alone
    spans      the phrase of the text that the document's state makes likeliest as an answer (spans.py)
    evidence   the phrase that is likeliest with a few passages in the prompt beside the state, or the model's own words
    full       by the frozen backbone with the whole text before it
    frozen     by the frozen backbone, which has not read it

Knows nothing about terminals, options or where documents are kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dmdoc.answer.ask import Answer, answer_all, ask, chosen_rows, prepare
from dmdoc.answer.evidence import Passage, marked, passages
from dmdoc.answer.spans import Choice, Search, search_statements
from dmdoc.answer.statements import BETWEEN_PAGES
from dmdoc.answer.support import Support, supports
from dmdoc.answer.written import as_written
from dmdoc.errors import UsageError
from dmdoc.memory.state import MemoryState
from dmdoc.model.prompt import MODE_PROMPTS, Prompt, RecallMode, load_prompt
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import EVIDENCE_PASSAGES, GenerationSettings

EVIDENCE_TOKENS = 600
"""The most tokens of all passages together."""


@dataclass(frozen=True)
class Recalled:
    """An answer, the mode it came about in, and how far to trust it."""

    answer: Answer
    mode: RecallMode
    support: Support | None
    """What the state has to do with the answer; None without a state, or where nobody wants to know."""
    evidence: tuple[Passage, ...]
    """What the model was shown of the text, in passages."""
    document_tokens: int
    """Tokens of the document in the prompt."""
    choice: Choice | None = None
    """What an answer of `spans` or `evidence` was chosen from; None where it is in the model's own words."""

    @property
    def lift(self) -> float | None:
        return None if self.support is None else self.support.lift


@dataclass(frozen=True)
class Inquiry:
    """A question about a document."""

    question: str | None
    """None where the prompt needs none."""
    state: MemoryState
    """Of the document, a section a row."""
    pages: Callable[[], Sequence[str]]
    """Its text; called only where the model is to be shown some of it, or an answer is chosen."""
    budget: int | None = None
    """The most tokens of a section, by which the document was written; the reader's own if None."""


def recall(
    question: str | None,
    reader: Reader,
    state: MemoryState,
    pages: Callable[[], Sequence[str]],
    *,
    settings: GenerationSettings,
    mode: RecallMode = "state",
    prompt: Prompt | None = None,
    most: int = EVIDENCE_PASSAGES,
    budget: int | None = None,
    measured: bool = True,
    on_text: Callable[[str], None] | None = None,
) -> Recalled:
    """Answer a question in one mode; `on_text` hears the answer as it grows, one that is chosen in one piece.

    Args:
        pages: the document's text; called only where the model is to be shown some of it, or an answer is chosen.
        prompt: the built-in one of the mode if None.
        most: passages in the prompt of `evidence`; together they hold at most EVIDENCE_TOKENS.
        budget: the most tokens of a section, by which the document was written; the reader's own if None.
        measured: False leaves out the support of a phrase, which takes a pass and no verdict needs.

    Raises:
        UsageError: the prompt needs a question and there is none, has no place for the text that is to be in it, or
            does not fit the backbone's context.
    """
    if _chooses(mode, prompt, settings):  # which comes in one piece, however many there are
        inquiry = Inquiry(question, state, pages, budget)
        (found,) = recall_all(
            [inquiry], reader, settings=settings, mode=mode, prompt=prompt, most=most, measured=measured
        )
        if on_text is not None:
            on_text(found.answer.text)
        return found
    prompt = _checked(prompt or load_prompt(MODE_PROMPTS[mode]), mode)
    evidence, text = what_is_shown(question or "", reader, pages, mode, most)
    answer = ask(
        question,
        reader,
        None if mode in ("full", "frozen") else state,
        prompt=prompt,
        settings=settings,
        speaker=reader.speaker(mode),
        variables={"document": text} if mode in ("evidence", "full") else None,
        on_text=on_text,
    )
    support = None
    if answer.section is not None:
        chosen = state.rows(answer.section, answer.section + 1)
        (support,) = supports([answer.prompt_ids], [answer.answer_ids], chosen, reader.speaker(mode))
    return _recalled(answer, mode, support, evidence, text, None, reader)


def recall_all(
    inquiries: Sequence[Inquiry],
    reader: Reader,
    *,
    settings: GenerationSettings,
    mode: RecallMode = "state",
    prompt: Prompt | None = None,
    most: int = EVIDENCE_PASSAGES,
    measured: bool = True,
) -> list[Recalled]:
    """Several questions, about one document or several, at once: as `recall`, but for rounding.

    The seconds of an answer are those of all of them together.

    Raises:
        UsageError: as `recall`.
    """
    chooses = _chooses(mode, prompt, settings)
    prompt = _checked(prompt or load_prompt(MODE_PROMPTS[mode]), mode)
    shown = [what_is_shown(each.question or "", reader, each.pages, mode, most) for each in inquiries]
    searches = _searches(inquiries, reader) if chooses else [None] * len(inquiries)
    states = [each.state for each in inquiries]
    read = [
        state if search is None else search.asked(state)
        for state, search in zip(states, searches, strict=True)
    ]
    prepared = prepare(
        [each.question for each in inquiries],
        reader,
        None if mode in ("full", "frozen") else read,
        prompt=prompt,
        settings=settings,
        variables=[{"document": text} if mode in ("evidence", "full") else {} for _, text in shown],
    )
    speaker, sections = reader.speaker(mode), prepared.sections or ()
    phrases = [
        search.read(prepared.prompts[row], sections[row], states[row], speaker, shown=mode == "evidence")
        for row, search in enumerate(searches)
        if search is not None
    ]
    begun = [each.own for each in phrases] if settings.temperature == 0 else None
    answers = answer_all(prepared, speaker, settings, begun or None)
    choices: list[Choice | None] = [None] * len(answers)
    for row, each in enumerate(phrases):
        answers[row], choices[row] = each.choose(answers[row], reader)
    found: list[Support | None] = [None] * len(answers)
    wanted = [
        row
        for row, answer in enumerate(answers)
        if answer.section is not None and (measured or not _is_phrase(choices[row]))
    ]
    for row, support in zip(wanted, _supports(answers, states, wanted, speaker), strict=True):
        found[row] = support
    return [
        _recalled(answer, mode, found[row], *shown[row], choices[row], reader)
        for row, answer in enumerate(answers)
    ]


def _is_phrase(choice: Choice | None) -> bool:
    return choice is not None and choice.span is not None


def _supports(
    answers: Sequence[Answer], states: Sequence[MemoryState], wanted: Sequence[int], reader: Reader
) -> list[Support]:
    own = [answers[row] for row in wanted]
    sections = [answer.section for answer in own if answer.section is not None]
    if not sections:
        return []
    chosen = chosen_rows([states[row] for row in wanted], sections)
    return supports(
        [answer.prompt_ids for answer in own], [answer.answer_ids for answer in own], chosen, reader
    )


def cite(question: str | None, recalled: Recalled, pages: Callable[[], Sequence[str]]) -> tuple[Passage, ...]:
    """Where the text speaks of the question and its answer: the evidence, if the model was shown any.

    Of an answer that was chosen from the text it is the sentence that it stands in.
    """
    if recalled.choice is not None and recalled.choice.span is not None:
        return (recalled.choice.span.passage,)
    if recalled.choice is not None and (quoted := recalled.choice.quoted).sentences:
        found = ((each.page, each.text, quoted.number is None, quoted.cell) for each in quoted.sentences)
        return tuple(Passage(*each) for each in found)
    return recalled.evidence or passages(pages(), question or "", recalled.answer.text)


def _checked(prompt: Prompt, mode: RecallMode) -> Prompt:
    if mode in ("evidence", "full") and not prompt.uses("document"):
        raise UsageError(
            f"prompt '{prompt.name}' has no place for {{{{ document }}}}; use another one with {mode}"
        )
    return prompt


def _recalled(
    answer: Answer,
    mode: RecallMode,
    support: Support | None,
    evidence: tuple[Passage, ...],
    text: str,
    choice: Choice | None,
    reader: Reader,
) -> Recalled:
    return Recalled(
        answer=answer,
        mode=mode,
        support=support,
        evidence=marked(evidence, answer.text),
        document_tokens=len(reader.encode(text)),
        choice=choice,
    )


def _chooses(mode: RecallMode, prompt: Prompt | None, settings: GenerationSettings) -> bool:
    """Whether the answer is a phrase of the text: with passages in the prompt not where it is to be in other words."""
    own = prompt is not None and prompt.name != MODE_PROMPTS[mode]
    return mode == "spans" or (mode == "evidence" and not own and settings.temperature == 0)


def _searches(inquiries: Sequence[Inquiry], reader: Reader) -> list[Search | None]:
    """Where the text speaks of each question; each document is opened once."""
    opened = {id(each.pages): each for each in inquiries}
    written = {key: as_written(each.pages(), each.state, reader, each.budget) for key, each in opened.items()}
    return [search_statements(each.question or "", written[id(each.pages)]) for each in inquiries]


def what_is_shown(
    question: str, reader: Reader, pages: Callable[[], Sequence[str]], mode: RecallMode, most: int
) -> tuple[tuple[Passage, ...], str]:
    """What the model is shown of the document: the passages, if it is passages, and the text."""
    if mode == "evidence":
        longest = EVIDENCE_TOKENS // most
        found = passages(
            pages(),
            question,
            most=most,
            longest=longest,
            # The gap before it: a tokenizer may take a blank line that a word follows for two tokens.
            size=lambda text: len(reader.encode(BETWEEN_PAGES + text)),
        )
        return found, BETWEEN_PAGES.join(passage.text for passage in found)
    if mode == "full":
        text = BETWEEN_PAGES.join(pages())
        tokens, limit = len(reader.encode(text)), reader.backbone.context_length
        if tokens > limit:
            raise UsageError(
                f"the document has {tokens:,} tokens and {reader.backbone.name} takes at most {limit:,}; "
                "let it answer from the state or from evidence"
            )
        return (), text
    return (), ""
