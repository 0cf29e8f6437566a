"""Stands in for ``apertium-tagger`` in a pipeline of Apertium: every text gets a new tagger.

At the first word whose possible tags it was not trained with, the HMM tagger overwrites what it
takes unknown words for, until it ends (``find_similar_ambiguity_class`` in Apertium 3.8, seen in
eng-spa). With one tagger for many texts, a translation would depend on the texts before it. The
perceptron (``-x``) carries nothing over and takes long to load, so it serves all texts.

Run as a program, alone and without anything installed::

    python apertium_tagger.py /usr/bin/apertium-tagger -z -g eng-spa.prob < texts > tagged
"""

import os
import subprocess
import sys
from collections.abc import Sequence

END_OF_TEXT = b"\0"


def tag_one_by_one(command: Sequence[str], texts: bytes) -> bytes:
    """What ``command`` makes of each of ``texts``, which a zero byte ends."""
    tagged = []
    for text in texts.removesuffix(END_OF_TEXT).split(END_OF_TEXT):
        done = subprocess.run(command, input=text + END_OF_TEXT, capture_output=True, check=False)
        if done.returncode:
            sys.stderr.buffer.write(done.stderr)
            sys.exit(done.returncode)
        tagged.append(done.stdout.split(END_OF_TEXT)[0] + END_OF_TEXT)
    return b"".join(tagged)


def main() -> None:
    """Tag standard input with the program and the arguments of the command line."""
    command = sys.argv[1:]
    if is_perceptron(command[1:]):
        os.execv(command[0], command)
    sys.stdout.buffer.write(tag_one_by_one(command, sys.stdin.buffer.read()))


def is_perceptron(arguments: Sequence[str]) -> bool:
    """True if the arguments of ``apertium-tagger`` ask for the perceptron.

    >>> is_perceptron(["-z", "-gx", "eng-cat.prob"]), is_perceptron(["-z", "-g", "spa-x.prob"])
    (True, False)
    """
    return any(
        one == "--perceptron" or (one.startswith("-") and not one.startswith("--") and "x" in one)
        for one in arguments
    )


if __name__ == "__main__":
    main()
