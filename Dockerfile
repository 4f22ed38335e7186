# An image with the workflow and all that its jobs import:
#   docker build --tag tpcav .
#   docker run --rm --volume "$PWD:/study" tpcav --cores 4 --configfile my_study.yaml
# The tests check what it names; they do not build it.
FROM python:3.11-slim

RUN apt-get update \
 && apt-get install --yes --no-install-recommends git \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/tpcav
COPY pyproject.toml constraints.txt README.md LICENSE CITATION.cff ./
COPY tpcav_core tpcav_core
# torch by itself, as in the Makefile: left to a range, pip may fetch another build
RUN pip install --no-cache-dir --constraint constraints.txt torch \
 && pip install --no-cache-dir --constraint constraints.txt \
      '.[anndata,huggingface,jaspar,modisco]'
COPY Snakefile Snakefile
COPY workflow workflow
COPY config config
COPY profiles profiles

WORKDIR /study
ENTRYPOINT ["snakemake", "--snakefile", "/opt/tpcav/Snakefile"]
