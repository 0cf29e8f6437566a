"""The model card of an exported model: what it tags, what it was trained on, how well it does."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestrator.trained import TrainedModel
from projection.inputs import Input
from trainers.backbones import BUNDLED_PREFIX
from trainers.bundled import BUNDLED

FRONT = "---\n"

INTRODUCTION = """\
# {name}

Tags {labels} ({scheme}) in {languages}. Trained by xlwarm{study} from `{backbone}`:
{training}.

## Use

```python
from transformers import pipeline

tag = pipeline(
    "token-classification",
    model="{folder}",
    aggregation_strategy="simple",
    trust_remote_code=True,
)
print(tag({example}))
```

No xlwarm is needed; `xlwarm predict {folder}` gives the same spans.

`trust_remote_code=True` runs `span_pipeline.py` of this folder, which is short: read it. It is
needed because a word's tag is that of its first piece alone. The pipeline of transformers asks
every piece, and this model was never trained to say anything about the others.

{model_class}
"""

LINEAR = """\
The model itself is an ordinary `{class_name}`. Without that option,
`AutoModelForTokenClassification.from_pretrained` loads it, for those who read first pieces
themselves."""

OWN = """\
The model, an encoder with inputs beside the words, is in `input_tagger.py`. A sentence comes with
{inputs}."""

UNKNOWN_LICENCE = """\
* Training data: xlwarm does not know its licence. Many corpora of this kind (CoNLL, SemEval) are
  for research only, and so are models trained on them. State it before you pass this on."""

SHOWN_VERSIONS = ("xlwarm", "torch", "transformers")


def model_card(model: TrainedModel, class_name: str, checkpoint: Path, folder: Path) -> str:
    """Markdown with YAML before it, as the Hugging Face hub reads it.

    Args:
        model: That was exported.
        class_name: Of transformers.
        checkpoint: Folder of the backbone, whose own card may name its licence.
        folder: That it was exported to.
    """
    licence = backbone_licence(model.backbone, checkpoint)
    parts = [
        FRONT + yaml.safe_dump(_front(model), sort_keys=False, allow_unicode=True) + FRONT,
        _introduction(model, class_name, folder),
        "\n".join(_scores(model)),
        "\n".join(_data(model)),
        "\n".join(_licences(model, licence)),
        "\n".join(_settings(model)),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _languages(model: TrainedModel) -> list[str]:
    source = model.encoding["inputs"]["source_language"]
    tested = [record["inputs"]["language"] for record in model.evaluations]
    return list(dict.fromkeys([source, *model.record["inputs"]["languages"], *tested]))


def _front(model: TrainedModel) -> dict[str, Any]:
    front: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "token-classification",
        "language": _languages(model),
        "license": "other",
        "license_name": "see-below",
        "tags": ["xlwarm", "cross-lingual", "token-classification"],
    }
    if not model.backbone.startswith(BUNDLED_PREFIX) and not _is_folder(model.backbone):
        front["base_model"] = model.backbone
    return front


def _is_folder(backbone: str) -> bool:
    return Path(backbone).expanduser().is_dir()


def _shown(backbone: str) -> str:
    """Its name; where a folder lies on this machine is nobody's business."""
    return Path(backbone).name if _is_folder(backbone) else backbone


def _introduction(model: TrainedModel, class_name: str, folder: Path) -> str:
    encoded = model.encoding["inputs"]
    inputs = [Input(name) for name in encoded["inputs"]]
    own = OWN.format(inputs=" and ".join(_INPUTS[one] for one in inputs) or "nothing else")
    linear = LINEAR.format(class_name=class_name)
    return INTRODUCTION.format(
        name=f"{model.study}: {model.name}" if model.study else model.name,
        labels=" ".join(encoded["labels"]),
        scheme=encoded["scheme"].upper(),
        languages=" ".join(_languages(model)),
        study=f" (study `{model.study}`, strategy `{model.spec.strategy}`)" if model.spec else "",
        backbone=_shown(model.backbone),
        training=_training(model),
        folder=folder.name,
        example=_EXAMPLE if inputs else '"Anna Berg visited Oslo."',
        model_class=linear if class_name.endswith("ForTokenClassification") else own,
    )


_INPUTS = {Input.POS: "its universal POS tags", Input.PREDICATE: "the place of its predicate"}
_EXAMPLE = '{"tokens": ["She", "left"], "pos": ["PRON", "VERB"], "predicate": 1}'


