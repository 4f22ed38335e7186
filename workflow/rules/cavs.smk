# activations of a concept and of the controls  →  results/{model}/{layer}/cavs/: one job a concept


rule gram:
    input:
        activations=rules.control_activations.output,
        scaling=rules.scaling.output,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/controls/{{control}}/gram.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/controls/{{control}}/gram.log",
    benchmark:
        f"{RESULTS}/benchmarks/gram/{{model}}/{{layer}}/{{control}}.tsv"
    priority: 3
    conda:
        "../envs/numpy.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(1000, per_input=1.5),
        runtime=minutes(60),
    params:
        threads=THREADS,
        code=code_digest("gram"),
    shell:
        "python3 -m tpcav_core gram --activations {input.activations:q} --scaling {input.scaling:q}"
        " --threads {params.threads} --output {output:q} --log {log:q}"


rule cavs:
    input:
        activations=batch_activations,
        controls=lambda wildcards: batch_control(wildcards, "activations"),
        gram=lambda wildcards: batch_control(wildcards, "gram"),
        scaling=rules.scaling.output,
        preflight=rules.preflight.output.tsv,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/cavs/{{batch}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/cavs/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cavs/{{model}}/{{layer}}/{{batch}}.tsv"
    # a chunk's activations are used up, and removed, before the next are made
    priority: 1
    group:
        cav_group
    conda:
        "../envs/numpy.yaml"
    threads: 1
    resources:
        mem_mb=cav_memory,
        runtime=cav_minutes,
        in_turn=in_turn,
    params:
        ids=lambda wildcards: ids(batch_concepts(wildcards)),
        fingerprints=lambda wildcards: fingerprints(batch_concepts(wildcards)),
        classifier=cav_classifier(),
        split=as_json(SPLIT),
        seed=SEED,
        code=code_digest("cavs"),
    shell:
        "python3 -m tpcav_core cavs --activations {input.activations:q}"
        " --controls {input.controls:q} --gram {input.gram:q} --scaling {input.scaling:q}"
        " --ids {params.ids:q} --classifier {params.classifier:q} --split {params.split:q}"
        " --seed {params.seed} --threads {threads} --output {output:q} --log {log:q}"


# A sanity check, only where it is asked for: the same examples with labels that mean nothing.
rule shuffled:
    input:
        activations=batch_activations,
        controls=lambda wildcards: batch_control(wildcards, "activations"),
        scaling=rules.scaling.output,
        preflight=rules.preflight.output.tsv,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/shuffled/{{batch}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/shuffled/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/shuffled/{{model}}/{{layer}}/{{batch}}.tsv"
    priority: 1
    group:
        cav_group
    conda:
        "../envs/numpy.yaml"
    threads: 1
    resources:
        mem_mb=shuffled_memory,
        runtime=cav_minutes,
        in_turn=in_turn,
    params:
        ids=lambda wildcards: ids(batch_concepts(wildcards)),
        fingerprints=lambda wildcards: fingerprints(batch_concepts(wildcards)),
        classifier=cav_classifier(),
        seed=SEED,
        code=code_digest("shuffled"),
    shell:
        "python3 -m tpcav_core shuffled --activations {input.activations:q}"
        " --controls {input.controls:q} --scaling {input.scaling:q} --ids {params.ids:q}"
        " --classifier {params.classifier:q} --seed {params.seed} --threads {threads}"
        " --output {output:q} --log {log:q}"
