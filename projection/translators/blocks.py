"""Translate the blocks of a corpus: words in, words out; what cannot be used is counted."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from projection.parallel import Unusable, Words
from projection.translators.base import LanguagePair, Translator
from projection.translators.memory import Observe, TranslationMemory, translate_once
from projection.translators.quality import check_languages, unusable
from projection.translators.text import to_text, to_words


@dataclass(frozen=True, slots=True)
class TranslatedBlocks:
    """Translations of blocks.

    Args:
        words: Of every block, in order; none where there is no usable translation.
        dropped: How many translations could not be used, by reason.
    """

    words: tuple[Words, ...]
    dropped: Counter[Unusable]

    def as_text(self) -> str:
        """One tokenised line a block; empty where there is no translation."""
        return "".join(" ".join(words) + "\n" for words in self.words)


def translate_blocks(
    blocks: Sequence[Words],
    wanted: Collection[int],
    translator: Translator,
    pair: LanguagePair,
    memory: TranslationMemory,
    observe: Observe = lambda _done, _of: None,
) -> TranslatedBlocks:
    """Detokenise, translate, tokenise and check.

    Args:
        blocks: Words of every block.
        wanted: Numbers of the blocks to translate; the others get no translation.
        translator: Of the running text.
        pair: The languages.
        memory: Where translations are kept.
        observe: Told after every batch.

    Raises:
        InputError: The translator lacks something, the memory cannot be used, or what came back is
            the source, copied.
        TranslationError: The translator failed.
    """
    chosen = [k for k in sorted(wanted) if blocks[k]]
    texts = [to_text(blocks[k], pair.source) for k in chosen]
    translated = translate_once(texts, translator, pair, memory, observe)
    words: list[Words] = [()] * len(blocks)
    for k, text in zip(chosen, translated, strict=True):
        words[k] = to_words(text, pair.target)
    sources = [blocks[k] for k in chosen]
    check_languages(sources, [words[k] for k in chosen], pair, translator.name)
    dropped: Counter[Unusable] = Counter()
    for k in chosen:
        reason = unusable(blocks[k], words[k])
        if reason:
            dropped[reason] += 1
            words[k] = ()
    return TranslatedBlocks(tuple(words), dropped)
