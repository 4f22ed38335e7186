# Memory, time and GPUs that jobs ask for.


def megabytes(base, per_input=0.0):
    """Memory of a job: a base and a multiple of its inputs, more at each attempt."""

    def memory(wildcards, input, attempt):
        # sizes are looked up file by file, which thousands of jobs need not wait for
        return int(attempt * (base + (per_input * input.size_mb if per_input else 0)))

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
    return int(attempt * needed)


def missing_devices():
    """What is wrong with the CUDA devices that jobs of this run ask for by name."""
    asked = {
        model: entry["device"]
        for model, entry in CONFIG["models"].items()
        if entry["device"].startswith("cuda")
    }
    if not asked:
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
    for model in sorted(models.intersection(asked)):
        try:
            resolve_device(asked[model])
        except InputError as error:
            yield f"models.{model}: {error}"


# The checks before the run are made on the CPU, wherever that is; of a cluster, only its own nodes
# know which GPUs they have.
onstart:
    for problem in missing_devices() if workflow.local_exec else ():
        raise WorkflowError(f"configuration, {problem}")
