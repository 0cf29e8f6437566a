"""The public corpora have the sizes that were counted for them by hand-written scripts.

``PAPER`` marks the sizes that are those of the paper's Tables 7 to 9, too. Skipped where the
corpora are not at hand.
"""

import pytest
import yaml

from projection.corpora import Format, read_corpus

NER_LABELS = ("PER", "LOC", "ORG", "MISC")
POLARITIES = ("POS", "NEG", "NEU")

NER = {
    ("en", "train"): (14041, 23499),
    ("en", "dev"): (3250, 5942),
    ("en", "test"): (3453, 5648),
    ("es", "train"): (8323, 18798),
    ("es", "dev"): (1915, 4352),
    ("es", "test"): (1517, 3559),
    ("de", "train"): (12152, 11851),
    ("de", "dev"): (2867, 4833),
    ("de", "test"): (3005, 3673),
    ("nl", "train"): (15806, 13344),
    ("nl", "dev"): (2895, 2616),
    ("nl", "test"): (5195, 3941),
}
"""Sentences and entities; those of Dutch that begin with ``-DOCSTART-`` count, as in the paper."""

NATIVE = {
    "conll2002-native/esp.testa": ("es", "dev"),
    "conll2002-native/esp.testb": ("es", "test"),
    "conll2002-native/ned.testa": ("nl", "dev"),
    "conll2002-native/ned.testb": ("nl", "test"),
    "conll2003-native/eng.testa": ("en", "dev"),
    "conll2003-native/eng.testb": ("en", "test"),
    "conll2003-native/deu.testa.gz": ("de", "dev"),
    "conll2003-native/deu.testb.gz": ("de", "test"),
}

UP = "srl/up-1.0/UP_"
SRL = {
    ("en", "train"): (["srl/up-english/en-up-train.rebuilt"], 10908, 10199, 33365, 81374),
    ("en", "dev"): (["srl/up-english/en-up-dev"], 1632, 1449, 4089, 9543),
    ("en", "test"): (["srl/up-english/en-up-test"], 1634, 1425, 3916, 9283),
    ("fr", "dev"): ([f"{UP}French/fr-up-dev"], 1596, 1523, 3043, 4138),
    ("fr", "test"): ([f"{UP}French/fr-up-test"], 298, 275, 635, 895),
    ("es", "dev"): (
        [f"{UP}Spanish/es-up-dev", f"{UP}Spanish-AnCora/es_ancora-up-dev"],
        1552 + 1654,
        1481 + 1524,
        3700 + 4574,
        7358 + 9526,
    ),
    ("es", "test"): (
        [f"{UP}Spanish/es-up-test", f"{UP}Spanish-AnCora/es_ancora-up-test"],
        274 + 1721,
        263 + 1584,
        847 + 4590,
        1646 + 9737,
    ),
    ("de", "dev"): ([f"{UP}German/de-up-dev"], 799, 717, 1180, 2844),
    ("de", "test"): ([f"{UP}German/de-up-test"], 977, 815, 1317, 3317),
    ("it", "dev"): ([f"{UP}Italian/it-up-dev"], 489, 439, 1009, 2084),
    ("it", "test"): ([f"{UP}Italian/it-up-test"], 489, 453, 1014, 2154),
    ("pt", "dev"): ([f"{UP}Portuguese-Bosque/pt_bosque-up-train"], 938, 848, 2071, 4166),
    ("pt", "test"): ([f"{UP}Portuguese-Bosque/pt_bosque-up-test"], 936, 851, 2107, 4159),
    ("fi", "dev"): ([f"{UP}Finnish/fi-up-dev"], 716, 664, 1477, 3115),
    ("fi", "test"): ([f"{UP}Finnish/fi-up-test"], 648, 611, 1451, 3063),
}
"""Files; sentences, those with a predicate, predicates, arguments. Spanish is two treebanks; the
Portuguese files of dev and train have each other's name."""

ABSA = {
    "en": ((1600, 1377), (400, 365), (676, 612)),
    "fr": ((1332, 1294), (332, 345), (668, 649)),
    "es": ((1656, 1500), (414, 353), (881, 713)),
    "tr": ((986, 1083), (246, 271), (144, 148)),
    "nl": ((1378, 956), (344, 274), (575, 373)),
    "ru": ((2924, 2439), (731, 629), (1209, 945)),
}
"""Sentences and targets of train, dev and test."""

