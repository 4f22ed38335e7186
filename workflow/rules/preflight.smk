# configuration  →  results/catalogue.tsv, the concepts; results/preflight.tsv, models and layers.
# Whatever can be wrong is found here, in seconds and on a CPU, before any GPU job starts.


rule catalogue:
    input:
        ancient([entry["file"] for entry in CONFIG["concepts"].values()]),
    output:
        tsv=f"{RESULTS}/catalogue.tsv",
        parquet=f"{RESULTS}/catalogue.parquet",
    log:
        f"{RESULTS}/logs/catalogue.log",
    benchmark:
        f"{RESULTS}/benchmarks/catalogue.tsv"
    conda:
        "../envs/numpy.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(10),
    params:
        concepts=as_json(CONFIG["concepts"]),
        fingerprints=fingerprints(JOBS.concepts),
        code=code_digest("catalogue"),
    shell:
        "python3 -m tpcav_core catalogue --concepts {params.concepts:q} --output {output.tsv:q} --log {log:q}"


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
        tsv=f"{RESULTS}/preflight.tsv",
        parquet=f"{RESULTS}/preflight.parquet",
    log:
        f"{RESULTS}/logs/preflight.log",
    benchmark:
        f"{RESULTS}/benchmarks/preflight.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=minutes(20),
    params:
        models=as_json(
            {
                model: {
                    "model": {**JOBS.model(model), "device": "cpu"},
                    "layers": list(JOBS.layers(model)),
                }
                for model in CONFIG["models"]
            }
        ),
        targets=as_json(CONFIG["targets"]),
        sampling=sampling_options(),
        examples=CONFIG["examples"]["per_concept"],
        seed=SEED,
        code=code_digest("preflight"),
    shell:
        "python3 -m tpcav_core preflight --genome {input.genome:q} --models {params.models:q}"
        " --targets {params.targets:q} --sampling {params.sampling:q}"
        " --examples {params.examples} --seed {params.seed} --output {output.tsv:q} --log {log:q}"
