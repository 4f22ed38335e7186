# config/demo/  →  resources/demo/: a simulated genome, a network trained on it, and the truth


rule demo:
    input:
        motifs=workflow.source_path("../../config/demo/motifs.meme"),
        roles=workflow.source_path("../../config/demo/roles.tsv"),
    output:
        **DEMO,
    log:
        "resources/demo/logs/demo.log",
    benchmark:
        "resources/demo/logs/benchmark.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(3000),
        runtime=minutes(10),
    params:
        folder=lambda wildcards, output: os.path.dirname(output[0]),
        code=code_digest("demo"),
    shell:
        "python3 -m tpcav_core demo --motifs {input.motifs:q} --roles {input.roles:q} --seed 1"
        " --output {params.folder:q} --log {log:q}"
