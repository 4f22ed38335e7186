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

ROOT = Path(workflow.current_basedir).parent.parent
sys.path.insert(0, str(ROOT))
from tpcav_core.config import checked
from tpcav_core.errors import InputError
from tpcav_core.jobs import Jobs
from tpcav_core.memory import cav_job_memory
from tpcav_core.provenance import code_digest
from tpcav_core.sources import named_files

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
CACHE = f"{RESULTS}/.cache"
SEED = CONFIG["seed"]
SPLIT = {
    **CONFIG["split"],
    "seed": SEED if CONFIG["split"]["seed"] is None else CONFIG["split"]["seed"],
}
THREADS = CONFIG["jobs"]["threads"]


wildcard_constraints:
    model="|".join(map(re.escape, CONFIG["models"])),
    layer="|".join(map(re.escape, JOBS.all_layers())),
    chunk="|".join(map(re.escape, JOBS.chunks)),
    batch="|".join(map(re.escape, JOBS.all_batches())),
    control="|".join(map(re.escape, JOBS.controls)),
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
    return [f"{RESULTS}/genome/genome.pt"] if CONFIG["genome"] else []


def window(wildcards):
    return CONFIG["models"][wildcards.model]["window"] or 0


def model_tracks(wildcards):
    return CONFIG["models"][wildcards.model]["tracks"]


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


def cav_memory(wildcards, input, attempt):
    """Memory of a CAV job, from the numbers of examples and features it works on."""
    with open(input.preflight) as table:
        row = next(csv.DictReader(table, delimiter="\t"))
    concepts = BATCHES[wildcards.model, wildcards.layer][wildcards.batch][1]
    needed = cav_job_memory(
        CONFIG["examples"]["per_concept"],
        int(row["d"]),
        replicates=CONFIG["controls"]["replicates"],
        variants=sum(len(concept.variants) for concept in concepts),
        norm=CONFIG["cavs"]["norm"],
    )
    return int(attempt * needed)


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


def chunk_definition(wildcards):
    name = JOBS.chunks[wildcards.chunk][0].set
    return {"name": name, **JOBS.set_definition(name)}


def chunk_set(wildcards):
    """The definition of the set a chunk is part of, without what only selects from it."""
    definition = chunk_definition(wildcards)
    chosen = {key: [] for key in ("select", "drop") if key in definition}
    return as_json({**definition, **chosen})


def chunk_files(wildcards):
    """Files the concepts of a chunk are made from; of motifs, fingerprints tell what changed."""
    definition = chunk_definition(wildcards)
    files = JOBS.set_files(definition["name"])
    if definition["source"] in ("motifs", "motif_pairs"):
        return [ancient(file) for file in files]
    return files


def chunk_tracks(wildcards):
    """The signal that the concepts of a chunk are chosen by."""
    definition = chunk_definition(wildcards)
    names = []
    while definition:
        names += [definition["track"]] if "track" in definition else []
        definition = definition.get("parent")
    return as_json({name: CONFIG["tracks"][name] for name in names})


def layer_recipes(model, layer):
    """Recipes of the shared controls and of all chunks of a layer."""
    return [
        *(
            f"{RESULTS}/{model}/controls/{control}.parquet"
            for control in JOBS.used_controls(model, layer)
        ),
        *(
            f"{RESULTS}/{model}/concepts/{chunk}.parquet"
            for chunk in CHUNKS[model, layer]
        ),
    ]


def model_recipes(model):
    files = [
        path for layer in JOBS.layers(model) for path in layer_recipes(model, layer)
    ]
    return list(dict.fromkeys(files))


def catalogue_options():
    """The recipes of each model, as options of the catalogue step."""
    options = []
    for model in CONFIG["models"]:
        options += ["--recipes", model, *model_recipes(model)]
    return options


def batch_activations(wildcards):
    chunk, _ = BATCHES[wildcards.model, wildcards.layer][wildcards.batch]
    return f"{RESULTS}/{wildcards.model}/{wildcards.layer}/activations/{chunk}.parquet"


def batch_concepts(wildcards):
    return BATCHES[wildcards.model, wildcards.layer][wildcards.batch][1]


def batch_control(wildcards, what):
    """The shared control of a batch; nothing if its concepts have controls of their own."""
    control = batch_concepts(wildcards)[0].control
    if control not in JOBS.controls:
        return []
    return f"{RESULTS}/{wildcards.model}/{wildcards.layer}/controls/{control}/{what}.parquet"


def target_files(wildcards):
    """Regions of a target, or the file of the function that yields it."""
    target = CONFIG["targets"][wildcards.target]
    if target["regions"]:
        return [] if target["regions"] == "random" else [target["regions"]]
    functions = [target["function"], target["baseline_function"] or ""]
    return [name.rpartition(":")[0] for name in functions if ".py:" in name]


def preflight_call():
    """Where there is no genome, a function's call that gives the checks their examples."""
    if CONFIG["genome"]:
        return []
    concept = JOBS.concepts[0]
    call = {
        "function": concept.function,
        "n": CONFIG["examples"]["per_concept"],
        "seed": SEED,
        "kwargs": next(iter(concept.calls.values())),
    }
    return ["--call", as_json(call)]


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