SMT = {"es": (1571, 1341), "fr": (1573, 1338), "nl": (1586, 1357), "ru": (1577, 1344)}
CODE_SWITCHED = {
    "en-es": 1571,
    "en-fr": 1572,
    "en-nl": 1586,
    "en-ru": 1577,
    **dict.fromkeys(("es-en", "fr-en", "nl-en", "ru-en"), 1600),
}
OTE = {
    "en": ((2000, 1743), (676, 612)),
    "es": ((2070, 1858), (881, 713)),
    "fr": ((1664, 1641), (668, 650)),
    "nl": ((1722, 1228), (575, 373)),
    "ru": ((3655, 3076), (1209, 946)),
    "tr": ((1232, 1367), (144, 158)),
}
GOLD_PROJECTIONS = {
    "en2es/DeepL.Iker.train": (2000, 1724),
    "en2es/DeepL.Iker.test": (676, 605),
    "en2fr/Nayla.DeepL.train": (2000, 1720),
    "en2fr/Nayla.DeepL.test": (676, 605),
}
XML = {
    "en/ABSA16_Restaurants_Train_SB1_v2": (2000, 63, 1743, 2507),
    "en/EN_REST_SB1_TEST_gold": (676, 34, 612, 859),
    "nl/restaurants_dutch_training": (1722, 11, 1231, 1860),
}
"""Sentences, those out of scope, targets (one Dutch one overlaps another), opinions."""


@pytest.fixture(scope="module")
def paper(request):
    path = request.config.rootpath / "experiments" / "paper" / "numbers.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def size(corpus):
    return len(corpus.sentences), corpus.num_spans


def packed(path):
    """``path`` or its gzipped form, whichever there is."""
    return path if path.exists() else path.with_name(f"{path.name}.gz")


@pytest.mark.parametrize(("language", "split"), NER)
def test_named_entities_are_those_of_the_paper(real_data, paper, language, split):
    path = packed(real_data / f"ner/conll-2col/{language}/{language}.conll.{split}.tsv")
    corpus = read_corpus([path], language, labels=NER_LABELS)
    assert size(corpus) == NER[language, split]
    sentences, entities = paper["table7"][language][split]
    one_less = (language, split) in {("es", "dev"), ("es", "test")}
    assert size(corpus) == (sentences, entities + one_less)


@pytest.mark.parametrize("name", NATIVE)
def test_native_files_have_the_sizes_of_their_two_column_copies(real_data, name):
    language, split = NATIVE[name]
    encoding = "latin-1" if language == "de" else "utf-8"
    corpus = read_corpus([real_data / "ner" / name], language, labels=NER_LABELS, encoding=encoding)
    assert size(corpus) == NER[language, split]


@pytest.mark.parametrize(("language", "split"), SRL)
def test_predicates_and_arguments_are_those_of_the_public_banks(real_data, paper, language, split):
    names, sentences, with_predicate, predicates, arguments = SRL[language, split]
    files = [packed(real_data / f"{name}.conllu") for name in names]
    corpus = read_corpus(files, language, Format.PROPBANK)
    assert len(corpus.blocks) == sentences == paper["table9"][language][split][0]
    assert len(set(corpus.block_of)) == with_predicate
    assert corpus.left_out["blocks without a predicate"] == sentences - with_predicate
    assert size(corpus) == (predicates, arguments)
    assert (predicates == paper["table9"][language][split][1]) == (language != "en")


@pytest.mark.parametrize("split", ["dev", "test"])
def test_english_of_the_paper_is_the_ewt_bank_without_sentences_of_three_words(
    real_data, paper, split
):
    path = real_data / f"{UP}English-EWT/en_ewt-up-{split}.conllu.gz"
    corpus = read_corpus([path], "en", Format.PROPBANK)
    assert len(corpus.blocks) == {"dev": 2002, "test": 2077}[split]
    sentences = sum(len(block) > 3 for block in corpus.blocks)
    predicates = sum(len(one.tokens) > 3 for one in corpus.sentences)
    assert [sentences, predicates] == paper["table9"]["en"][split]


@pytest.mark.parametrize("split", ["dev", "test"])
def test_arguments_on_heads_have_the_sizes_of_those_on_first_words_and_show_the_hyphens(
    real_data, split
):
    first, heads = (
        read_corpus([real_data / f"srl/{name}-{split}.conllu.gz"], "en", Format.PROPBANK)
        for name in ("up-english/en-up", "up-english-heads/en-up-heads")
    )
    assert size(first) == size(heads)
    words = [
        pair
        for blocks in zip(first.blocks, heads.blocks, strict=True)
        for pair in zip(*blocks, strict=True)
    ]
    assert sum(word == "-" for _, word in words) == {"dev": 138, "test": 167}[split]
    assert sum(ours != theirs for ours, theirs in words) == {"dev": 2, "test": 0}[split]


