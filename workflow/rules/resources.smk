# Memory, time and GPUs that jobs ask for, and which of them share a submission.
# A constraint on these holds within one submission, and on one machine for the whole run.
resource_scopes:
    gpu="local",
    in_turn="local",


# no step needs less, MB
MEMORY_FLOOR = 500
# a job of a cluster runs two Snakemakes around its step, each of 170 to 200 MB
MEMORY_BESIDE = 400


def megabytes(base, per_input=0.0):
    """Memory of a job: a base and a multiple of its inputs, more at each attempt."""

    def memory(wildcards, input, attempt):
        # sizes are looked up file by file, which thousands of jobs need not wait for
        return asked(attempt * (base + (per_input * input.size_mb if per_input else 0)))

    return memory


def asked(needed):
    return int(max(MEMORY_FLOOR, needed)) + (0 if on_this_machine() else MEMORY_BESIDE)


def cav_memory(wildcards, input, attempt):
    """Memory of a CAV job, from the numbers of examples and features it works on."""
    with open(input.preflight) as table:
        row = next(csv.DictReader(table, delimiter="\t"))
    needed = cav_job_memory(
        CONFIG["examples"]["per_concept"],
        int(row["d"]),
        replicates=CONFIG["controls"]["replicates"],
        variants=batch_variants(wildcards),
        norm=CONFIG["cavs"]["norm"],
    )
    return asked(attempt * needed)


def minutes(base):
    def runtime(wildcards, attempt):
        return attempt * base

    return runtime


# Seconds to a minute or two for a CAV, by features and classifier. A group asks for the time of all
# its members, so an hour for each would keep it waiting.
def cav_minutes(wildcards, attempt):
    return attempt * (5 + 2 * batch_variants(wildcards))


def null_minutes(wildcards, attempt):
    return attempt * (10 + part_nulls(wildcards) // 5)


def null_memory(wildcards, input, attempt):
    """Memory of a job that trains random nulls."""
    return pool_memory(part_nulls(wildcards), input, attempt)


def shuffled_memory(wildcards, input, attempt):
    """Memory of a job that trains on shuffled labels."""
    return pool_memory(batch_variants(wildcards), input, attempt)


def part_nulls(wildcards):
    """Nulls of a part, as many of each size."""
    return NULL_PARTS[wildcards.part][1] * len(study_sizes(CONFIG))


def batch_variants(wildcards):
    return sum(len(concept.variants) for concept in batch_concepts(wildcards))


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
    return asked(attempt * needed)


def missing_devices():
    """What is wrong with the CUDA devices that jobs of this run ask for by name."""
    wanted = {
        model: entry["device"]
        for model, entry in CONFIG["models"].items()
        if entry["device"].startswith("cuda")
    }
    if not wanted:
        return
    models = {
        job.wildcards.model
        for job in workflow.dag.needrun_jobs()
        if job.resources.get("gpu")
    }
    try:
        from tpcav_core.models import resolve_device
    except ModuleNotFoundError:
        return  # torch is in the jobs' environments only
    for model in sorted(models.intersection(wanted)):
        try:
            resolve_device(wanted[model])
        except InputError as error:
            yield f"models.{model}: {error}"


# The checks before the run are made on the CPU, wherever that is; of a cluster, only its own nodes
# know which GPUs they have.
onstart:
    for problem in missing_devices() if workflow.local_exec else ():
        raise WorkflowError(f"configuration, {problem}")


def on_this_machine():
    """Whether jobs run here. Asked when they do: the executor is not known before."""
    # jobs of a cluster read this file again, with an executor of their own
    return workflow.local_exec and workflow.is_main_process


def gpu(wildcards):
    """GPUs a step that runs the model asks for."""
    device = CONFIG["models"][wildcards.model]["device"]
    if device == "cpu" or (device == "auto" and on_this_machine() and not has_gpu()):
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
