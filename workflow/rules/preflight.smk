# configuration  →  results/catalogue.tsv, the concepts; results/preflight.tsv, models and layers.
# Whatever can be wrong is found here, in seconds and on a CPU, before any GPU job starts.


rule catalogue:
    input:
        ancient([entry["file"] for entry in CONFIG["concepts"].values()]),
    output:
        f"{RESULTS}/catalogue.tsv",
        f"{RESULTS}/catalogue.parquet",
    log:
        f"{RESULTS}/logs/catalogue.log",
    benchmark:
        f"{RESULTS}/benchmarks/catalogue.tsv"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(10),
    params:
        concepts=as_json(CONFIG["concepts"]),
        fingerprints=fingerprints(JOBS.concepts),
        code=code_digest("catalogue"),
    conda:
        "../envs/numpy.yaml"
    shell:
        "{STEP} catalogue --concepts {params.concepts:q} --output {output[0]:q} --log {log:q}"


rule preflight:
    input:
        genome=rules.genome.output,
        exclude=exclude_bed(),
        models=[file for model in CONFIG["models"] for file in JOBS.model_files(model)],
        regions=[
            target["regions"]
            for target in CONFIG["targets"].values()
            if target["regions"] != "random"
        ],
    output:
        f"{RESULTS}/preflight.tsv",
        f"{RESULTS}/preflight.parquet",
    log:
        f"{RESULTS}/logs/preflight.log",
    benchmark:
        f"{RESULTS}/benchmarks/preflight.tsv"
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=minutes(20),
    params:
        models=as_json(
            {
                model: {"model": {**JOBS.model(model), "device": "cpu"}, "layers": list(JOBS.layers(model))}
                for model in CONFIG["models"]
            }
        ),
        targets=as_json(CONFIG["targets"]),
        sampling=sampling_options(),
        examples=CONFIG["examples"]["per_concept"],
        code=code_digest("preflight"),
    conda:
        "../envs/torch.yaml"
    shell:
        "{STEP} preflight --genome {input.genome:q} --models {params.models:q}"
        " --targets {params.targets:q} --sampling {params.sampling:q}"
        " --examples {params.examples} --seed {SEED} --output {output[0]:q} --log {log:q}"
