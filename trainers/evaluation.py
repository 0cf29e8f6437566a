"""Tag a corpus with a model, and score it."""

import numpy as np
import torch
from numpy.typing import NDArray

from projection.records import Span
from projection.scoring import Scores, score_spans
from trainers.collation import collate
from trainers.committee import Committee
from trainers.decoding import Decoder, Decoding
from trainers.encoding import UNLABELLED, EncodedCorpus, TagVocabulary
from trainers.reading import PIECES_PER_BATCH, batches_by_length
from trainers.tagger import Tagger

AnyTagger = Tagger | Committee


def predict_tags(
    tagger: AnyTagger, corpus: EncodedCorpus, decoder: Decoder | None = None
) -> list[NDArray[np.int64]]:
    """Tag id of every word, sentence by sentence; words that were cut get ``O``.

    Args:
        tagger: Set to evaluation mode.
        corpus: Its labels, if it has any, are not read.
        decoder: Chooses the tags; without one each word has its best.

    Raises:
        FloatingPointError: A score is not finite; its argmax would look like a prediction.
    """
    scores_NL = _tag_scores(tagger, corpus)
    read_S = np.diff(corpus.first_ends, prepend=0)
    best_N = decoder(scores_NL, read_S) if decoder else scores_NL.argmax(axis=1)
    predicted = [np.zeros(words, dtype=np.int64) for words in np.diff(corpus.tag_ends, prepend=0)]
    for tags, read, end in zip(predicted, read_S, corpus.first_ends, strict=True):
        tags[:read] = best_N[end - read : end]
    return predicted


def _tag_scores(tagger: AnyTagger, corpus: EncodedCorpus) -> NDArray[np.float32]:
    """Scores before the softmax of every word that is read, ``(N, L)``."""
    tagger.eval()
    device = next(tagger.parameters()).device
    scores_NL = np.empty((len(corpus.firsts), tagger.num_tags), dtype=np.float32)
    ends = corpus.first_ends
    starts = ends - np.diff(ends, prepend=0)
    with torch.inference_mode():
        for which in batches_by_length(corpus.lengths, PIECES_PER_BATCH):
            scores = tagger(collate(corpus, which, tagger.padding, device))
            if not torch.isfinite(scores).all():
                raise FloatingPointError("a tag score is no number; the model is broken")
            rows = np.concatenate([np.arange(starts[k], ends[k]) for k in which])
            scores_NL[rows] = scores.float().cpu().numpy()
    return scores_NL


def predict_spans(
    tagger: AnyTagger,
    corpus: EncodedCorpus,
    tags: TagVocabulary,
    decoding: Decoding = Decoding.ARGMAX,
) -> list[list[Span]]:
    """Predicted spans of every sentence: whole, well-formed chunks of the predicted tags."""
    decoder = Decoder(tags.tags, tags.scheme, decoding)
    return [tags.decode(ids.tolist()) for ids in predict_tags(tagger, corpus, decoder)]


def evaluate(
    tagger: AnyTagger,
    corpus: EncodedCorpus,
    tags: TagVocabulary,
    decoding: Decoding = Decoding.ARGMAX,
) -> Scores:
    """Exact span scores on a labelled corpus; cut words count, as ``O``.

    Raises:
        ValueError: The corpus was encoded without its labels.
    """
    if (corpus.tags == UNLABELLED).any():
        raise ValueError("a corpus that was encoded without labels cannot be scored")
    gold = [tags.decode(corpus.tags_of(k).tolist()) for k in range(len(corpus))]
    return score_spans(gold, predict_spans(tagger, corpus, tags, decoding))
