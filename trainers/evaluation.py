"""Tag a corpus with a model, and score it."""

import numpy as np
import torch
from numpy.typing import NDArray

from projection.records import Span
from projection.scoring import Scores, score_spans
from trainers.collation import collate
from trainers.encoding import UNLABELLED, EncodedCorpus, TagVocabulary
from trainers.reading import PIECES_PER_BATCH, batches_by_length
from trainers.tagger import Tagger


def predict_tags(tagger: Tagger, corpus: EncodedCorpus) -> list[NDArray[np.int64]]:
    """Best tag id of every word, sentence by sentence; words that were cut get ``O``.

    Raises:
        FloatingPointError: A score is not finite; its argmax would look like a prediction.
    """
    tagger.eval()
    device = next(tagger.parameters()).device
    predicted: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * len(corpus)
    with torch.inference_mode():
        for which in batches_by_length(corpus.lengths, PIECES_PER_BATCH):
            batch = collate(corpus, which, tagger.padding, device)
            scores = tagger(batch)
            if not torch.isfinite(scores).all():
                raise FloatingPointError("a tag score is no number; the model is broken")
            best = scores.argmax(dim=-1).cpu().numpy()
            start = 0
            for k in which:
                read = int(corpus.first_ends[k] - (corpus.first_ends[k - 1] if k else 0))
                tags = np.zeros(len(corpus.tags_of(k)), dtype=np.int64)
                tags[:read] = best[start : start + read]
                predicted[k] = tags
                start += read
    return predicted


def predict_spans(tagger: Tagger, corpus: EncodedCorpus, tags: TagVocabulary) -> list[list[Span]]:
    """Predicted spans of every sentence: whole, well-formed chunks of the predicted tags."""
    return [tags.decode(ids.tolist()) for ids in predict_tags(tagger, corpus)]


def evaluate(tagger: Tagger, corpus: EncodedCorpus, tags: TagVocabulary) -> Scores:
    """Exact span scores on a labelled corpus; cut words count, as ``O``.

    Raises:
        ValueError: The corpus was encoded without its labels.
    """
    if (corpus.tags == UNLABELLED).any():
        raise ValueError("a corpus that was encoded without labels cannot be scored")
    gold = [tags.decode(corpus.tags_of(k).tolist()) for k in range(len(corpus))]
    return score_spans(gold, predict_spans(tagger, corpus, tags))
