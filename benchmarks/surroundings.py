"""What benchmarks need besides this project: the real data, and the published package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.measuring import HERE, ROOT, module

ENVIRONMENT = HERE / ".venv-published"
REQUIREMENTS = HERE / "published" / "requirements.txt"
GENOME = Path("genome", "hg19.chr20_1-7391880.fa.gz")
MOTIFS = Path("motifs", "vierstra_archetypes_v2.1beta.test7.meme")
BED = Path("regions", "K562_CTCF.hg19.chr20.bed")
MODEL = Path("models", "mcf7_ctcf.state_dict.pt")
MOTIF = "AC0078:CTCF/CTCFL:C2H2_ZF"


def find_data() -> Path:
    """Return the folder of the real data, or end with what to do."""
    data = Path(os.environ.get("TPCAV_DATA", ROOT.parent / "shared" / "data")).resolve()
    for file in (GENOME, MOTIFS, MODEL):
        if not (data / file).is_file():
            raise SystemExit(
                f"{data / file}: no such file; set TPCAV_DATA to the folder of the real data"
                " (default ../shared/data beside the repository), or run `--only basis`"
            )
    return data


def one_motif(data: Path, work: Path) -> Path:
    """Write a MEME file that holds the one motif that is planted, and return its path."""
    head, *motifs = (data / MOTIFS).read_text().split("MOTIF ")
    path = work / "motif.meme"
    path.write_text(head + "".join(f"MOTIF {m}" for m in motifs if m.startswith(MOTIF)))
    return path


def study_data(data: Path, work: Path) -> Path:
    """Return the folder with what both sides get."""
    folder = work / "study"
    if not folder.exists():
        folder.mkdir()
        subprocess.run(module("study", "data", *study_options(data, folder)), cwd=ROOT, check=True)
    return folder


def study_options(data: Path, folder: Path) -> list[str]:
    return [
        *(f"--data={data}", f"--fasta={data / GENOME}", f"--meme={data / MOTIFS}"),
        *(f"--bed={data / BED}", f"--work={folder}"),
    ]


def published_python() -> Path:
    """Return the interpreter of the published package's environment; make it when missing."""
    if shutil.which("bedtools") is None:
        raise SystemExit(
            "bedtools is not on the PATH and the published package needs it; install it (Debian:"
            " apt-get install bedtools), or run `--only activations basis`"
        )
    python = ENVIRONMENT / "bin" / "python"
    complete = ENVIRONMENT / "complete"
    wanted = REQUIREMENTS.read_text()
    if complete.is_file() and complete.read_text() == wanted:
        return python
    print(f"making {ENVIRONMENT} (once)", file=sys.stderr, flush=True)
    venv.create(ENVIRONMENT, clear=True, with_pip=True)
    (ENVIRONMENT / ".gitignore").write_text("*\n")
    torch = next(line for line in wanted.splitlines() if line.startswith("torch=="))
    for what in ([torch], ["--requirement", str(REQUIREMENTS)]):
        command = [str(python), "-m", "pip", "install", "--quiet", *what]
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"could not install {what[-1]} for the published package")
    complete.write_text(wanted)
    return python
