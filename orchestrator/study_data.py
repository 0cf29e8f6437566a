"""What the data settings of a study stand for: corpora, translations, links."""

from orchestrator.data_settings import FileSettings
from orchestrator.steps.sources import InputDataset, InputFile, Source
from orchestrator.steps.translate import TranslateStep, translator_version
from orchestrator.study import Study
from projection.aligners import PharaohFile
from projection.corpora import Format, Part, Side
from projection.errors import InputError
from projection.hub import HubSettings
from projection.inputs import check_inputs
from projection.parallel import read_parallel_text
from projection.records import Corpus
from projection.translators import LanguagePair, TranslatorSettings
from projection.translators.quality import read_usable


class StudyData:
    """The data of a study by what it is for."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._data = study.data
        self._datasets: dict[HubSettings, InputDataset] = {}

    @property
    def train(self) -> Source:
        """The labelled source training corpus."""
        return self._source(self._data.train, self._study.source, self._part(Side.TRAIN))

    @property
    def dev(self) -> Source:
        """The labelled source development set."""
        file = self._data.dev or self._data.train
        return self._source(file, self._study.source, self._part(Side.DEV))

    def test(self, language: str) -> Source:
        """The labelled test set of a target language."""
        return self._source(self._data.test_of(language), language)

    def translation(self, language: str) -> "InputFile | TranslateStep":
        """The translation of the training corpus: a file, or the step that makes it."""
        found = self._data.translation_of(language)
        if isinstance(found, FileSettings):
            return self.file(found, language)
        return self._translate(found, LanguagePair(self._study.source, language))

    def given_labels(self, language: str) -> Source | None:
        """The translation as a labelled corpus, where it came with labels of its own."""
        found = self._data.translation_of(language)
        if isinstance(found, FileSettings) and found.labelled:
            return self._source(found, language)
        return None

    def links(self, language: str) -> InputFile | None:
        """Alignments that were made before."""
        path = self._data.links
        return InputFile.at(self._study.path(path, language)) if path else None

    def parallel_text(self, language: str) -> tuple[InputFile, ...]:
        """More text for statistical aligners."""
        return tuple(self.file(extra, language) for extra in self._data.parallel_text)

    def file(self, settings: FileSettings, language: str) -> InputFile:
        """A single file."""
        return InputFile.at(self._study.path(settings.path[0], language), settings.encoding)

    def _part(self, side: Side) -> Part | None:
        share = self._data.dev_share
        return None if share is None else Part(side, share, self._data.dev_seed)

    def _source(
        self, settings: FileSettings | HubSettings, language: str, part: Part | None = None
    ) -> Source:
        task = self._study.task
        if isinstance(settings, HubSettings):
            files: tuple[InputFile | InputDataset, ...] = (self._dataset(settings, language),)
            form = Format.COLUMNS
        else:
            paths = [self._study.path(path, language) for path in settings.path]
            files = tuple(InputFile.at(path, settings.encoding) for path in paths)
            form = settings.format or task.form
        return Source(files=files, language=language, form=form, labels=task.labels, part=part)

    def _dataset(self, settings: HubSettings, language: str) -> InputDataset:
        """Looked at once: what a dataset holds is known only when all of it is read."""
        place = self._study.dataset(settings, language)
        if place not in self._datasets:
            self._datasets[place] = InputDataset.at(place)
        return self._datasets[place]

    def _translate(self, settings: TranslatorSettings, pair: LanguagePair) -> TranslateStep:
        return TranslateStep(
            source=self.train,
            pair=pair,
            translator=settings.translator,
            version_of_translator=translator_version(settings, pair),
            settings=settings,
        )

    def check(self) -> Corpus:
        """Read every data file once, so that a bad row is found before anything is started.

        That the files exist is checked where the study is read. A label of the development set that
        the training corpus lacks is refused, because no model could learn it; one of a test set
        counts against every model.

        Returns:
            The labelled source training corpus.

        Raises:
            InputError: The first thing that is wrong, with file and line.
        """
        train = self._checked(self.train)
        known = self._study.task.labels_in(train.sentences)
        _refuse_other_labels(self.dev, self._checked(self.dev), known)
        for target in self._study.targets:
            self._checked(self.test(target))
        for target in self._study.translated:
            self._check_parallel(train, target)
        return train

    def _checked(self, source: Source) -> Corpus:
        corpus = source.read()
        try:
            check_inputs(corpus.sentences, self._study.task.inputs)
        except InputError as error:
            raise InputError(f"{source.paths}: {error}") from None
        return corpus

    def _check_parallel(self, train: Corpus, language: str) -> None:
        translation, links = self.translation(language), self.links(language)
        if isinstance(translation, InputFile):
            pairs = read_usable(train, translation.path, language, encoding=translation.encoding)
            if given := self.given_labels(language):
                known = self._study.task.labels_in(train.sentences)
                _refuse_other_labels(given, self._checked(given), known)
            elif links:
                PharaohFile(links.path).align(pairs)
        elif links:
            raise InputError(
                "data.aligner names a file of links, but the translations are yet to be made; "
                "choose another aligner"
            )
        for extra in self.parallel_text(language):
            read_parallel_text(extra.path, extra.encoding)


def _refuse_other_labels(source: Source, corpus: Corpus, known: tuple[str, ...]) -> None:
    for sentence in corpus.sentences:
        for span in sentence.spans:
            if span.label not in known:
                raise InputError(
                    f"{source.paths}: the label {span.label} (sentence {sentence.id}) does not "
                    f"occur in the training corpus, which has {' '.join(known)}"
                )
