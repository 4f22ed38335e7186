# Which files there are: chunks, batches, and what each step has to read.


CHUNKS = {
    place: JOBS.layer_chunks(*place) | JOBS.layer_nulls(*place)
    for place in JOBS.places()
}
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


def layer_recipes(model, layer):
    """Recipes of the shared controls and of all concepts of a layer, without nulls."""
    return [
        *(
            f"{RESULTS}/{model}/controls/{control}.parquet"
            for control in JOBS.used_controls(model, layer)
        ),
        *(
            f"{RESULTS}/{model}/concepts/{chunk}.parquet"
            for chunk in JOBS.layer_chunks(model, layer)
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
    """Regions of a target and its baselines, or the files of the functions that yield them."""
    target = target_options(wildcards)
    if target["regions"]:
        files = [target["regions"], target["baselines"]["file"]]
        return [file for file in files if file not in (None, "random")]
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


def sets_on_disk(model, layer):
    """Sets of examples whose activations lie on the disk at a time: all controls, one chunk.

    Nulls do not count: another number of them reruns nothing that does not need them.
    """
    controls = JOBS.used_controls(model, layer)
    chunks = [
        sum(len(concept.variants) for concept in chunk)
        for chunk in JOBS.layer_chunks(model, layer).values()
    ]
    return len(controls) * (CONFIG["controls"]["replicates"] + 1) + max(chunks)


def cav_memory_options(model, layer):
    """What the memory of the largest CAV job of a layer follows from, beside n and d."""
    variants = [
        sum(len(concept.variants) for concept in concepts)
        for chunk, concepts in BATCHES[model, layer].values()
        if chunk in JOBS.chunks
    ]
    return as_json(
        {
            "replicates": CONFIG["controls"]["replicates"],
            "variants": max(variants),
            "norm": CONFIG["cavs"]["norm"],
        }
    )


def layer_files(model, layer, folder, nulls=True):
    """Files of a folder that has one for each batch of CAVs, with or without those of nulls."""
    return [
        f"{RESULTS}/{model}/{layer}/{folder}/{batch}.parquet"
        for batch, (chunk, _) in BATCHES[model, layer].items()
        if nulls or chunk in JOBS.chunks
    ]


def layer_cavs(model, layer):
    return layer_files(model, layer, "cavs")


def layer_shuffled(model, layer):
    """CAVs of shuffled labels, where sanity checks are asked for; of the models themselves."""
    if not CONFIG["sanity_checks"] or twin_of(model):
        return []
    return layer_files(model, layer, "shuffled", nulls=False)


def random_nulls(model, layer):
    """Random nulls of all controls of a layer."""
    concepts = JOBS.layer_concepts(model, layer)
    return [
        f"{RESULTS}/{model}/{layer}/nulls/{control}-{part}.parquet"
        for control in null_controls(concepts)
        for part in NULL_PARTS
    ]


def gc_control(wildcards):
    """Activations of the control from which the effect of GC content is learned."""
    used = JOBS.used_controls(wildcards.model, wildcards.layer)
    return [
        f"{RESULTS}/{wildcards.model}/{wildcards.layer}/controls/{control}/activations.parquet"
        for control in used[:1]
    ]


def method_files(model, layer):
    """Scores by other methods, where they are compared; of the models themselves."""
    if not CONFIG["compare_methods"] or twin_of(model):
        return []
    return [
        f"{RESULTS}/{model}/{layer}/methods/{target}.parquet"
        for target in JOBS.explained(model)
    ]


def planted(wildcards):
    """The concepts of a chunk that are wanted at any layer."""
    chunks = (
        CHUNKS[wildcards.model, layer].get(wildcards.chunk, [])
        for layer in JOBS.layers(wildcards.model)
    )
    return list({concept.id: concept for chunk in chunks for concept in chunk}.values())


def planting_files(model):
    """Effects of planting each motif, and each null, of a model."""
    if not STATISTICS["planting_effect"]:
        return []
    chunks = {
        chunk: concepts
        for layer in JOBS.layers(model)
        for chunk, concepts in CHUNKS[model, layer].items()
    }
    return [
        f"{RESULTS}/{model}/planting/{chunk}.parquet"
        for chunk, concepts in chunks.items()
        if isinstance(concepts[0], MotifConcept)
    ]


def contribution_concepts(wildcards):
    """Pairs of concept and variant of a set of contributions, those wanted at the layer."""
    chosen = layer_set(JOBS, wildcards.model, wildcards.layer, wildcards.set)
    return [(concept.id, variant) for concept, variant in chosen]


def contribution_cavs(wildcards):
    """Files of the CAVs of a set of contributions."""
    wanted = {concept for concept, _ in contribution_concepts(wildcards)}
    model, layer = wildcards.model, wildcards.layer
    return [
        f"{RESULTS}/{model}/{layer}/cavs/{batch}.parquet"
        for batch, (_, concepts) in BATCHES[model, layer].items()
        if wanted.intersection(ids(concepts))
    ]


def contribution_results():
    """All files of contributions that are wanted, besides what they are made from."""
    kinds = [("bw", "tsv", "bed", "svg"), ("ohe.npz", "contribs.npz")]
    return [
        f"{RESULTS}/{place.model}/{place.layer}/contributions/{place.target}.{place.set}.{kind}"
        for hypothetical, endings in zip((False, True), kinds)
        for place in contribution_places(JOBS, hypothetical=hypothetical)
        for kind in endings
    ]


def layer_scores(model, layer):
    return [
        f"{RESULTS}/{model}/{layer}/scores/{target}.parquet"
        for target in JOBS.explained(model)
    ]


def summary_parts():
    """What the summary step reads: (option, what the files are of, files)."""
    for model in CONFIG["models"]:
        yield "--planting", [model], planting_files(model)
    for model, layer in JOBS.places():
        place = [model, layer]
        yield "--cavs", place, layer_cavs(*place)
        yield "--nulls", place, [*random_nulls(*place), *layer_shuffled(*place)]
        yield "--similarity", place, [similarity_file(*place)]
        for target, path in zip(JOBS.explained(model), layer_scores(*place)):
            yield "--scores", [*place, target], [path]
        for target, path in zip(JOBS.explained(model), method_files(*place)):
            yield "--methods", [*place, target], [path]


def summary_files():
    return [path for *_, files in summary_parts() for path in files]


def summary_options():
    """The files of each model, layer and target, as options of the summary step."""
    return [
        word
        for option, names, files in summary_parts()
        if files
        for word in (option, *names, *files)
    ]


def similarity_file(model, layer):
    return f"{RESULTS}/{model}/{layer}/similarity.parquet"


def basis_file(model, layer):
    return f"{RESULTS}/{model}/{layer}/basis/variance.parquet"


def site_files():
    """Target regions of each concept, by place; of the models themselves."""
    if not CONFIG["sites"]["regions"]:
        return {}
    wanted = genomic_targets(CONFIG)
    return {
        (model, layer, target): f"{RESULTS}/{model}/{layer}/sites/{target}.parquet"
        for model, layer in JOBS.places()
        if model in MODELS
        for target, (regions, _) in JOBS.explained(model).items()
        if regions in wanted
    }


def report_options():
    """Files of each layer and target as options of the report; without copies of models."""
    places = [place for place in JOBS.places() if place[0] in MODELS]
    options = []
    for place in places:
        options += ["--similarity", *place, similarity_file(*place)]
        options += ["--basis", *place, basis_file(*place)]
    for place, path in site_files().items():
        options += ["--sites", *place, path]
    return options