def _training(model: TrainedModel) -> str:
    inputs, warmup = model.record["inputs"], model.warmup
    source = model.encoding["inputs"]["source_language"]
    corpora = [
        f"labelled {one}" if one == source else f"{one} translations with projected labels"
        for one in inputs["languages"]
    ]
    layers = model.encoding["inputs"]["num_layers"]
    cut = f"its first {layers} layers, " if layers else ""
    models = len(inputs.get("models", ()))
    mean = f"the mean of the weights of {models} models, together " if models else ""
    trained = f"{cut}{mean}trained on {' and '.join(corpora)}, seed {inputs['seed']}"
    if not warmup:
        return trained
    some = "some of them " if models else ""
    languages = " ".join(warmup["inputs"]["languages"])
    return f"{trained}, {some}after a multilingual warm-up on {languages}"


def _scores(model: TrainedModel) -> Iterator[str]:
    source = model.encoding["inputs"]["source_language"]
    yield "## Scores\n"
    yield "Exact span F1 in percent.\n"
    yield "| language | F1 | precision | recall | by label |"
    yield "|---|---|---|---|---|"
    for record in model.evaluations:
        micro, labels = record["outputs"]["micro"], record["outputs"]["labels"]
        each = ", ".join(f"{name} {score['f1']:.2f}" for name, score in sorted(labels.items()))
        yield (
            f"| {record['inputs']['language']} test | {micro['f1']:.2f} | "
            f"{micro['precision']:.2f} | {micro['recall']:.2f} | {each} |"
        )
    yield f"| {source} dev (selected the model) | {model.record['outputs']['dev_f1']:.2f} | | | |"


def _data(model: TrainedModel) -> Iterator[str]:
    encoded = model.encoding["inputs"]
    yield "## Data\n"
    yield "Behind a file stand the first digits of the SHA-256 of its bytes.\n"
    yield f"* Training, {encoded['source_language']}: {_files(model, encoded['train'])}"
    yield f"* Development, {encoded['source_language']}: {_files(model, encoded['dev'])}"
    seen = set(model.record["inputs"]["languages"])
    seen |= set(model.warmup["inputs"]["languages"]) if model.warmup else set()
    for record in model.projections:
        inputs, outputs = record["inputs"], record["outputs"]
        if inputs["language"] in seen:
            yield (
                f"* Projected labels, {inputs['language']}: {outputs['sentences']} sentences, "
                f"{outputs['kept']} spans, {100 * outputs['drop_rate']:.1f} % of the spans lost; "
                f"aligner `{inputs['aligner']}`, mapping `{inputs['mapping']['rule']}`"
            )
    for record in model.evaluations:
        inputs, sentences = record["inputs"], record["outputs"]["sentences"]
        files = _files(model, inputs["test"])
        yield f"* Test, {inputs['language']}: {sentences} sentences, {files}"


def _files(model: TrainedModel, source: Mapping[str, Any]) -> str:
    contents = [file["content"] for file in source["files"]]
    return ", ".join(f"{model.file_names.get(one, 'a file')} `{one[:12]}`" for one in contents)


def _licences(model: TrainedModel, licence: str | None) -> Iterator[str]:
    yield "## Licence\n"
    stated = f"licence: {licence}" if licence else "look up its licence"
    yield f"* Backbone `{_shown(model.backbone)}`: {stated}."
    yield UNKNOWN_LICENCE
    yield "* The Python files in this folder are xlwarm's: Apache-2.0."


def backbone_licence(name: str, checkpoint: Path) -> str | None:
    """The licence that comes with the backbone, as far as its card says."""
    bundled = BUNDLED.get(name.removeprefix(BUNDLED_PREFIX))
    if name.startswith(BUNDLED_PREFIX) and bundled:
        return bundled.licence
    card = checkpoint / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    if not text.startswith(FRONT):
        return None
    front = yaml.safe_load(text.removeprefix(FRONT).partition(f"\n{FRONT}")[0])
    stated = front.get("license") if isinstance(front, Mapping) else None
    return str(stated) if stated else None


def _settings(model: TrainedModel) -> Iterator[str]:
    record = model.record
    versions = record["versions"]
    yield "## How it was made\n"
    if averaged := record["inputs"].get("models"):
        yield f"* average `{model.fingerprint}` of the models {', '.join(averaged)}"
    else:
        yield f"* finetune `{model.fingerprint}`, best step {record['outputs']['best_step']}"
        yield f"* training `{json.dumps(record['inputs']['training'])}`"
    if model.warmup:
        yield f"* warm-up `{json.dumps(model.warmup['inputs']['settings'])}`"
    shown = [f"{name} {versions[name]}" for name in SHOWN_VERSIONS if name in versions]
    yield f"* commit {record['git_commit']}; {', '.join(shown)}"
