"""Trained models at hand for tests: one model is tested on many languages, often by one process."""

from collections import OrderedDict
from typing import TYPE_CHECKING

from orchestrator.steps.base import Surroundings
from orchestrator.steps.model import TrainedStep
from orchestrator.steps.vote import VoteStep
from orchestrator.steps.warmup import WEIGHTS

if TYPE_CHECKING:
    from trainers.evaluation import AnyTagger
    from trainers.tagger import Tagger

MODELS_AT_HAND = 1
"""Models that a process keeps: the next test is most likely one of the same model."""

_at_hand: "OrderedDict[tuple[str, str, str], AnyTagger]" = OrderedDict()


def trained_tagger(model: TrainedStep, around: Surroundings) -> "AnyTagger":
    """The tagger of a finished ``model``, to be read only.

    Its weights are mapped from the file and not copied: on processors, all processes of a node that
    test one model share one copy, the page cache's. A process that tested it before has it still.
    """
    key = (str(around.store.location), model.fingerprint, str(around.device))
    if key not in _at_hand:
        while len(_at_hand) >= MODELS_AT_HAND:
            _at_hand.popitem(last=False)
        _at_hand[key] = _any_loaded(model, around)
    _at_hand.move_to_end(key)
    return _at_hand[key]


def _any_loaded(model: TrainedStep, around: Surroundings) -> "AnyTagger":
    if not isinstance(model, VoteStep):
        return _loaded(model, around)
    from trainers.committee import Committee

    return Committee([_loaded(member, around) for member in model.models])


def _loaded(model: TrainedStep, around: Surroundings) -> "Tagger":
    import torch

    from trainers.checkpoints import map_weights

    tagger = model.build(around.store, torch.device("cpu"))
    map_weights(tagger, around.store.folder(model) / WEIGHTS)
    return tagger.to(around.device)
