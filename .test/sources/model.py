"""Three small untrained networks: of sequence, of sequence and signal, and of tokens."""

import torch
from torch import nn


def sequence(channels=4):
    """A convolutional network for 128 bp, one-hot (n, channels, 128)."""
    return nn.Sequential(
        nn.Conv1d(channels, 12, 11, padding=5),
        nn.ReLU(),
        nn.MaxPool1d(8),
        nn.Flatten(),
        nn.Linear(192, 16),
        nn.ReLU(),
        nn.Linear(16, 1),
    )


class WithSignal(nn.Module):
    """Takes one-hot DNA (n, 4, 128) and one track (n, 1, 128) apart."""

    def __init__(self):
        super().__init__()
        self.dna = nn.Conv1d(4, 8, 9, padding=4)
        self.signal = nn.Conv1d(1, 4, 9, padding=4)
        self.joined = nn.Sequential(nn.ReLU(), nn.AvgPool1d(16), nn.Flatten(), nn.Linear(96, 16))
        self.out = nn.Sequential(nn.ReLU(), nn.Linear(16, 1))

    def forward(self, dna, tracks):
        """Return (n, 1)."""
        return self.out(self.joined(torch.cat([self.dna(dna), self.signal(tracks)], 1)))


class OfTokens(nn.Module):
    """Takes token ids (n, 12)."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.mix = nn.Sequential(nn.Flatten(), nn.Linear(72, 10), nn.ReLU())
        self.out = nn.Linear(10, 1)

    def forward(self, ids):
        """Return (n, 1)."""
        return self.out(self.mix(self.embed(ids)))


def gc_and_signal(sequences, tracks=None):
    """Model inputs as a user's own function makes them: one-hot, and the signal's logarithm."""
    letters = torch.tensor(
        [[letter == base for base in sequence] for sequence in sequences for letter in "ACGT"]
    )
    one_hot = letters.reshape(len(sequences), 4, -1).float()
    return one_hot, torch.log1p(torch.from_numpy(tracks))


def sentences(n, seed, word=None):
    """Yield token ids; with ``word`` in the second half of each."""
    generator = torch.Generator().manual_seed(seed)
    for first in range(0, n, 50):
        ids = torch.randint(0, 15, (min(50, n - first), 12), generator=generator)
        if word is not None:
            ids[:, 6::2] = word
        yield (ids,)


class LanguageModel(nn.Module):
    """Takes token ids and a mask, (n, m) each."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(8, 16)
        self.mix = nn.Sequential(nn.Linear(16, 12), nn.ReLU())
        self.out = nn.Linear(12, 1)

    def forward(self, ids, mask):
        """Return (n, 1)."""
        weights = mask[:, :, None] / mask.sum(1)[:, None, None]
        return self.out(self.mix((self.embed(ids) * weights).sum(1)))
