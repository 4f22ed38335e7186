# all of the above  →  results/summary/: the tables a reader wants
TABLES = [
    *("verdicts", "concepts", "cavs", "scores", "planting", "nulls", "null_values"),
    *("motif_sensitivity", "motif_points", "similarity", "layers", "attributions"),
    *(["methods"] if CONFIG["compare_methods"] else []),
    *(["sanity"] if CONFIG["sanity_checks"] else []),
]


rule summary:
    input:
        results=lambda wildcards: summary_files(),
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
        files=lambda wildcards: summary_options(),
        statistics=as_json(
            {key: STATISTICS[key] for key in ("statistic", "alpha", "minimum_effect")}
        ),
        inseparable=STATISTICS["inseparable"],
        sanity="--sanity-checks" if CONFIG["sanity_checks"] else "",
        code=code_digest("summary"),
    shell:
        "printf '%s\\0' {params.files:q} |"
        " python3 -m tpcav_core summary @- --catalogue {input.catalogue:q}"
        " --statistics {params.statistics:q} --inseparable {params.inseparable} {params.sanity}"
        " --output {params.folder:q} --log {log:q}"
