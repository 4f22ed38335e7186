from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from tpcav_core.catalogue import (
    check_fit,
    read_catalogue,
    read_set,
    select,
)
from tpcav_core.errors import InputError
from tpcav_core.motifs import Motif
from tpcav_core.sources.base import RESERVED, file_safe_ids
from tpcav_core.sources.given import Given
from tpcav_core.sources.motifs import MotifConcept

SAFE = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")
AWKWARD = ["A/B", "A:B", "a_b", "plain", "Ünïcode", "α", "β", "..", ".hidden", "-x", "x y", "", "/"]


def definition(file, **changes):
    return {
        "source": "motifs",
        "file": str(file),
        "format": "meme",
        "select": [],
        "drop": [],
        "copies": [2, 4],
        "both_strands": True,
        "sites": "pwm",
        "start_margin": 0,
        "end_margin": 0,
        "bins": 1,
        "into": None,
        "prefix": "",
        "control": "random",
        **changes,
    }


def concept(label="x", width=6, **changes):
    content = {
        "id": label,
        "label": label,
        "set": "s",
        "copies": (2, 4),
        "motif": Motif(label, (np.full((width, 4), 0.25),)),
    }
    return MotifConcept(**{**content, **changes})


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
    margins = {"start_margin": 2, "end_margin": 5}
    entry = definition(toy_meme, copies=[3], both_strands=False, prefix="p.", **margins)
    concepts = read_set("mine", entry)
    assert [c.label for c in concepts] == ["A:one/x", "B,two", "C.three"]
    assert [c.id for c in concepts] == ["p.A_one_x", "p.B_two", "p.C.three"]
    for c in concepts:
        assert (c.set, c.source, c.copies, c.variants) == ("mine", "motifs", (3,), ("3",))
        assert (c.both_strands, c.motif.label, c.control) == (False, c.label, "random")
        assert (c.start_margin, c.end_margin, c.bin, c.consensus) == (2, 5, None, False)


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


def test_a_name_with_brackets_selects_itself(toy_meme, tmp_path):
    """Some names of the archetypes hold lists in Python's notation."""
    file = tmp_path / "m.meme"
    name = "A:['factors']"
    file.write_text(toy_meme.read_text().replace("B,two", name))
    (alone,) = read_set("s", definition(file, select=[name]))
    assert alone.label == name
    assert [c.label for c in select([alone], [name], "here")] == [name]


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


def test_no_concept_has_the_name_of_a_control(toy_meme):
    sets = {"one": definition(toy_meme)}
    expected = r"concepts\.one: the id 'B_two' is the name of a control; give"
    with pytest.raises(InputError, match=expected):
        read_catalogue(sets, taken=["other", "b_TWO"])
    assert len(read_catalogue(sets, taken=["other"])) == 3


def test_a_set_that_names_no_control_gets_the_default(toy_meme):
    sets = {"one": definition(toy_meme, control=None), "two": definition(toy_meme, prefix="2")}
    found = read_catalogue(sets, default_control="gc_matched")
    assert [c.control for c in found] == ["gc_matched"] * 3 + ["random"] * 3
    assert sets["one"]["control"] is None


def test_what_is_dropped_is_not_there_and_what_is_not_there_cannot_be_dropped(toy_meme):
    kept = read_set("s", definition(toy_meme, select=["*t*", "A*"], drop=["B,two"]))
    assert [c.label for c in kept] == ["A:one/x", "C.three"]
    with pytest.raises(InputError, match=r"concepts\.mine\.drop: 'B,tow' is not in .*'B,two'"):
        read_set("mine", definition(toy_meme, drop=["B,tow"]))
    with pytest.raises(InputError, match=r"concepts\.mine: nothing of .* check select and drop"):
        read_set("mine", definition(toy_meme, drop=["*"]))


