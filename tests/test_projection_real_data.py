"""Native files are read as their copies are, and real alignments lose few spans."""

import pytest

from projection.aligners import PharaohFile
from projection.columns import read_columns
from projection.mapping import MAPPINGS
from projection.parallel import read_translation
from projection.project import count_projections, project_corpus
from projection.schemes import TagScheme
from projection.scoring import score_spans


def conll(folder, language, split):
    packed = ".gz" if split == "train" else ""
    return folder / f"ner/conll-2col/{language}/{language}.conll.{split}.tsv{packed}"


def size(file):
    return len(file.corpus.sentences), file.corpus.num_spans


@pytest.fixture(scope="module")
def english(real_data):
    return read_columns(conll(real_data, "en", "train"), "en").corpus


@pytest.mark.parametrize(
    ("language", "entities"), {"en": 702, "de": 693, "es": 697, "it": 693}.items()
)
def test_europarl_has_the_sentences_and_entities_of_its_readme(real_data, language, entities):
    path = real_data / f"ner/europarl/{language}-europarl.test.conll02"
    assert size(read_columns(path, language)) == (799, entities)


@pytest.mark.parametrize(
    ("native", "language", "scheme", "irregular", "encoding"),
    [
        ("conll2003-native/eng.testa", "en", TagScheme.IOB1, 0, "utf-8"),
        ("conll2003-native/deu.testa.gz", "de", TagScheme.IOB1, 1, "latin-1"),
        ("conll2002-native/esp.testa", "es", TagScheme.BIO, 1, "utf-8"),
        ("conll2002-native/ned.testa", "nl", TagScheme.BIO, 0, "utf-8"),
    ],
)
def test_native_files_hold_the_sentences_of_their_two_column_copies(
    real_data, native, language, scheme, irregular, encoding
):
    file = read_columns(real_data / "ner" / native, language, encoding=encoding)
    copy = read_columns(conll(real_data, language, "dev"), language)
    assert (file.detected.scheme, file.detected.irregular) == (scheme, irregular)
    differing = [
        one.id
        for one, other in zip(file.corpus.sentences, copy.corpus.sentences, strict=True)
        if one != other
    ]
    assert not differing


@pytest.mark.slow
@pytest.mark.parametrize("language", ["de", "es", "nl"])
def test_the_translations_of_conll_project_with_few_losses_and_as_others_projected_them(
    real_data, english, language
):
    folder = real_data / f"ner/conll-translated/en2{language}"
    translation = folder / "DeepL.fast_align.train.tsv.gz"
    links = folder / "DeepL.fast_align.train.grow_diag_final-and.talp.gz"
    corpus = read_translation(english, translation, language)
    projections = project_corpus(corpus, PharaohFile(links).align(corpus), MAPPINGS["span-to-span"])
    counts = count_projections(projections)
    assert len(projections) == counts.sentences == 14041
    assert counts.drop_rate < 0.03
    theirs = read_columns(translation, language).corpus.sentences
    blocks = {sentence.id.partition("-")[2]: sentence.spans for sentence in theirs}
    ours = {projection.sentence.id.partition("-")[2]: projection for projection in projections}
    common = sorted(blocks.keys() & ours.keys())
    scores = score_spans(
        [blocks[block] for block in common], [ours[block].sentence.spans for block in common]
    )
    assert scores.micro.f1 > 90  # they leave punctuation out and fill no gaps
