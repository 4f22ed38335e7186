# motifs + genome  →  results/{model}/concepts/: recipes, which window and which planted sites


rule controls:
    input:
        genome=rules.genome.output,
        exclude=exclude_bed(),
    output:
        f"{RESULTS}/{{model}}/concepts/controls.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/concepts/controls.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/concepts/controls.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1500),
        runtime=minutes(20),
    params:
        controls=as_json({"name": "random", **CONFIG["controls"]}),
        window=lambda wildcards: CONFIG["models"][wildcards.model]["window"],
        sampling=sampling_options(),
        examples=CONFIG["examples"]["per_concept"],
        seed=SEED,
        code=code_digest("concepts"),
    shell:
        "python3 -m tpcav_core concepts --genome {input.genome:q} --controls {params.controls:q}"
        " --window {params.window} --examples {params.examples} --sampling {params.sampling:q}"
        " --seed {params.seed} --output {output:q} --log {log:q}"


# A chunk reruns when a concept of its own changes (fingerprints), not when its file does.
rule concepts:
    input:
        genome=rules.genome.output,
        exclude=exclude_bed(),
        source=lambda wildcards: ancient(
            CONFIG["concepts"][JOBS.chunks[wildcards.chunk][0].set]["file"]
        ),
    output:
        f"{RESULTS}/{{model}}/concepts/{{chunk}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/concepts/{{chunk}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/concepts/{{chunk}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1500),
        runtime=minutes(20),
    params:
        set=chunk_set,
        ids=lambda wildcards: ids(JOBS.chunks[wildcards.chunk]),
        fingerprints=lambda wildcards: fingerprints(JOBS.chunks[wildcards.chunk]),
        window=lambda wildcards: CONFIG["models"][wildcards.model]["window"],
        sampling=sampling_options(),
        examples=CONFIG["examples"]["per_concept"],
        seed=SEED,
        code=code_digest("concepts"),
    shell:
        "python3 -m tpcav_core concepts --genome {input.genome:q} --set {params.set:q} --ids {params.ids:q}"
        " --window {params.window} --examples {params.examples} --sampling {params.sampling:q}"
        " --seed {params.seed} --output {output:q} --log {log:q}"
