# the same activations, not standardised  →  results/{model}/{layer}/plain/ and methods/: plain TCAV
# beside standardised TCAV and TPCAV. Only where compare_methods asks for it.


use rule scaling as plain_scaling with:
    output:
        f"{RESULTS}/{{model}}/{{layer}}/plain/scaling.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/plain/scaling.log",
    benchmark:
        f"{RESULTS}/benchmarks/plain_scaling/{{model}}/{{layer}}.tsv"
    params:
        plain="--plain",
        code=code_digest("scaling"),


use rule gram as plain_gram with:
    input:
        activations=rules.control_activations.output,
        scaling=rules.plain_scaling.output,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/plain/{{control}}/gram.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/plain/{{control}}/gram.log",
    benchmark:
        f"{RESULTS}/benchmarks/plain_gram/{{model}}/{{layer}}/{{control}}.tsv"


use rule cavs as plain_cavs with:
    input:
        activations=batch_activations,
        controls=lambda wildcards: batch_control(wildcards, "activations"),
        gram=lambda wildcards: batch_control(wildcards, "gram", "plain"),
        scaling=rules.plain_scaling.output,
        preflight=rules.preflight.output.tsv,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/plain/cavs/{{batch}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/plain/cavs/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plain_cavs/{{model}}/{{layer}}/{{batch}}.tsv"


rule methods:
    input:
        cavs=lambda wildcards: layer_cavs(wildcards.model, wildcards.layer),
        plain_cavs=lambda wildcards: layer_files(
            wildcards.model, wildcards.layer, "plain/cavs"
        ),
        attributions=rules.attributions.output,
        scaling=rules.scaling.output,
        plain_scaling=rules.plain_scaling.output,
        components=rules.components.output.components,
    output:
        f"{RESULTS}/{{model}}/{{layer}}/methods/{{target}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{layer}}/methods/{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/methods/{{model}}/{{layer}}/{{target}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=megabytes(2000, per_input=4),
        runtime=minutes(60),
    params:
        threads=THREADS,
        code=code_digest("methods"),
    shell:
        "printf '%s\\0' --cavs {input.cavs:q} --plain-cavs {input.plain_cavs:q} |"
        " python3 -m tpcav_core methods @- --attributions {input.attributions:q}"
        " --scaling {input.scaling:q} --plain-scaling {input.plain_scaling:q}"
        " --components {input.components:q} --threads {params.threads} --output {output:q}"
        " --log {log:q}"
