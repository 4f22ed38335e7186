# Loads and checks the configuration; helpers that turn it into lists, paths and parameters.
import csv
import json
import os
import re
import shlex
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

# The checkout that the rules are in; None where Snakemake took them from a repository by itself:
# the package is the installed one then.
BASE = workflow.current_basedir.get_path_or_uri(secret_free=True)
ROOT = Path(BASE).parent.parent if os.path.isdir(BASE) else None
if ROOT:
    sys.path.insert(0, str(ROOT))
from tpcav_core.config import checked
from tpcav_core.contribution_sets import (
    contribution_places,
    genomic_targets,
    layer_set,
)
from tpcav_core.errors import InputError, suggest
from tpcav_core.figures.names import TITLES, figure_names
from tpcav_core.hardware import has_gpu
from tpcav_core.jobs import Jobs
from tpcav_core.memory import cav_job_memory, null_job_memory
from tpcav_core.null_sets import null_controls, null_parts, study_sizes
from tpcav_core.provenance import code_digest
from tpcav_core.sources import named_files
from tpcav_core.sources.motifs import MotifConcept
from tpcav_core.twins import twin_of, with_twins

DEMO = {
    name: f"resources/demo/{file}"
    for name, file in {
        "genome": "genome.fa.gz",
        "peaks": "peaks.bed",
        "weights": "weights.pt",
        "truth": "truth.tsv",
        "training": "training.json",
    }.items()
}

# paths are in parameters as well, which a prefix does not change
moved = workflow.modifier.path_modifier
if moved.prefix or moved._prefix_replacements:
    raise WorkflowError(
        "module: found prefix or replace_prefix, expected neither; give the module a folder of its"
        " own by the key results in its config"
    )

try:
    with open(workflow.source_path("../schemas/config.schema.yaml")) as handle:
        CONFIG = with_twins(checked(config, yaml.safe_load(handle)))
    JOBS = Jobs.from_config(CONFIG)
    # as a module of another workflow, files may be made by rules unknown here
    if workflow.modifier.is_main_snakefile():
        JOBS.check_files(made=DEMO.values())
except InputError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG["results"]
CACHE = f"{RESULTS}/.cache"
SEED = CONFIG["seed"]
SPLIT = {
    **CONFIG["split"],
    "seed": SEED if CONFIG["split"]["seed"] is None else CONFIG["split"]["seed"],
}
# a parameter of its own: sums depend on it, and Snakemake lowers `threads` to the cores there are
THREADS = CONFIG["jobs"]["threads"]
STATISTICS = CONFIG["statistics"]
FIT_ON_CONCEPTS = CONFIG["basis"]["fit_on"] == "concepts"
NULL_PARTS = null_parts(STATISTICS["random_nulls"])
# nulls are cut from the replicates of a control and one more set of its kind
POOLS = {f"{name}.pool": name for name in JOBS.controls} if NULL_PARTS else {}
# without the copies that sanity checks make
MODELS = [model for model in CONFIG["models"] if not twin_of(model)]
ALL_CHUNKS = {**JOBS.chunks, **JOBS.null_chunks}
# targets and outputs by their name in the tables, see tpcav_core.explained
EXPLAINED = {
    **{target: (target, "") for target in CONFIG["targets"]},
    **{name: pair for model in MODELS for name, pair in JOBS.explained(model).items()},
}


wildcard_constraints:
    model="|".join(map(re.escape, CONFIG["models"])),
    layer="|".join(map(re.escape, JOBS.all_layers())),
    # Snakemake writes a constraint into every pattern: a list of thousands would be read for each job
    chunk=r"[^/]+-[0-9]+",
    batch=r"[^/]+",
    control="|".join(map(re.escape, [*JOBS.controls, *POOLS])),
    part="[0-9]{4}",
    target="|".join(map(re.escape, EXPLAINED)),
    # a pattern that nothing matches, where there are none
    set="|".join(map(re.escape, CONFIG["contributions"])) or "(?!)",


# Braces are doubled because Snakemake formats the prefix.
# Jobs find the package in the checkout; where it is not one, the installed package serves.
# `python3` is the interpreter that runs Snakemake, unless conda environments are asked for.
PREFIX = ""
if ROOT:
    PREFIX += (
        f"export PYTHONPATH={shlex.quote(str(ROOT))}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; "
    )
if all(
    method.name != "CONDA" for method in workflow.deployment_settings.deployment_method
):
    PREFIX += f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(PREFIX)


def as_json(content):
    """A section of the configuration as one argument; quote it with :q.

    `snakemake --report` puts parameters into a script of its page as they are: no text may end it.
    """
    return json.dumps(content, sort_keys=True).replace("<", "\\u003c")


def sampling_options(*keys):
    """How random regions are drawn: the part of the configuration that a step needs."""
    genome = CONFIG["genome"] or {}
    options = {
        "chromosomes": genome.get("chromosomes"),
        "exclude": genome.get("exclude"),
        **CONFIG["split"],
    }
    return as_json({key: options[key] for key in keys or options})


def exclude_bed(wildcards=None):
    """The BED of excluded regions as an optional input."""
    exclude = (CONFIG["genome"] or {}).get("exclude")
    return [exclude] if exclude else []


def genome_file(wildcards):
    """The genome, for all that has one."""
    return [f"{RESULTS}/genome/genome.arrow"] if CONFIG["genome"] else []


def window(wildcards):
    return CONFIG["models"][wildcards.model]["window"] or 0


def model_tracks(wildcards):
    return CONFIG["models"][wildcards.model]["tracks"]


def model_files(wildcards):
    """Files a model is made from: a change of one of them reruns what it affects."""
    return JOBS.model_files(wildcards.model)


def model_json(wildcards):
    return as_json(JOBS.model(wildcards.model))


def cpu_model(model):
    """A model that is only tried: on the CPU, whatever it runs on later."""
    return {**JOBS.model(model), "device": "cpu"}


def preflight_model(model, layers):
    """A model and layers to be checked."""
    return as_json({model: {"model": cpu_model(model), "layers": layers}})


def output_files(wildcards):
    """Files of functions that read a model's output."""
    return JOBS.output_files(wildcards.model)


def target_options(wildcards):
    """The section of the configuration that a target is of, whatever output is explained."""
    return CONFIG["targets"][EXPLAINED[wildcards.target][0]]


def target_json(wildcards):
    return as_json(
        {"name": EXPLAINED[wildcards.target][0], **target_options(wildcards)}
    )


def cav_classifier():
    """The classifier of the CAVs as an option of their step."""
    chosen = CONFIG["cavs"]
    return as_json(
        {
            "kind": chosen["classifier"],
            "norm": chosen["norm"],
            "penalties": chosen["penalties"],
        }
    )
