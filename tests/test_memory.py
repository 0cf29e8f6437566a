"""Peak memory is that of the moment asked about, and the largest batch is what is measured."""

import numpy as np
import torch

from tests.examples import GERMAN, SPANISH, encoded, tagger
from trainers.encoding import EncodedCorpus
from trainers.memory import MIB, measure_evaluation, measure_training, peak_memory


def test_a_peak_is_seen_after_it_is_gone_and_earlier_ones_are_not():
    with peak_memory() as small:
        pass
    with peak_memory() as large:
        np.ones(64 * MIB, dtype=np.uint8)
    with peak_memory() as after:
        pass
    assert 60 * MIB < large().process - small().process < 80 * MIB
    assert after().process < large().process - 50 * MIB


def test_training_takes_more_than_tagging_and_a_larger_batch_more_than_a_small_one(tiny_xlmr):
    corpus = encoded(tiny_xlmr, GERMAN)

    def build():
        return tagger(tiny_xlmr, dropout=0.1)

    tagging = measure_evaluation(build, corpus).process
    small = measure_training(build, corpus, 1, seed=1).process
    large = measure_training(build, corpus, 4096, seed=1).process
    assert tagging < large
    assert small + 20 * MIB < large


def test_a_model_that_diverges_is_measured_all_the_same(tiny_xlmr):
    def build():
        model = tagger(tiny_xlmr, dropout=0.1)
        with torch.no_grad():
            model.output.bias.fill_(float("nan"))
        return model

    corpus = encoded(tiny_xlmr, GERMAN)
    assert measure_training(build, corpus, 2, seed=1).process > 0
    assert measure_evaluation(build, corpus).process > 0


def test_one_sentence_of_a_corpus_is_that_sentence(tiny_xlmr):
    corpus = EncodedCorpus.concatenate([encoded(tiny_xlmr, GERMAN), encoded(tiny_xlmr, SPANISH)])
    for k in range(len(corpus)):
        one = corpus.only(k)
        assert len(one) == 1
        assert one.lengths[0] == corpus.lengths[k]
        assert one.tags_of(0).tolist() == corpus.tags_of(k).tolist()
        assert one.firsts_of(0).tolist() == corpus.firsts_of(k).tolist()
