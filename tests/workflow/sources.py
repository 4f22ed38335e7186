"""Data for the studies in ``.test/sources``: regions, signal, sequences of one genome."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyBigWig

LENGTHS = {"chrA": 200_000, "chrB": 120_000}
EXAMPLES = '''
"""Examples that a function yields."""

import torch


def dna(n, seed, gc=0.5):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.tensor([1 - gc, gc, gc, 1 - gc])
    bases = torch.multinomial(weights, n * 128, replacement=True, generator=generator)
    one_hot = torch.nn.functional.one_hot(bases.reshape(n, 128), 4)
    return (one_hot.transpose(1, 2).float(),)
'''
JASPAR = """>MA0001.1 BOX
A [ 8 0 0 9 1 ]
C [ 1 9 0 0 1 ]
G [ 0 1 9 1 7 ]
T [ 1 0 1 0 1 ]
>MA0002.1 TATA
A [ 0 9 0 9 8 9 ]
C [ 1 0 1 0 0 0 ]
G [ 0 1 0 1 1 0 ]
T [ 9 0 9 0 1 1 ]
"""


def _places(rng: np.random.Generator, n: int, width: int) -> list[tuple[str, int, int]]:
    """Return n regions in random order, few of which are near one another."""
    places = [
        (name, start, start + width)
        for name, length in LENGTHS.items()
        for start in range(500, length - 500, 400)
    ]
    return [places[i] for i in rng.permutation(len(places))[:n]]


def write_sources(folder: Path) -> None:
    """Write the files that the studies name."""
    rng = np.random.default_rng(5)
    strands = np.array(["+", "-"])
    places = _places(rng, 700, 60)
    labels = np.array(["SINE/Alu", "LINE/L1", "rare"])[rng.choice(3, 700, p=[0.5, 0.48, 0.02])]
    rows = list(zip(places, labels, strands[rng.integers(0, 2, 700)], strict=True))
    (folder / "repeats.bed").write_text(
        "".join(f"{c}\t{s}\t{e}\t{strand}\t{label}\n" for (c, s, e), label, strand in rows)
    )
    (folder / "elements.bed").write_text(
        "".join(f"{c}\t{s}\t{e}\telement\t0\t{strand}\n" for (c, s, e), _, strand in rows)
    )
    states = "".join(
        f"{c}\t{s}\t{e}\t{'1_Active' if i % 2 else '2_Quiet'}\t0\t.\t{s}\t{e}\t255,0,0\n"
        for i, ((c, s, e), _, _) in enumerate(rows)
    )
    (folder / "states.bed9.gz").write_bytes(gzip.compress(states.encode()))
    head = "   SW  perc perc perc  query\nscore  div. del. ins.  sequence\n\n"
    lines = [
        f"  463   1.3  0.6  1.7  {c}  {s + 1}  {e}  (100)  {'C' if strand == '-' else strand}"
        f"  name{i % 3}  {label}  1  60  (0)  {i + 1}\n"
        for i, ((c, s, e), label, strand) in enumerate(rows)
    ]
    (folder / "rmsk.out").write_text(head + "".join(lines))
    _write_genes(folder / "genes.gtf", rng)
    _write_signal(folder / "open.bw", rng)
    _write_sequences(folder, rng)
    _write_tokenizer(folder / "tokenizer")
    write_language_model(folder / "language_model", seed=4)
    (folder / "jaspar.txt").write_text(JASPAR)
    (folder / "examples.py").write_text(EXAMPLES)


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", *"ACGTN"])}
    made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)


def write_language_model(folder: Path, seed: int) -> None:
    """Save a small random network and its tokenizer as a Hugging Face folder."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=7,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=128,
        initializer_range=0.7,
        num_labels=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertForSequenceClassification(config).save_pretrained(folder)
    _write_tokenizer(folder)


def _write_genes(path: Path, rng: np.random.Generator) -> None:
    lines = []
    for number, (contig, start, _) in enumerate(_places(rng, 250, 10)):
        strand = "+-"[number % 2]
        about = f'gene_id "g{number}"; transcript_id "t{number}"; gene_type "protein_coding";'
        parts = [("transcript", 0, 340), ("exon", 0, 100), ("exon", 200, 340)]
        lines += [
            f"{contig}\ttest\t{feature}\t{start + a + 1}\t{start + b}\t.\t{strand}\t.\t{about}\n"
            for feature, a, b in parts
        ]
    path.write_text("".join(lines))


def _write_signal(path: Path, rng: np.random.Generator) -> None:
    file = pyBigWig.open(str(path), "w")
    file.addHeader(list(LENGTHS.items()))
    for name, length in LENGTHS.items():
        starts = np.arange(0, length, 50)
        values = rng.gamma(0.5, 2.0, len(starts)).repeat(1)
        ends = np.minimum(starts + 50, length)
        file.addEntries([name] * len(starts), starts.tolist(), ends.tolist(), values.tolist())
    file.close()


def _write_sequences(folder: Path, rng: np.random.Generator) -> None:
    def letters(n: int, length: int, gc: float) -> list[str]:
        weights = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
        return ["".join(row) for row in rng.choice(list("ACGT"), (n, length), p=weights)]

    fasta = "".join(f">e{i}\n{s}\n" for i, s in enumerate(letters(80, 150, 0.6)))
    (folder / "enhancers.fa.gz").write_bytes(gzip.compress(fasta.encode()))
    negatives = "".join(f">n{i}\n{s}\n" for i, s in enumerate(letters(100, 140, 0.45)))
    (folder / "negatives.fa").write_text(negatives)
    table = ["design\tfamily\tsequence\n"]
    table += [f"{'ab'[i % 2]}\tf{i // 4}\t{s}\n" for i, s in enumerate(letters(120, 128, 0.5))]
    (folder / "designs.tsv").write_text("".join(table))
