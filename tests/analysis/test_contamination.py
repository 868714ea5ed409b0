"""Training sets against test sets: the answer that the audit and the leaderboard share."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.analysis.contamination import Seen, exposure, stated_train_sets
from bench.data.cards import read_manifest
from bench.engine.origin import short


@pytest.mark.parametrize(
    ("train", "dataset", "marked"),
    [
        (("DIV2K train",), "DIV2K-valid", False),
        (("DIV2K valid",), "DIV2K-valid", True),
        (("BSDS500",), "BSD100", True),
        (("BSDS500 train", "BSDS500 test"), "BSD100", False),
        (("T91", "Set5"), "Set5", True),
        (("set-5",), "Set5", True),
        (("B100",), "BSD100", True),
        (("Set14",), "Benchmark", True),
        ((), "Set5", False),
    ],
)
def test_a_training_set_that_holds_the_test_set_is_marked(train: tuple[str, ...], dataset: str, marked: bool) -> None:
    """Catches names that are compared letter by letter, and parts of one collection that are taken for each other."""
    answer = exposure(train, dataset)
    assert (answer.seen is Seen.YES) is marked
    assert bool(answer.sentence) is marked
    if marked:
        assert train[-1] in answer.sentence
        assert dataset in answer.sentence


@pytest.mark.parametrize(
    ("train", "dataset", "seen"),
    [
        ("BSDS500 val", "Benchmark", Seen.YES),  # a collection's part is a part of the union
        ("BSDS500val", "B100", Seen.YES),  # written as one word, against an alias
        ("BSDS300", "BSD100", Seen.YES),
        ("291", "BSDS300", Seen.YES),  # what both hold
        ("BSDS500 train", "BSDS300 train", Seen.YES),
        ("BSDS500 train", "BSDS300 test", Seen.NO),
        ("CelebA", "celeba_hq_256", Seen.YES),  # what the set was made from
        ("DF2K", "DIV2K-valid", Seen.NO),  # it holds DIV2K's training part alone
        ("DF2K", "Flickr2K", Seen.YES),
        ("DIV2K_train_HR", "DIV2K_valid_HR", Seen.NO),
        ("DIV2K", "DIV2K-valid", Seen.MAYBE),  # though an alias of that card is DIV2K
        ("RealSR", "RealSR", Seen.MAYBE),  # a set of two parts whose bare name says neither
        ("FFHQ, first 10K", "FFHQ", Seen.YES),
        ("train", "test", Seen.NO),  # words of parts alone name no set
        ("mine", "mine", Seen.YES),
    ],
)
def test_names_are_compared_with_what_the_sets_hold(train: str, dataset: str, seen: Seen) -> None:
    """Catches collections compared by their own names alone, and a part of a set that is taken for the whole."""
    assert exposure([train], dataset).seen is seen


def test_nobody_says_is_an_answer_of_its_own() -> None:
    """Catches a method of unknown training that counts as one that has not seen the test set."""
    assert exposure(None, "Set5").seen is Seen.UNKNOWN
    assert exposure((), "Set5").seen is Seen.NO


@pytest.mark.parametrize(
    ("method", "trained", "known"),
    [
        ("bicubic", "", True),  # without parameters there is nothing to train
        ("liif", "lite", True),
        ("liif", "", False),  # a user's own weights
        ("liif", "published", False),  # the authors' are not trained as the shipped ones
        ("precomputed", "", False),
        ("nobody", "", False),
    ],
)
def test_weights_answer_for_their_own_training(method: str, trained: str, known: bool) -> None:
    """Catches other weights that are said to be trained as the shipped ones."""
    assert (stated_train_sets(method, trained) is not None) is known
    assert bool(stated_train_sets(method, trained)) is (trained == "lite")


def test_images_decide_where_names_leave_it_open() -> None:
    """Catches a copy of a training image in a folder of another name, also where a collection's part is the match."""
    hashes = {Path(name).stem: short(digest) for name, digest in read_manifest("BSD100", "files").items()}
    one, *_ = hashes
    answer = exposure(["DIV2K", "BSDS500 val"], "DIV2K-valid", {"x": hashes[one], "y": "0" * 12})
    assert answer.seen is Seen.YES
    assert [(o.train_set, o.seen, o.images) for o in answer.overlaps] == [
        ("BSDS500 val", Seen.YES, ("x",)),
        ("DIV2K", Seen.MAYBE, ()),
    ]
    assert "1 of 2 images byte for byte" in answer.sentence
    names = {name: f"{place:012d}" for place, name in enumerate(hashes)}
    assert exposure(["BSDS500 val"], "mine", names).seen is Seen.MAYBE
    assert exposure(["BSDS500 train"], "mine", names).seen is Seen.NO
