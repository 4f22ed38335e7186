# Memory, time and GPUs that jobs ask for, and which of them share a submission.
# A constraint on these holds within one submission, and on one machine for the whole run.
resource_scopes:
    gpu="local",
    in_turn="local",


# Snakemake runs in every job that a cluster starts, beside the step itself
MEMORY_FLOOR = 500
GPU_HERE = any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def megabytes(base, per_input=0.0):
    """Memory of a job: a base and a multiple of its inputs, more at each attempt."""

    def memory(wildcards, input, attempt):
        return at_least(attempt * (base + per_input * input.size_mb))

    return memory


def at_least(needed):
    return int(max(MEMORY_FLOOR, needed))


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
    return at_least(attempt * needed)


def minutes(base):
    def runtime(wildcards, attempt):
        return attempt * base

    return runtime


def null_memory(wildcards, input, attempt):
    """Memory of a job that trains random nulls, as many of each size."""
    nulls = NULL_PARTS[wildcards.part][1] * len(study_sizes(CONFIG))
    return pool_memory(nulls, input, attempt)


def shuffled_memory(wildcards, input, attempt):
    """Memory of a job that trains on shuffled labels."""
    variants = sum(len(concept.variants) for concept in batch_concepts(wildcards))
    return pool_memory(variants, input, attempt)


def pool_memory(nulls, input, attempt):
    with open(input.preflight) as table:
        row = next(csv.DictReader(table, delimiter="\t"))
    needed = null_job_memory(
        CONFIG["examples"]["per_concept"],
        int(row["d"]),
        replicates=CONFIG["controls"]["replicates"],
        nulls=nulls,
        norm=CONFIG["cavs"]["norm"],
    )
    return at_least(attempt * needed)


def on_this_machine():
    """Whether jobs run here. Asked when they do: the executor is not known before."""
    # jobs of a cluster read this file again, with an executor of their own
    return workflow.local_exec and workflow.is_main_process


def gpu(wildcards):
    """GPUs a step that runs the model asks for."""
    device = CONFIG["models"][wildcards.model]["device"]
    if device == "cpu" or (device == "auto" and on_this_machine() and not GPU_HERE):
        return 0
    return 1


def in_turn(wildcards):
    """Jobs of a group run one after another: it needs the CPU and memory of one of them."""
    return 0 if on_this_machine() else 1


def cav_group(wildcards):
    """CAV jobs of one chunk, so that its activations are used up and removed soon."""
    chunk, _ = BATCHES[wildcards.model, wildcards.layer][wildcards.batch]
    return grouped("cavs", wildcards, chunk)


def null_group(wildcards):
    return grouped("nulls", wildcards, wildcards.control)


def grouped(name, wildcards, part):
    """A group of its own for each place and part, of a size set by `group-components: {name}`."""
    group = f"{name}.{wildcards.model}.{wildcards.layer}.{part}"
    workflow.parent_groupids[group] = name
    return group
