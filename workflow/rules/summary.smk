# all of the above  →  results/summary/: the tables a reader wants
TABLES = ["concepts", "cavs", "scores", "motif_sensitivity"]


rule summary:
    input:
        cavs=[path for place in JOBS.places() for path in layer_cavs(*place)],
        scores=[path for place in JOBS.places() for path in layer_scores(*place)],
        catalogue=rules.catalogue.output.parquet,
    output:
        expand(
            f"{RESULTS}/summary/{{table}}.{{format}}",
            table=TABLES,
            format=["tsv", "parquet"],
        ),
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
        code=code_digest("summary"),
    shell:
        "python3 -m tpcav_core summary --catalogue {input.catalogue:q} {params.files:q}"
        " --output {params.folder:q} --log {log:q}"
