"""Neural translation with a Hugging Face checkpoint: MarianMT, M2M100, NLLB."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from projection.errors import InputError
from projection.translators.base import LanguagePair, Limits
from trainers.backbones import checkpoint_hash, quiet_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PIECES_AT_ONCE = 2_048
"""Pieces of a batch, padding included."""
MARIAN, M2M100 = "marian", "m2m_100"
"""Families, as the checkpoints' config calls them; NLLB is of the second."""


class Seq2Seq:
    """Translates with beam search; sentences of similar length share a batch.

    Args:
        checkpoint: Local folder of the model; its weights as safetensors.
        beams: Width of the beam.
        max_pieces: Longest input and output; longer inputs are refused, not cut.
        codes: What the model calls languages, where that cannot be told from the ISO code.
        device: Where to run.

    Raises:
        InputError: Not a translation model, or of another family.
    """

    name = "seq2seq"
    limits = Limits(texts=256, characters=200_000)

    def __init__(
        self,
        checkpoint: Path,
        *,
        beams: int,
        max_pieces: int,
        codes: Mapping[str, str],
        device: torch.device,
    ) -> None:
        self._version = version_of(checkpoint, beams, max_pieces, codes)
        self._model, self._tokenizer = _load(checkpoint)
        self._model.to(device)  # type: ignore[arg-type]
        self._beams, self._max_pieces, self._device = beams, max_pieces, device
        self._codes = codes

    def version(self, pair: LanguagePair) -> str:
        """See :func:`version_of`.

        Raises:
            InputError: The model does not know a language.
        """
        self._languages(pair)
        return self._version

    def translate(self, texts: Sequence[str], pair: LanguagePair) -> list[str]:
        """Translate each of ``texts`` on its own.

        Raises:
            InputError: The model does not know a language, or a text is too long.
        """
        prefix, forced = self._prepare(pair)
        pieces = self._tokenizer([prefix + text for text in texts])["input_ids"]
        translated = [""] * len(texts)
        for which in _batches([len(one) for one in pieces]):
            self._check_length(texts, pieces, which)
            found = self._generate([pieces[k] for k in which], forced)
            for k, text in zip(which, found, strict=True):
                translated[k] = " ".join(text.split())
        return translated

    def _check_length(
        self, texts: Sequence[str], pieces: Sequence[Sequence[int]], which: Sequence[int]
    ) -> None:
        for k in which:
            if len(pieces[k]) > self._max_pieces:
                raise InputError(
                    f"a text of {len(pieces[k])} pieces is longer than the {self._max_pieces} of "
                    f"max_pieces: {texts[k][:60]!r}..."
                )

    @torch.inference_mode()
    def _generate(self, pieces: list[list[int]], forced: int | None) -> list[str]:
        inputs = self._tokenizer.pad({"input_ids": pieces}, return_tensors="pt").to(self._device)
        model: Any = self._model
        found = model.generate(
            **inputs,
            num_beams=self._beams,
            max_new_tokens=self._max_pieces,
            forced_bos_token_id=forced,
            do_sample=False,
        )
        texts: list[str] = self._tokenizer.batch_decode(found, skip_special_tokens=True)
        return texts

    def _prepare(self, pair: LanguagePair) -> tuple[str, int | None]:
        """What goes before each text, and the piece that each translation begins with."""
        source, target = self._languages(pair)
        if self._model.config.model_type == MARIAN:
            return (f"{target} " if target else ""), None
        self._tokenizer.src_lang = source
        return "", _piece(self._tokenizer, target)

    def _languages(self, pair: LanguagePair) -> tuple[str, str]:
        """What the model calls the two languages; "" where it has no name for them."""
        known = _known_codes(self._tokenizer)
        if self._model.config.model_type == MARIAN:
            return "", (self._code(pair.target, known) if known else "")
        return self._code(pair.source, known), self._code(pair.target, known)

    def _code(self, language: str, known: Sequence[str]) -> str:
        named = self._codes.get(language)
        for code in (named,) if named else _candidates(language):
            if code in known:
                return code
        raise InputError(
            f"the model has no language {language!r}; name its code in `codes`, one of: "
            + " ".join(known)
        )


def version_of(checkpoint: Path, beams: int, max_pieces: int, codes: Mapping[str, str]) -> str:
    """All that changes a translation: hash of the checkpoint, search settings, language codes."""
    named = [f"{language}={code}" for language, code in sorted(codes.items())]
    return " ".join([checkpoint_hash(checkpoint)[:12], f"{beams=}", f"{max_pieces=}", *named])


def _load(checkpoint: Path) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer

    with quiet_transformers():
        family = AutoConfig.from_pretrained(checkpoint).model_type
        if family not in (MARIAN, M2M100):
            raise InputError(
                f"{checkpoint}: expected a translation model of the family MarianMT, M2M100 or "
                f"NLLB, got {family}"
            )
        tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        model = AutoModelForSeq2SeqLM.from_pretrained(
            checkpoint, dtype=torch.float32, use_safetensors=True
        )
    model.eval()
    # Checkpoints carry a search of their own, which the settings here replace.
    model.generation_config.max_length = None
    return model, tokenizer


def _known_codes(tokenizer: "PreTrainedTokenizerBase") -> list[str]:
    """The languages of a multilingual model as its vocabulary writes them; none if it has one."""
    marian = getattr(tokenizer, "supported_language_codes", None)
    if marian is not None:
        return sorted(marian)
    m2m100 = getattr(tokenizer, "lang_code_to_id", None)
    if m2m100:
        return sorted(m2m100)
    special: list[str] = list(tokenizer.get_added_vocab())
    return sorted(one for one in special if re.fullmatch(r"[a-z]{3}_[A-Z][a-z]{3}", one))


def _candidates(language: str) -> Iterator[str]:
    """What models may call a language: Marian ``>>spa<<``, M2M100 ``es``, NLLB ``spa_Latn``."""
    import langcodes

    tag = langcodes.get(language)
    two, three = tag.language or language, tag.to_alpha3()
    yield from (two, f">>{two}<<", f">>{three}<<", f"{three}_{tag.maximize().script}")


def _piece(tokenizer: Any, code: str) -> int:
    by_code = getattr(tokenizer, "lang_code_to_id", None) or {}
    return int(by_code.get(code) or tokenizer.convert_tokens_to_ids(code))


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Which texts are translated together: similar lengths, within ``PIECES_AT_ONCE``."""
    batch: list[int] = []
    for k in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[k] > PIECES_AT_ONCE:
            yield batch
            batch = []
        batch.append(k)
    if batch:
        yield batch
