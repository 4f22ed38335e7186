# Which files a layer has, and what the steps that join them have to read.


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
    for model in MODELS:
        yield "--planting", [model], planting_files(model)
    for model, layer in JOBS.places():
        place = (model, layer)
        yield "--cavs", place, layer_cavs(*place)
        yield "--nulls", place, [*random_nulls(*place), *layer_shuffled(*place)]
        if place in OWN_PLACES:
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
        for model, layer in OWN_PLACES
        for target, (regions, _) in JOBS.explained(model).items()
        if regions in wanted
    }


def report_options():
    """Files of each layer and target as options of the report; without copies of models."""
    options = []
    for place in OWN_PLACES:
        options += ["--similarity", *place, similarity_file(*place)]
        options += ["--basis", *place, basis_file(*place)]
    for place, path in site_files().items():
        options += ["--sites", *place, path]
    return options
