# Loads and checks the configuration; helpers that turn it into lists, paths and parameters.
import json
import os
import re
import shlex
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.current_basedir).parent.parent
sys.path.insert(0, str(ROOT))
from tpcav_core.config import checked
from tpcav_core.errors import InputError
from tpcav_core.jobs import Jobs
from tpcav_core.provenance import code_digest

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

try:
    with open(ROOT / "workflow" / "schemas" / "config.schema.yaml") as handle:
        CONFIG = checked(config, yaml.safe_load(handle))
    JOBS = Jobs.from_config(CONFIG)
    # as a module of another workflow, files may be made by rules unknown here
    if workflow.modifier.is_main_snakefile():
        JOBS.check_files(made=DEMO.values())
except InputError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG["results"]
SEED = CONFIG["seed"]
THREADS = CONFIG["jobs"]["threads"]


wildcard_constraints:
    model="|".join(map(re.escape, CONFIG["models"])),
    layer="|".join(map(re.escape, JOBS.all_layers())),
    chunk="|".join(map(re.escape, JOBS.chunks)),
    batch="|".join(map(re.escape, JOBS.all_batches())),
    target="|".join(map(re.escape, CONFIG["targets"])),


# Braces are doubled because Snakemake formats the prefix.
# Jobs find the package in the checkout; where it is not one, the installed package serves.
# `python3` is the interpreter that runs Snakemake, unless conda environments are asked for.
PREFIX = (
    f"export PYTHONPATH={shlex.quote(str(ROOT))}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; "
)
if all(
    method.name != "CONDA" for method in workflow.deployment_settings.deployment_method
):
    PREFIX += f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(PREFIX)


def as_json(content):
    """A section of the configuration as one argument; quote it with :q."""
    return json.dumps(content, sort_keys=True)


def sampling_options(*keys):
    """How random regions are drawn: the part of the configuration that a step needs."""
    options = {
        "chromosomes": CONFIG["genome"]["chromosomes"],
        "exclude": CONFIG["genome"]["exclude"],
        **CONFIG["split"],
    }
    return as_json({key: options[key] for key in keys or options})


def exclude_bed(wildcards=None):
    """The BED of excluded regions as an optional input."""
    return [CONFIG["genome"]["exclude"]] if CONFIG["genome"]["exclude"] else []


def model_files(wildcards):
    """Files a model is made from: a change of one of them reruns what it affects."""
    return JOBS.model_files(wildcards.model)


def model_json(wildcards):
    return as_json(JOBS.model(wildcards.model))


def preflight_model(model, layers):
    """A model and layers to be checked; on the CPU, whatever the model runs on."""
    return as_json(
        {model: {"model": {**JOBS.model(model), "device": "cpu"}, "layers": layers}}
    )


def gpu(wildcards):
    """GPUs a step that runs the model asks for."""
    return 0 if CONFIG["models"][wildcards.model]["device"] == "cpu" else 1


def megabytes(base, per_input=0.0):
    """Memory of a job: a base and a multiple of its inputs, more at each attempt."""

    def memory(wildcards, input, attempt):
        return int(attempt * (base + per_input * input.size_mb))

    return memory


def minutes(base):
    def runtime(wildcards, attempt):
        return attempt * base

    return runtime


CHUNKS = {place: JOBS.layer_chunks(*place) for place in JOBS.places()}
BATCHES = {place: JOBS.batches(*place) for place in JOBS.places()}


def ids(concepts):
    return [concept.id for concept in concepts]


def fingerprints(concepts):
    """Digests of concepts: what defines their examples, whatever else is in the same file."""
    return [concept.fingerprint() for concept in concepts]


def chunk_set(wildcards):
    """The definition of the set a chunk is part of, without what only selects from it."""
    name = JOBS.chunks[wildcards.chunk][0].set
    return as_json({"name": name, **CONFIG["concepts"][name], "select": []})


def batch_activations(wildcards):
    chunk, _ = BATCHES[wildcards.model, wildcards.layer][wildcards.batch]
    return f"{RESULTS}/{wildcards.model}/{wildcards.layer}/activations/{chunk}.parquet"


def batch_concepts(wildcards):
    return BATCHES[wildcards.model, wildcards.layer][wildcards.batch][1]


def target_bed(wildcards):
    regions = CONFIG["targets"][wildcards.target]["regions"]
    return [] if regions == "random" else [regions]


def layer_cavs(model, layer):
    return [
        f"{RESULTS}/{model}/{layer}/cavs/{batch}.parquet"
        for batch in BATCHES[model, layer]
    ]


def layer_scores(model, layer):
    return [
        f"{RESULTS}/{model}/{layer}/scores/{target}.parquet"
        for target in CONFIG["targets"]
    ]


def summary_options():
    """The files of each (model, layer), as options of the summary step."""
    options = []
    for model, layer in JOBS.places():
        options += ["--cavs", model, layer, *layer_cavs(model, layer)]
        for target, path in zip(CONFIG["targets"], layer_scores(model, layer)):
            options += ["--scores", model, layer, target, path]
    return options
