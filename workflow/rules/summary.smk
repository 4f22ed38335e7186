# all of the above  →  results/summary/: the tables a reader wants
TABLES = [
    *("verdicts", "concepts", "cavs", "scores", "planting", "nulls", "null_values"),
    *("motif_sensitivity", "motif_points", "similarity", "layers", "attributions"),
    *(["methods"] if CONFIG["compare_methods"] else []),
    *(["sanity"] if CONFIG["sanity_checks"] else []),
]


rule summary:
    input:
        cavs=[path for place in JOBS.places() for path in layer_cavs(*place)],
        scores=[path for place in JOBS.places() for path in layer_scores(*place)],
        nulls=[
            path
            for place in JOBS.places()
            for path in [*random_nulls(*place), *layer_shuffled(*place)]
        ],
        methods=[path for place in JOBS.places() for path in method_files(*place)],
        similarity=[similarity_file(*place) for place in JOBS.places()],
        planting=[path for model in CONFIG["models"] for path in planting_files(model)],
        catalogue=rules.catalogue.output.parquet,
    output:
        [table_file(table, ending) for table in TABLES for ending in ("tsv", "parquet")],
    log:
        f"{RESULTS}/logs/summary.log",
    benchmark:
        f"{RESULTS}/benchmarks/summary.tsv"
    conda:
        "../envs/numpy.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1500),
        runtime=minutes(20),
    params:
        folder=lambda wildcards, output: os.path.dirname(output[0]),
        files=summary_options(),
        statistics=as_json(
            {key: STATISTICS[key] for key in ("statistic", "alpha", "minimum_effect")}
        ),
        inseparable=STATISTICS["inseparable"],
        sanity="--sanity-checks" if CONFIG["sanity_checks"] else "",
        code=code_digest("summary"),
    shell:
        "python3 -m tpcav_core summary --catalogue {input.catalogue:q} {params.files:q}"
        " --statistics {params.statistics:q} --inseparable {params.inseparable} {params.sanity}"
        " --output {params.folder:q} --log {log:q}"
