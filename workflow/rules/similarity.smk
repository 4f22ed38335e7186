# all CAVs of a layer  →  results/{model}/{layer}/similarity.parquet: which say the same


rule similarity:
    input:
        cavs=lambda wildcards: layer_files(
            wildcards.model, wildcards.layer, "cavs", nulls=False
        ),
    output:
        similarity_file("{model}", "{layer}"),
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/similarity.log",
    benchmark:
        f"{RESULTS}/benchmarks/similarity/{{model}}/{{layer}}.tsv"
    conda:
        "../envs/numpy.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(1000, per_input=3),
        runtime=minutes(30),
    params:
        threads=THREADS,
        code=code_digest("similarity"),
    shell:
        "printf '%s\\0' --cavs {input.cavs:q} |"
        " python3 -m tpcav_core similarity @- --threads {params.threads}"
        " --output {output:q} --log {log:q}"
