"""The command layer: parse paths, call one function, write atomically.

A module named in `STEPS` is that step: ``add_arguments(parser)`` and ``run(arguments)``; the others
are what steps share. A step is imported only when it is asked for, so that a light one starts
without torch.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from ..errors import InputError, suggest
from ..failures import remedy, watch

STEPS = {
    "demo": "simulate the demo's genome and train its network",
    "layers": "list the layers of a model with output shape and d",
    "genome": "read a FASTA file once into a form that windows are cut from quickly",
    "preflight": "check genome, regions, models and layers before anything expensive",
    "probe": "try to explain a layer on a few examples, and see whether there is room",
    "catalogue": "write the table of all concepts",
    "concepts": "write the recipes of concepts: region + planted sites",
    "activations": "run examples through a model up to a layer",
    "scaling": "fit mean and standard deviation of activations",
    "components": "fit the principal components of standardised activations",
    "gram": "inner products of standardised control activations",
    "cavs": "train the CAVs of concepts",
    "nulls": "train CAVs between random sets",
    "shuffled": "train CAVs on shuffled labels, a sanity check",
    "planting": "measure what planting a motif does to the output",
    "similarity": "compare the CAVs of a layer with each other",
    "attributions": "attribute target regions at a layer",
    "contributions": "follow concepts' share of the output to the bases of target regions",
    "contribution_files": "write contributions as bigWig, tables of sites and logos",
    "modisco_files": "write contributions in the form TF-MoDISco reads",
    "scores": "score concepts on a target",
    "sites": "find the target regions that speak most for each concept",
    "methods": "score by plain TCAV, standardised TCAV and TPCAV",
    "summary": "join everything into the result tables",
    "figures": "draw the main figures as SVG and PDF",
    "report": "show the result tables as one HTML file",
    "show": "print the result tables",
    "profile": "write a Snakemake profile for a Slurm cluster",
}
log = logging.getLogger("tpcav_core")


def main(arguments: list[str] | None = None) -> int:
    """Run one step; return the exit status (0 done, 2 unusable input)."""
    words = sys.argv[1:] if arguments is None else arguments
    step = words[0] if words else "--help"
    if step in ("-h", "--help"):
        print(_usage())
        return 0
    if step not in STEPS:
        print(f"error: no step {step!r}{suggest(step, STEPS)}\n\n{_usage()}", file=sys.stderr)
        return 2
    module = _load(step)
    parser = argparse.ArgumentParser(f"python -m tpcav_core {step}", description=STEPS[step])
    parser.add_argument("--log", help="also write messages to this file")
    module.add_arguments(parser)
    parsed = parser.parse_args([*_from_input(words[1:])])
    done = watch(step)
    try:
        _configure_logging(step, parsed.log)
        module.run(parsed)
    except InputError as error:
        log.error("error: %s", " ".join(str(error).split()))
        return 2
    except (Exception, SystemExit) as error:
        text = remedy(error)
        if text is None:
            log.exception("%s failed", step)
        else:
            log.error("error: %s", " ".join(text.split()))
        return 1
    finally:
        done.set()
    return 0


def _load(step: str) -> ModuleType:
    """Import the module of a step, with the garbage collector at rest.

    What an import makes is there to stay: looking through it for garbage finds none and takes a
    sixth of the start of a step with torch.
    """
    at_work = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(f"{__name__}.{step}")
    finally:
        if at_work:
            gc.enable()


def _from_input(words: list[str]) -> Iterator[str]:
    """Yield the words of a command line, with those of the standard input in place of ``@-``.

    A system bounds the length of a command line, so a rule pipes in what grows with a study. Words
    end with a null character, since any other may be part of one.
    """
    for word in words:
        if word == "@-":
            yield from sys.stdin.buffer.read().decode().split("\0")[:-1]
        else:
            yield word


def _usage() -> str:
    lines = [f"  {name:18} {text}" for name, text in STEPS.items()]
    return "usage: python -m tpcav_core STEP … (STEP --help for its options)\n\n" + "\n".join(lines)


def _configure_logging(step: str, path: str | None) -> None:
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    # where the disk is full, a log that cannot be written is not the news
    logging.raiseExceptions = False
    # first without the file, so that it is said if that cannot be made
    logging.basicConfig(format="%(message)s", handlers=handlers, force=True)
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # what is killed can say nothing any more, so it is said before
        start = f"{step}: if nothing follows, the process was killed (memory, time, os._exit)\n"
        Path(path).write_text(start, encoding="utf-8")
        handlers.append(logging.FileHandler(path, mode="a", encoding="utf-8"))
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=handlers, force=True)
    logging.captureWarnings(True)