@pytest.mark.parametrize("language", ABSA)
def test_targets_of_the_tokenised_reviews(real_data, paper, language):
    sizes = tuple(
        size(
            read_corpus(
                [real_data / f"absa/xabsa/gold-{language}-{split}.txt"],
                language,
                Format.CHUNKS,
                labels=POLARITIES,
            )
        )
        for split in ("train", "dev", "test")
    )
    assert sizes == ABSA[language]
    (train, _), (dev, _), (test, _) = sizes
    published = paper["table8"][language]
    exact = [train + dev, test] == [published["train"][0], published["test"][0]]
    assert exact == (language in ("en", "es"))


@pytest.mark.parametrize("language", SMT)
def test_targets_of_the_translated_reviews(real_data, language):
    path = real_data / f"absa/xabsa/smt-{language}-train.txt"
    corpus = read_corpus([path], language, Format.CHUNKS, labels=POLARITIES)
    assert size(corpus) == SMT[language]


@pytest.mark.parametrize("pair", CODE_SWITCHED)
def test_code_switched_reviews_are_read_with_their_stray_prefixes(real_data, pair):
    path = real_data / f"absa/xabsa/cs_{pair}-train.txt"
    corpus = read_corpus([path], pair[:2], Format.CHUNKS, labels=POLARITIES)
    assert len(corpus.sentences) == CODE_SWITCHED[pair]


@pytest.mark.parametrize("language", OTE)
def test_opinion_targets_without_polarity(real_data, language):
    folder = real_data / "absa/semeval16-ote/original"
    sizes = tuple(
        size(read_corpus([folder / f"{language}.absa.{split}.tsv"], language))
        for split in ("train", "test")
    )
    assert sizes == OTE[language]


@pytest.mark.parametrize("name", GOLD_PROJECTIONS)
def test_targets_that_were_projected_by_hand(real_data, name):
    path = real_data / f"absa/semeval16-ote/manual_projections/{name}.tsv"
    assert size(read_corpus([path], "es", Format.CHUNKS)) == GOLD_PROJECTIONS[name]


@pytest.mark.parametrize("name", XML)
def test_targets_and_opinions_of_the_native_reviews(real_data, name):
    path = real_data / f"absa/semeval16-xml/{name}.xml"
    corpus = read_corpus([path], name[:2], Format.SEMEVAL, labels=POLARITIES)
    opinions = sum(n for why, n in corpus.left_out.items() if "opinions" in why)
    found = (
        len(corpus.blocks),
        corpus.left_out["sentences out of scope"],
        corpus.num_spans,
        corpus.num_spans + opinions,
    )
    assert found == XML[name]


def letters(words):
    """The text without spaces and hyphens, which the tokenised files treat in their own way."""
    return "".join(words).replace("-", "").lower()


def placed(sentence):
    """Targets by the letters before and in them."""
    starts = [len(letters(sentence.tokens[:k])) for k in range(len(sentence.tokens) + 1)]
    return [(starts[span.start], starts[span.end], span.label) for span in sentence.spans]


def test_of_opposite_opinions_the_first_counts_as_in_the_files_that_the_authors_tokenised(
    real_data,
):
    tokenised: dict[str, list] = {}
    for split in ("train", "dev", "test"):
        path = real_data / f"absa/xabsa/gold-en-{split}.txt"
        for one in read_corpus([path], "en", Format.CHUNKS).sentences:
            tokenised.setdefault(letters(one.tokens), []).append(placed(one))
    ours = [
        one
        for name in XML
        if name.startswith("en/")
        for one in read_corpus(
            [real_data / f"absa/semeval16-xml/{name}.xml"], "en", Format.SEMEVAL
        ).sentences
    ]
    differing = [one for one in ours if placed(one) not in tokenised[letters(one.tokens)]]
    # Two targets that touch are one in files without boundary marks.
    assert len(ours) == 2579
    assert [len(one.spans) for one in differing] == [2]


def test_a_corpus_with_too_many_broken_chunks_is_refused(real_data):
    from projection.errors import InputError

    path = real_data / "absa/semeval16-ote/translated/en2tr/m2m100.awesome.train.tsv"
    with pytest.raises(InputError, match="mixed tag schemes: 1646 spans follow bio but 24 have I-"):
        read_corpus([path], "tr")
