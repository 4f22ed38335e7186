"""How the work of a configuration is cut into jobs. Known when the workflow is parsed.

A *chunk* is some concepts of one set whose examples go through the model in one job; a *batch* is
some concepts of one chunk whose CAVs are trained in one job. Neither changes a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from .catalogue import check_fit, read_catalogue, resolved, select
from .config_checks import check_config
from .contribution_sets import check_contributions
from .controls import check_control, shared_control, shared_controls
from .errors import InputError
from .explained import explained, named_outputs
from .imports import source_file
from .model_folders import check_folder, folder_files
from .names import OWN
from .null_sets import null_motifs
from .sources import named_files
from .sources.base import Concept
from .sources.null_motifs import NullMotif


@dataclass(frozen=True)
class Jobs:
    """The jobs of a validated configuration.

    Attributes:
        config: the configuration, defaults filled in.
        concepts: all concepts, in the order of the configuration.
        chunks: concepts by name of chunk.
        null_chunks: motifs with permuted columns, by name of chunk.
        controls: definitions of the controls that concepts share, by name.
    """

    config: Mapping[str, Any]
    concepts: tuple[Concept, ...]
    chunks: Mapping[str, tuple[Concept, ...]]
    null_chunks: Mapping[str, tuple[Concept, ...]]
    controls: Mapping[str, Mapping[str, Any]]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Jobs:
        """Read the concepts of a configuration and check that they fit its models.

        Raises:
            InputError: for anything that can be told without reading the genome or a model.
        """
        controls = shared_controls(config["controls"]["sets"])
        concepts = tuple(
            read_catalogue(
                config["concepts"],
                default_control=config["controls"]["default"],
                taken=(*controls, *OWN),
                cache=Path(config["results"]) / ".cache",
            )
        )
        for concept in {concept.set: concept for concept in concepts}.values():
            check_control(concept, controls)
        for name in dict.fromkeys(concept.control for concept in concepts):
            if name in controls:
                shared_control(name, controls[name])
        size = config["jobs"]["concepts_per_activation_job"]
        chunks = _chunks(concepts, size, "")
        nulls = null_motifs(concepts, config["statistics"]["permutations_per_motif"])
        jobs = cls(config, concepts, chunks, _chunks(nulls, size, ".nulls"), controls)
        jobs._check_layers()
        check_config(config)
        check_contributions(config, concepts)
        jobs._check_genome()
        for model, entry in config["models"].items():
            check_fit(concepts, entry["window"], model)
            for layer in jobs.layers(model):
                jobs.layer_concepts(model, layer)
                jobs._check_basis(model, layer)
        return jobs

    def model(self, model: str) -> dict[str, Any]:
        """Return what `tpcav_core.models.ModelSpec` needs of a model."""
        entry = {**self.config["models"][model]}
        # no step but those that explain the output depends on which one it is
        del entry["layers"], entry["output"]
        tracks = {name: self.config["tracks"][name] for name in entry["tracks"]}
        return {**entry, "tracks": tracks}

    def model_files(self, model: str) -> list[str]:
        """Return the files a model is made from, those that are paths."""
        entry = self.config["models"][model]
        named = map(source_file, (entry["factory"], entry["inputs"]))
        sources = [file for file in named if file]
        tracks = [self.config["tracks"][name]["file"] for name in entry["tracks"]]
        kind, _, folder = entry["inputs"].partition(":")
        if kind == "tokenizer" and Path(folder).is_dir():
            sources += folder_files(folder)
        if entry["huggingface"]:
            sources += folder_files(entry["huggingface"])
        files = [*sources, entry["weights"], entry["pickled_classes"], *tracks]
        return [file for file in dict.fromkeys(files) if file]

    def outputs(self, model: str) -> dict[str, int | str]:
        """Return what is explained of a model's output, by name."""
        return named_outputs(self.config["models"][model]["output"])

    def output_files(self, model: str) -> list[str]:
        """Return the files of functions that read a model's output."""
        texts = [value for value in self.outputs(model).values() if isinstance(value, str)]
        return [file for file in dict.fromkeys(map(source_file, texts)) if file]

    def target_files(self, target: str) -> dict[str, str]:
        """Return the files that the regions of a target and its baselines come from, by key."""
        entry = self.config["targets"][target]
        if entry["regions"]:
            named = {"regions": entry["regions"], "baselines.file": entry["baselines"]["file"]}
            return {key: file for key, file in named.items() if file not in (None, "random")}
        functions = {key: source_file(entry[key]) for key in ("function", "baseline_function")}
        return {key: file for key, file in functions.items() if file}

    def explained(self, model: str) -> dict[str, tuple[str, str]]:
        """Return targets and outputs of a model by their name in the tables, see `explained`."""
        return explained(self.config["targets"], self.config["models"][model]["output"])

    def input_files(self) -> dict[str, str]:
        """Return the files the configuration names, each with its place in it."""
        genome = self.config["genome"] or {}
        named = [(f"genome.{key}", genome.get(key)) for key in ("fasta", "exclude")]
        for model in self.config["models"]:
            files = [*self.model_files(model), *self.output_files(model)]
            named += [(f"models.{model}", file) for file in files]
        for track, entry in self.config["tracks"].items():
            named.append((f"tracks.{track}.file", entry["file"]))
        for name, definition in self.config["concepts"].items():
            named += [(f"concepts.{name}", file) for file in named_files(definition)]
        for name, definition in self.controls.items():
            named += [(f"controls.sets.{name}", file) for file in named_files(definition)]
        for target in self.config["targets"]:
            own = self.target_files(target)
            named += [(f"targets.{target}.{key}", file) for key, file in own.items()]
        return {file: place for place, file in named if file}

    def check_files(self, made: Iterable[str] = ()) -> None:
        """Raise `InputError` for a file that is neither there nor ``made`` by a rule."""
        made = set(made)
        self._check_folders()
        for file, place in self.input_files().items():
            if file not in made and not Path(file).is_file():
                raise InputError(
                    f"configuration, {place}: no file {file!r} (looked in {Path.cwd()}); correct"
                    " the path, paths are relative to the folder you run in"
                )

    def _check_folders(self) -> None:
        for model, entry in self.config["models"].items():
            if entry["huggingface"]:
                options = [entry[key] for key in ("architecture", "trust_remote_code")]
                try:
                    check_folder(entry["huggingface"], *options)
                except InputError as error:
                    raise InputError(f"configuration, models.{model}: {error}") from None

    def layers(self, model: str) -> dict[str, list[str]]:
        """Return the layers of a model, each with its patterns of concepts."""
        entries = self.config["models"][model]["layers"]
        return {
            (entry if isinstance(entry, str) else entry["name"]): (
                [] if isinstance(entry, str) else entry["concepts"]
            )
            for entry in entries
        }

    def _check_layers(self) -> None:
        for model, entry in self.config["models"].items():
            if len(self.layers(model)) < len(entry["layers"]):
                raise InputError(
                    f"configuration, models.{model}.layers: a layer is listed twice; list it once,"
                    " with the concepts of both"
                )

    def _check_basis(self, model: str, layer: str) -> None:
        if self.config["basis"]["fit_on"] == "controls" and not self.used_controls(model, layer):
            raise InputError(
                f"configuration, basis.fit_on: layer {layer!r} of {model!r} has no shared control,"
                " since all its concepts have controls of their own; fit on concepts"
            )

    def _check_genome(self) -> None:
        if self.config["genome"] is not None:
            return
        sources = {concept.set: concept.source for concept in self.concepts}
        sources |= {name: self.controls[name]["source"] for name in self.used_controls()}
        needing = [name for name, source in sources.items() if source != "function"]
        needing += [name for name, entry in self.config["targets"].items() if entry["regions"]]
        if needing:
            raise InputError(
                f"configuration, genome: {needing[0]!r} needs a genome; give one, or use functions"
                " for all concepts, controls and targets"
            )

    def set_definition(self, name: str) -> dict[str, Any]:
        """Return the definition of a set with all that it refers to."""
        return resolved(self.config["concepts"], name, self.config["controls"]["default"])

    def set_files(self, name: str) -> list[str]:
        """Return the files that the concepts of a set are made from."""
        definition = self.set_definition(name)
        files = []
        while definition:
            files += named_files(definition)
            if "track" in definition:
                files.append(self.config["tracks"][definition["track"]]["file"])
            definition = definition.get("parent", {})
        return files

    def used_controls(self, model: str | None = None, layer: str | None = None) -> list[str]:
        """Return the shared controls of the concepts (of a layer), in their order."""
        concepts = self.concepts
        if model is not None and layer is not None:
            concepts = tuple(self.layer_concepts(model, layer))
        return _unique(concept.control for concept in concepts if concept.control not in OWN)

    def layer_concepts(self, model: str, layer: str) -> list[Concept]:
        """Return the concepts wanted at a layer."""
        where = f"models.{model}.layers, {layer}"
        return select(self.concepts, self.layers(model)[layer], where)

    def layer_chunks(self, model: str, layer: str) -> dict[str, list[Concept]]:
        """Return the chunks of a layer, each with its concepts wanted there."""
        wanted = {concept.id for concept in self.layer_concepts(model, layer)}
        chunks = {
            name: [concept for concept in chunk if concept.id in wanted]
            for name, chunk in self.chunks.items()
        }
        return {name: chunk for name, chunk in chunks.items() if chunk}

    def layer_nulls(self, model: str, layer: str) -> dict[str, list[Concept]]:
        """Return the chunks of nulls of a layer, each with those of concepts wanted there."""
        wanted = {concept.id for concept in self.layer_concepts(model, layer)}
        chunks: dict[str, list[Concept]] = {
            name: [null for null in chunk if isinstance(null, NullMotif) and null.of in wanted]
            for name, chunk in self.null_chunks.items()
        }
        return {name: chunk for name, chunk in chunks.items() if chunk}

    def batches(self, model: str, layer: str) -> dict[str, tuple[str, list[Concept]]]:
        """Return the batches of a layer: name, its chunk, its concepts.

        A batch of one concept bears the concept's id, one of nulls the name of their chunk.
        """
        nulls = self.layer_nulls(model, layer)
        return self._concept_batches(model, layer) | {
            name: (name, chunk) for name, chunk in nulls.items()
        }

    def _concept_batches(self, model: str, layer: str) -> dict[str, tuple[str, list[Concept]]]:
        size = self.config["jobs"]["concepts_per_job"]
        return {
            (part[0].id if size == 1 else f"{chunk}.{index:04d}"): (chunk, list(part))
            for chunk, concepts in self.layer_chunks(model, layer).items()
            for index, part in enumerate(_slices(tuple(concepts), size))
        }

    def places(self) -> list[tuple[str, str]]:
        """Return every (model, layer)."""
        return [(model, layer) for model in self.config["models"] for layer in self.layers(model)]

    def all_layers(self) -> list[str]:
        """Return the names of all layers of all models."""
        return _unique(layer for _, layer in self.places())


def _chunks(concepts: Iterable[Concept], size: int, suffix: str) -> dict[str, tuple[Concept, ...]]:
    return {
        f"{name}{suffix}-{index:04d}": part
        for name, group in groupby(concepts, key=lambda concept: concept.set)
        for index, part in enumerate(_slices(tuple(group), size))
    }


def _slices(items: tuple[Concept, ...], size: int) -> list[tuple[Concept, ...]]:
    return [items[first : first + size] for first in range(0, len(items), size)]


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
