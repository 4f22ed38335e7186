# What `snakemake --report` shows: captions, categories and labels of tables and figures.
TABLE_GROUPS = {
    "Verdicts": ["verdicts", "scores", "planting", "methods"],
    "CAVs": ["concepts", "cavs", "similarity"],
    "Motifs": ["motif_sensitivity", "motif_points"],
    "How sure": ["nulls", "sanity", "attributions"],
    "Comparison": ["layers"],
}


def table_file(table, ending):
    """A result table; as TSV with its caption, if it is one that people read."""
    path = f"{RESULTS}/summary/{table}.{ending}"
    groups = [group for group, tables in TABLE_GROUPS.items() if table in tables]
    if ending != "tsv" or not groups:
        return path
    return report(
        path,
        caption=f"../report/tables/{table}.rst",
        category="Tables",
        subcategory=groups[0],
        labels={"table": table.replace("_", " ")},
    )


def has_motifs(model, layer):
    """Whether motifs are among the concepts of a layer."""
    concepts = JOBS.layer_concepts(model, layer)
    return any(isinstance(concept, MotifConcept) for concept in concepts)


FIGURES = figure_names(
    {place: list(JOBS.explained(place[0])) for place in OWN_PLACES},
    {place for place in JOBS.places() if has_motifs(*place)},
)


def figure_file(figure):
    """A figure as SVG, with its caption."""
    where = f"{figure.model}, layer {figure.layer}" if figure.model else "All models"
    return report(
        f"{RESULTS}/figures/{figure.stem}.svg",
        caption=f"../report/figures/{figure.kind}.rst",
        category="Figures",
        subcategory=where,
        labels={"figure": TITLES[figure.kind], "target": figure.target or "all"},
    )


def figure_options():
    """Places, layers with motifs and similarities, as options of the figures."""
    options = []
    for model, layer in OWN_PLACES:
        options += ["--place", model, layer, *JOBS.explained(model)]
        options += ["--planted", model, layer] if has_motifs(model, layer) else []
        options += ["--similarity", model, layer, similarity_file(model, layer)]
    return options