def test_bins_are_concepts_that_share_the_window_among_them(toy_meme):
    margins = {"start_margin": 7, "end_margin": 3}
    entry = definition(toy_meme, select=["C.three"], copies=[1], bins=4, **margins)
    bins = read_set("s", entry)
    assert [c.id for c in bins] == [f"C.three.bin{i}of4" for i in (1, 2, 3, 4)]
    assert [c.label for c in bins] == [f"C.three, bin {i} of 4" for i in (1, 2, 3, 4)]
    for window in (64, 61):
        edges = [(c.margins(window)[0], window - c.margins(window)[1]) for c in bins]
        assert edges[0][0] == 7
        assert edges[-1][1] == window - 3
        assert all(left[1] == right[0] for left, right in pairwise(edges))
        assert max(b - a for a, b in edges) - min(b - a for a, b in edges) <= 1
    with pytest.raises(InputError, match=r"bin 1 of 4': 1 copies of 5 bp .* has room for 4 of"):
        check_fit(bins, 28, "m")


def test_a_model_without_a_window_takes_no_motifs():
    with pytest.raises(InputError, match=r"'x': model 'm' has no window .* models\.m\.window"):
        check_fit([concept()], None, "m")


def test_shuffled_sets_follow_the_set_they_name(toy_meme):
    other = {"source": "shuffled", "select": [], "drop": ["A*"], "control": None}
    sets = {
        "again": {**other, "of": "plain", "prefix": "z-", "drop": [], "select": ["z-p-C*"]},
        "once": {**other, "of": "plain", "prefix": "s-"},
        "plain": definition(toy_meme, prefix="p-"),
    }
    found = read_catalogue(sets, default_control="gc_matched")
    assert [c.id for c in found] == [
        "z-p-C.three",
        *("s-p-B_two", "s-p-C.three"),
        *("p-A_one_x", "p-B_two", "p-C.three"),
    ]
    assert [c.control for c in found] == ["gc_matched"] * 3 + ["random"] * 3
    assert {c.variants for c in found} == {("2", "4")}
    assert len({c.fingerprint() for c in found}) == len(found)
    changed = read_catalogue({**sets, "plain": {**sets["plain"], "copies": [9]}})
    with pytest.raises(InputError, match="9 copies of 8 bp need 72 bp"):
        check_fit(changed[1:2], 64, "m")


def test_references_to_sets_that_are_not_there_or_to_themselves_are_errors(toy_meme):
    entry = {"source": "shuffled", "of": "plian", "select": [], "drop": [], "prefix": "s-"}
    sets = {"s": {**entry, "control": None}, "plain": definition(toy_meme)}
    with pytest.raises(InputError, match=r"concepts\.s\.of: no set 'plian'; did you mean 'plain'"):
        read_catalogue(sets)
    sets["s"]["of"] = "t"
    sets["t"] = {**sets["s"], "of": "s"}
    with pytest.raises(InputError, match=r"concepts\.t\.of: 's' refers back to it"):
        read_catalogue(sets)


@pytest.mark.parametrize("changes", [{"jaspar": {}}, {"file": None}])
def test_a_set_of_motifs_has_a_file_or_a_database(toy_meme, changes):
    entry = {key: v for key, v in {**definition(toy_meme), **changes}.items() if v is not None}
    with pytest.raises(
        InputError, match=r"concepts\.s: .* either `file` or `jaspar`; give one of the two"
    ):
        read_set("s", {**entry, "into": None})


def test_sites_that_do_not_fit_are_an_error():
    check_fit([concept(width=6, copies=(4, 16))], 96, "m")
    with pytest.raises(InputError, match=r"'x': 16 copies of 6 bp need 96 bp, but model 'm'.*95"):
        check_fit([concept(width=6, copies=(4, 16))], 95, "m")
    with pytest.raises(InputError, match="room for 94 of its window of 96 bp"):
        check_fit([concept(width=6, copies=(4, 16), start_margin=1, end_margin=1)], 96, "m")


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
        {"start_margin": 1},
        {"end_margin": 1},
        {"bin": (0, 2)},
        {"bin": (1, 2)},
        {"consensus": True},
        {"control": "gc_matched"},
        {"into": Given("a.bed", "{}")},
        {"into": Given("a.bed", "{}", strand="both")},
        {"motif": other},
    ]
    prints = [concept(**change).fingerprint() for change in changes]
    assert len(set(prints)) == len(changes)
    assert concept(set="t").fingerprint() == prints[0]
