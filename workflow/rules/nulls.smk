# random sets against random sets  →  results/{model}/{layer}/nulls/: what chance gives


rule nulls:
    input:
        activations=[
            f"{RESULTS}/{{model}}/{{layer}}/controls/{{control}}/activations.parquet",
            f"{RESULTS}/{{model}}/{{layer}}/controls/{{control}}.pool/activations.parquet",
        ],
        scaling=rules.scaling.output,
        preflight=rules.preflight.output.tsv,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/nulls/{{control}}-{{part}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/nulls/{{control}}-{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/nulls/{{model}}/{{layer}}/{{control}}-{{part}}.tsv"
    group:
        null_group
    conda:
        "../envs/numpy.yaml"
    threads: 1
    resources:
        mem_mb=null_memory,
        runtime=null_minutes,
        in_turn=in_turn,
    params:
        first=lambda wildcards: NULL_PARTS[wildcards.part][0],
        number=lambda wildcards: NULL_PARTS[wildcards.part][1],
        sizes=study_sizes(CONFIG),
        replicates=CONFIG["controls"]["replicates"],
        classifier=cav_classifier(),
        seed=SEED,
        code=code_digest("nulls"),
    shell:
        "python3 -m tpcav_core nulls --activations {input.activations:q}"
        " --scaling {input.scaling:q} --name {wildcards.control:q} --first {params.first}"
        " --count {params.number} --sizes {params.sizes} --replicates {params.replicates}"
        " --classifier {params.classifier:q} --seed {params.seed} --threads {threads}"
        " --output {output:q} --log {log:q}"
