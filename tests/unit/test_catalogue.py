from __future__ import annotations

import re

import numpy as np
import pytest

from tpcav_core.catalogue import (
    RESERVED,
    Concept,
    check_fit,
    file_safe_ids,
    read_catalogue,
    read_set,
    select,
)
from tpcav_core.errors import InputError
from tpcav_core.motifs import Motif

SAFE = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")
AWKWARD = ["A/B", "A:B", "a_b", "plain", "Ünïcode", "α", "β", "..", ".hidden", "-x", "x y", "", "/"]


def definition(file, **changes):
    return {
        "source": "motifs",
        "file": str(file),
        "format": "meme",
        "select": [],
        "copies": [2, 4],
        "both_strands": True,
        "margin": 0,
        "prefix": "",
        **changes,
    }


def concept(label="x", width=6, **changes):
    content = {
        "id": label,
        "label": label,
        "set": "s",
        "source": "motifs",
        "copies": (2, 4),
        "motif": Motif(label, (np.full((width, 4), 0.25),)),
    }
    return Concept(**{**content, **changes})


def test_ids_are_safe_as_file_names_and_unique_whatever_the_case():
    ids = file_safe_ids(AWKWARD)
    assert all(SAFE.match(name) for name in ids)
    assert len({name.casefold() for name in ids}) == len(AWKWARD)


def test_harmless_labels_keep_their_names():
    assert file_safe_ids(["CTCF", "MA0139.1", "GATA-1_v2"]) == ["CTCF", "MA0139.1", "GATA-1_v2"]
    assert file_safe_ids(["AC0078:CTCF/CTCFL"]) == ["AC0078_CTCF_CTCFL"]


def test_labels_that_would_collide_all_show_it():
    first, second, third, other = file_safe_ids(["A/B", "A:B", "a_b", "other"])
    for name, plain in ((first, "A_B"), (second, "A_B"), (third, "a_b")):
        assert re.fullmatch(plain + "-[0-9a-f]{8}", name)
    assert len({first, second, third}) == 3
    assert other == "other"


def test_ids_do_not_depend_on_the_order_of_labels():
    ids = dict(zip(AWKWARD, file_safe_ids(AWKWARD), strict=True))
    for seed in range(5):
        shuffled = np.random.default_rng(seed).permutation(AWKWARD).tolist()
        assert dict(zip(shuffled, file_safe_ids(shuffled), strict=True)) == ids


def test_names_of_the_workflow_are_not_taken():
    labels = [*RESERVED, *(name.upper() for name in RESERVED)]
    ids = file_safe_ids(labels)
    assert not {name.casefold() for name in ids} & {name.casefold() for name in RESERVED}
    assert len({name.casefold() for name in ids}) == len(ids)
    assert file_safe_ids(["controls"], prefix="my_") == ["my_controls"]


def test_a_prefix_is_put_before_every_id():
    assert file_safe_ids(["a/b", "c"], prefix="set1_") == ["set1_a_b", "set1_c"]


def test_a_set_keeps_labels_order_and_options(toy_meme):
    entry = definition(toy_meme, copies=[3], both_strands=False, margin=2, prefix="p.")
    concepts = read_set("mine", entry)
    assert [c.label for c in concepts] == ["A:one/x", "B,two", "C.three"]
    assert [c.id for c in concepts] == ["p.A_one_x", "p.B_two", "p.C.three"]
    for c in concepts:
        assert (c.set, c.source, c.copies, c.variants) == ("mine", "motifs", (3,), ("3",))
        assert (c.both_strands, c.margin, c.motif.label) == (False, 2, c.label)


@pytest.mark.parametrize(
    ("patterns", "labels"),
    [
        (["A:one/x"], ["A:one/x"]),
        (["A_one_x"], ["A:one/x"]),
        (["*t*"], ["B,two", "C.three"]),
        (["?.three", "A*"], ["A:one/x", "C.three"]),
        (["*"], ["A:one/x", "B,two", "C.three"]),
    ],
)
def test_selection_takes_ids_and_labels(toy_meme, patterns, labels):
    assert [c.label for c in read_set("s", definition(toy_meme, select=patterns))] == labels
    everything = read_set("s", definition(toy_meme))
    assert [c.label for c in select(everything, patterns, "here")] == labels
    assert select(everything, [], "here") == everything


def test_a_selection_does_not_change_ids(toy_meme, tmp_path):
    file = tmp_path / "m.meme"
    file.write_text(toy_meme.read_text().replace("B,two", "A:one:x"))
    everything = {c.label: c.id for c in read_set("s", definition(file))}
    (alone,) = read_set("s", definition(file, select=["A:one/x"]))
    assert alone.id == everything["A:one/x"] != "A_one_x"


def test_a_pattern_that_matches_nothing_names_the_nearest(toy_meme):
    with pytest.raises(InputError) as caught:
        read_set("mine", definition(toy_meme, select=["A*", "B,tow"]))
    text = str(caught.value)
    assert text.startswith("concepts.mine.select: 'B,tow' is not in")
    assert "(3 motifs); did you mean 'B,two'?" in text
    with pytest.raises(InputError, match=r"models\.m\.layers: no concept matches 'C\.thre'; did"):
        select(read_set("s", definition(toy_meme)), ["C.thre"], "models.m.layers")


def test_two_sets_that_give_one_id_need_a_prefix(toy_meme):
    sets = {"one": definition(toy_meme), "two": definition(toy_meme)}
    with pytest.raises(InputError, match=r"concepts\.two: .*A_one_x.* concepts\.one; .*`prefix`"):
        read_catalogue(sets)
    sets["two"]["prefix"] = "again_"
    assert len(read_catalogue(sets)) == 6


def test_sites_that_do_not_fit_are_an_error():
    check_fit([concept(width=6, copies=(4, 16))], 96, "m")
    with pytest.raises(InputError, match=r"'x': 16 copies of 6 bp need 96 bp, but model 'm'.*95"):
        check_fit([concept(width=6, copies=(4, 16))], 95, "m")
    with pytest.raises(InputError, match="room for 94 of its window of 96 bp"):
        check_fit([concept(width=6, copies=(4, 16), margin=1)], 96, "m")


def test_the_widest_of_several_pwms_must_fit():
    motif = Motif("x", (np.full((4, 4), 0.25), np.full((10, 4), 0.25)))
    with pytest.raises(InputError, match="2 copies of 10 bp need 20 bp"):
        check_fit([concept(motif=motif, copies=(2,))], 19, "m")


def test_the_fingerprint_tells_what_defines_the_examples():
    other = Motif("x", (np.eye(4)[[0, 1, 2, 3, 0, 1]],))
    changes = [
        {},
        {"id": "y"},
        {"label": "y"},
        {"copies": (2, 5)},
        {"both_strands": False},
        {"margin": 1},
        {"motif": other},
    ]
    prints = [concept(**change).fingerprint() for change in changes]
    assert len(set(prints)) == len(changes)
    assert concept(set="t").fingerprint() == prints[0]


@pytest.mark.real
def test_all_archetypes_have_ids_of_their_own(real_data):
    file = real_data / "motifs" / "vierstra_archetypes_v2.1beta.meme"
    concepts = read_set("all", definition(file))
    assert len(concepts) == 637
    assert len({c.id.casefold() for c in concepts}) == 637
    assert len({c.label for c in concepts}) == 637
    assert all(SAFE.match(c.id) for c in concepts)
