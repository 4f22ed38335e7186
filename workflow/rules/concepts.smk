# motifs, regions, signal, … + genome  →  results/{model}/concepts/: what each example is
# A function of the user's is run here to its end: what is wrong with it shows before any GPU job.


rule controls:
    input:
        genome=genome_file,
        exclude=exclude_bed(),
        source=lambda wildcards: named_files(control_definition(wildcards)),
    output:
        f"{RESULTS}/{{model}}/controls/{{control}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/controls/{{control}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/controls/{{model}}/{{control}}.tsv"
    priority: 90
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1500),
        runtime=minutes(20),
    params:
        controls=lambda wildcards: as_json(
            {
                "name": wildcards.control,
                "replicates": (
                    1
                    if wildcards.control in POOLS
                    else CONFIG["controls"]["replicates"]
                ),
                "definition": control_definition(wildcards),
            }
        ),
        window=window,
        tracks=model_tracks,
        sampling=sampling_options(),
        examples=CONFIG["examples"]["per_concept"],
        seed=SEED,
        code=code_digest("concepts"),
    shell:
        "python3 -m tpcav_core concepts --genome {input.genome:q} --controls {params.controls:q}"
        " --window {params.window} --model-tracks {params.tracks:q} --examples {params.examples}"
        " --sampling {params.sampling:q} --seed {params.seed} --output {output:q} --log {log:q}"


# A chunk reruns when a concept of its own changes (fingerprints), not when its motif file does.
rule concepts:
    input:
        genome=genome_file,
        exclude=exclude_bed(),
        source=chunk_files,
    output:
        f"{RESULTS}/{{model}}/concepts/{{chunk}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/concepts/{{chunk}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/concepts/{{model}}/{{chunk}}.tsv"
    priority: 90
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1500),
        runtime=minutes(20),
    params:
        set=chunk_set,
        ids=lambda wildcards: ids(ALL_CHUNKS[wildcards.chunk]),
        cache=CACHE,
        fingerprints=lambda wildcards: fingerprints(ALL_CHUNKS[wildcards.chunk]),
        window=window,
        source_tracks=chunk_tracks,
        tracks=model_tracks,
        replicates=CONFIG["controls"]["replicates"],
        gc_tolerance=CONFIG["controls"]["gc_tolerance"],
        sampling=sampling_options(),
        examples=CONFIG["examples"]["per_concept"],
        seed=SEED,
        code=code_digest("concepts"),
    shell:
        "python3 -m tpcav_core concepts --genome {input.genome:q} --set {params.set:q}"
        " --ids {params.ids:q} --cache {params.cache:q} --window {params.window}"
        " --tracks {params.source_tracks:q} --model-tracks {params.tracks:q}"
        " --replicates {params.replicates} --gc-tolerance {params.gc_tolerance}"
        " --examples {params.examples} --sampling {params.sampling:q} --seed {params.seed}"
        " --output {output:q} --log {log:q}"


rule catalogue:
    input:
        recipes=lambda wildcards: [
            path for model in MODELS for path in model_recipes(model)
        ],
    output:
        tsv=f"{RESULTS}/catalogue.tsv",
        parquet=f"{RESULTS}/catalogue.parquet",
    log:
        f"{RESULTS}/logs/catalogue.log",
    benchmark:
        f"{RESULTS}/benchmarks/catalogue.tsv"
    priority: 80
    conda:
        "../envs/numpy.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(10),
    params:
        concepts=as_json(CONFIG["concepts"]),
        control=CONFIG["controls"]["default"],
        fingerprints=lambda wildcards: fingerprints(JOBS.concepts),
        files=lambda wildcards: catalogue_options(),
        cache=CACHE,
        code=code_digest("catalogue"),
    shell:
        "printf '%s\\0' --concepts {params.concepts:q} {params.files:q} |"
        " python3 -m tpcav_core catalogue @- --default-control {params.control:q}"
        " --cache {params.cache:q}"
        " --output {output.tsv:q} --log {log:q}"
