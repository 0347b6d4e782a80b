import subprocess
import sys

import pytest

PROGRAM = """
import sys
from dmdoc.text.tagger import tag_words
sentences = ["The barge leaves from pier 9/10 at 07:50.", "It cost $2.2 billion (1931). Dr. J. Ostrem said so.", ""]
tags = [[word.tag for word in tag_words(sentence)] for sentence in sentences]
assert tags[0][:3] == ["DT", "NN", "VBZ"], tags
assert not {"nltk", "scipy", "sklearn", "textblob"} & set(sys.modules), "more was imported than the parser"
from textblob import TextBlob
for sentence, own in zip(sentences, tags):
    assert [token.split("/")[-3] for token in str(TextBlob(sentence).parse()).split()] == own, sentence
"""


@pytest.mark.slow
def test_the_parser_of_textblob_is_loaded_without_what_its_package_imports() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
