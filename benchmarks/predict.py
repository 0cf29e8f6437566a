"""Tokens a second of `xlwarm predict`, as a share of the model's bare batched forward pass.

    python -m benchmarks.predict MODEL FILE [--repeat 3]

MODEL is a folder that `xlwarm export` wrote, FILE what is to be tagged. The bare pass runs the same
pieces in the same batches, ready as tensors: no file, no tokenizer, no spans, no output. Both run
in turns in one process, on one thread; the best of each counts, in seconds of the processor, which
other load on the machine does not change.
"""

import argparse
import io
import time
from pathlib import Path

import numpy as np
import torch

from orchestrator.export import load_exported
from orchestrator.tagged_output import as_columns
from projection.unlabelled import layout_of, read_passages
from trainers.reading import PIECES_PER_BATCH, batches_by_length
from trainers.span_tagger import SENTENCES_AT_ONCE, SpanTagger


def bare_batches(tagger: SpanTagger, file: Path) -> list[dict[str, torch.Tensor]]:
    """What the tagger's model is given for ``file``."""
    passages = [one for one in _passages(tagger, file) if one.words]
    batches = []
    padding = tagger.model.config.pad_token_id or 0
    for start in range(0, len(passages), SENTENCES_AT_ONCE):
        read = tagger._read([one.sentence() for one in passages[start : start + SENTENCES_AT_ONCE]])
        lengths = np.array([len(one.ids) for one in read])
        for which in batches_by_length(lengths, PIECES_PER_BATCH):
            width = int(lengths[which].max())
            ids = torch.full((len(which), width), padding)
            for b, k in enumerate(which):
                ids[b, : lengths[k]] = torch.tensor(read[k].ids)
            mask = (torch.arange(width) < torch.from_numpy(lengths[which])[:, None]).long()
            batches.append({"input_ids": ids, "attention_mask": mask})
    return batches


def _passages(tagger: SpanTagger, file: Path):
    return read_passages(file, layout_of(file), io.BytesIO(), tagger.inputs)


def seconds_bare(tagger: SpanTagger, batches: list[dict[str, torch.Tensor]]) -> float:
    started = time.process_time()
    with torch.inference_mode():
        for batch in batches:
            tagger.model(**batch)
    return time.process_time() - started


def seconds_predict(tagger: SpanTagger, file: Path) -> tuple[float, int]:
    """Time from the file to the last row, and the words in it."""
    started, words = time.process_time(), 0
    out = io.StringIO()
    for passage, tagged in tagger.tag_passages(_passages(tagger, file)):
        out.write(as_columns(passage, tagged))
        words += len(passage.words)
    return time.process_time() - started, words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    tagger = load_exported(given.model)
    batches = bare_batches(tagger, given.file)
    seconds_bare(tagger, batches[:2])
    bare, whole, words = [], [], 0
    for _ in range(given.repeat):
        bare.append(seconds_bare(tagger, batches))
        taken, words = seconds_predict(tagger, given.file)
        whole.append(taken)
    pieces = sum(int(batch["attention_mask"].sum()) for batch in batches)
    print(f"{words} words, {pieces} pieces, {len(batches)} batches")
    print(f"bare forward pass  {words / min(bare):8.0f} words/s")
    print(f"xlwarm predict     {words / min(whole):8.0f} words/s, {min(bare) / min(whole):.1%}")


if __name__ == "__main__":
    main()
