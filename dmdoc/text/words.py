"""The words of a text, and those of a question that tell what it is about. Knows nothing about documents."""

import re
from collections.abc import Sequence

# The Chinese and Japanese write no blanks between words, so each of their characters counts as one.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")

_NAME = re.compile(r"(?<=\s)[^\W\d_][\w'\u2019-]*|(?<!\w)\d[\d.,:]*\w*")

_FUNCTION_WORDS = """
a about after all also am an and any are as at be been before being but by can could did do does doing done each for
from had has have having he her hers him his how i if in into is it its itself many me more most much my no nor not of
on one or other our out over own s shall she should so some such t than that the their them then there these they this
those through to too under until up us very was we were what when where whether which while who whom whose why will
with would you your
"""

FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that stand in every text, and those that a question begins with."""


_FORMS = """
arise arose arisen; become became; begin began begun start started; bite bit bitten; blow blew blown; break broke
broken; bring brought; build built; buy bought buyer; catch caught; choose chose chosen; clean wash; come came; cost
price fee fare charge; deal dealt; die death; draw drew drawn; drink drank drunk; drive drove driven; eat ate eaten;
end finish; fall fell fallen; feed fed; feel felt; fight fought; find found; fly flew flown; forget forgot; forbid
forbade forbidden; freeze froze frozen; get got; give gave given; go went gone; grow grew grown; hear heard; hide
hid hidden; hold held keep kept; know knew known; lead led; leave left depart departure; lend lent; lie lay laid;
lose lost; make made; mean meant; meet met; pay paid payable; phone telephone call; repair fix; ride rode; ring
rang; rise rose; run ran; say said; see saw seen; seek sought; sell sold seller; send sent; shine shone; shoot shot;
sing sang; sink sank; sit sat; size large big; long length; wide width; high height tall; deep depth; heavy weight
weigh; hot temperature; sleep slept; speak spoke spoken; spend spent; stand stood; steal stole; strike struck; swim
swam; take took taken; teach taught; tell told; think thought; throw threw thrown; wear wore; win won; write wrote
written
"""

FORMS: dict[str, tuple[str, ...]] = {
    word: tuple(group.split()) for group in _FORMS.split(";") for word in group.split()
}
"""English words whose other forms do not begin alike, and a few of everyday that ask and answer the same."""

SHORT = 5
"""Letters; longer words that begin with so many of the same are taken for forms of one."""


LONG = 6
"""Letters; a longer word is looked for by its beginning, too: "treasury" where "treasurer" is asked for."""


def split_words(text: str) -> list[str]:
    """Its words in order, in lower case."""
    return _WORD.findall(text.lower())


def split_pieces(text: str, marks: str) -> list[str]:
    """Its words in lower case, and some marks, in order."""
    return re.findall(rf"{_WORD.pattern}|[{re.escape(marks)}]", text.lower())


def telling_words(text: str) -> list[str]:
    """Its words without FUNCTION_WORDS, each once, in order."""
    return list(dict.fromkeys(word for word in split_words(text) if word not in FUNCTION_WORDS))


def names(text: str) -> list[str]:
    """The words of its names and numbers, in lower case: what has a capital, but for the first word, or begins with a
    digit. "I" names nothing, nor does the "s" of "Anna's".
    """
    found = split_words(" ".join(each for each in _NAME.findall(text) if not each[0].islower()))
    return [word for word in found if word not in FUNCTION_WORDS]


def alike(one: str, other: str) -> bool:
    """Whether two words in lower case are, by their beginnings or FORMS, forms of one word."""
    if one in FORMS and other in FORMS[one]:
        return True
    if one[0].isdigit() or other[0].isdigit():
        return one == other
    short, long = sorted((one, other), key=len)
    if len(short) > SHORT:
        return short[:SHORT] == long[:SHORT]
    return long.startswith(short) and len(long) - len(short) <= min(2, len(short) - 1)


def words_query(words: Sequence[str]) -> str:
    """A query of SQLite's FTS5 for any of some words in lower case, their forms and what begins alike; may be ""."""
    return " OR ".join(map(_sought, words))


def _sought(word: str) -> str:
    forms = " OR ".join(f'"{form}"' for form in FORMS.get(word, (word,)))
    return f'{forms} OR "{word[: max(LONG - 1, len(word) - 3)]}"*' if len(word) >= LONG else forms
