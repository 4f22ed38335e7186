# Which files there are: chunks, batches, and what their examples are made from.


CHUNKS = {
    place: JOBS.layer_chunks(*place) | JOBS.layer_nulls(*place)
    for place in JOBS.places()
}
# without those of copies that sanity checks make
OWN_PLACES = [place for place in JOBS.places() if place[0] in MODELS]
BATCHES = {place: JOBS.batches(*place) for place in JOBS.places()}


def ids(concepts):
    return [concept.id for concept in concepts]


def fingerprints(concepts):
    """Digests of concepts: what defines their examples, whatever else is in the same file."""
    return [concept.fingerprint() for concept in concepts]


def control_definition(wildcards):
    """The definition of a shared control, or of the one whose pool of nulls is meant."""
    name = wildcards.control
    return JOBS.controls[POOLS.get(name, name)]


def known(name, names, what):
    """Return a name if it is one of those; a file that was asked for may have any."""
    if name not in names:
        raise WorkflowError(
            f"no {what} {name!r} in this configuration{suggest(name, names)}"
        )
    return name


def chunk_definition(wildcards):
    chunk = known(wildcards.chunk, ALL_CHUNKS, "chunk of concepts")
    name = ALL_CHUNKS[chunk][0].set
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


def control_recipes(model, layer):
    """Recipes of the shared controls of a layer."""
    return [
        f"{RESULTS}/{model}/controls/{control}.parquet"
        for control in JOBS.used_controls(model, layer)
    ]


def layer_recipes(model, layer):
    """Recipes of the shared controls and of all concepts of a layer, without nulls."""
    return [
        *control_recipes(model, layer),
        *(
            f"{RESULTS}/{model}/concepts/{chunk}.parquet"
            for chunk in JOBS.layer_chunks(model, layer)
        ),
    ]


def sampled_recipes(wildcards):
    """Recipes of what the basis is fitted on."""
    files = layer_recipes if FIT_ON_CONCEPTS else control_recipes
    return files(wildcards.model, wildcards.layer)


def sampled_ids(wildcards):
    """What the basis is fitted on."""
    model, layer = wildcards.model, wildcards.layer
    concepts = JOBS.layer_concepts(model, layer) if FIT_ON_CONCEPTS else []
    return [*JOBS.used_controls(model, layer), *ids(concepts)]


def model_recipes(model):
    files = [
        path for layer in JOBS.layers(model) for path in layer_recipes(model, layer)
    ]
    return list(dict.fromkeys(files))


def catalogue_options():
    """The recipes of each model, as options of the catalogue step."""
    options = []
    for model in MODELS:
        options += ["--recipes", model, *model_recipes(model)]
    return options


def batch_activations(wildcards):
    batches = BATCHES[wildcards.model, wildcards.layer]
    chunk, _ = batches[known(wildcards.batch, batches, "concept or batch")]
    return f"{RESULTS}/{wildcards.model}/{wildcards.layer}/activations/{chunk}.parquet"


def batch_concepts(wildcards):
    return BATCHES[wildcards.model, wildcards.layer][wildcards.batch][1]


def batch_control(wildcards, what, folder="controls"):
    """The shared control of a batch; nothing if its concepts have controls of their own."""
    control = batch_concepts(wildcards)[0].control
    if control not in JOBS.controls:
        return []
    return f"{RESULTS}/{wildcards.model}/{wildcards.layer}/{folder}/{control}/{what}.parquet"


def target_files(wildcards):
    """The files of a target, see `Jobs.target_files`."""
    target, _ = EXPLAINED[wildcards.target]
    return list(JOBS.target_files(target).values())


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


def sets_on_disk(wildcards):
    """Sets of examples whose activations lie on the disk at a time: all controls, one chunk.

    Nulls do not count: another number of them reruns nothing that does not need them.
    """
    model, layer = wildcards.model, wildcards.layer
    controls = JOBS.used_controls(model, layer)
    chunks = [
        sum(len(concept.variants) for concept in chunk)
        for chunk in JOBS.layer_chunks(model, layer).values()
    ]
    return len(controls) * (CONFIG["controls"]["replicates"] + 1) + max(chunks)


def cav_memory_options(wildcards):
    """What the memory of the largest CAV job of a layer follows from, beside n and d."""
    variants = [
        sum(len(concept.variants) for concept in concepts)
        for chunk, concepts in BATCHES[wildcards.model, wildcards.layer].values()
        if chunk in JOBS.chunks
    ]
    return as_json(
        {
            "replicates": CONFIG["controls"]["replicates"],
            "variants": max(variants),
            "norm": CONFIG["cavs"]["norm"],
        }
    )
