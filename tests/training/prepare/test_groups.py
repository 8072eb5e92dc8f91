"""Groups: directly or indirectly linked images are together, and a group's name identifies nobody."""

from itertools import chain

import numpy as np

from training.prepare.groups import connected, label_of_group, patient_links, pseudonym


def test_links_are_followed_to_the_end() -> None:
    assert connected(7, [(5, 1), (1, 3), (6, 0)]) == [[0, 6], [1, 3, 5], [2], [4]]
    assert connected(3, []) == [[0], [1], [2]]
    assert connected(0, []) == []


def test_components_do_not_depend_on_the_order_of_links() -> None:
    rng = np.random.default_rng(0)
    links = [(int(a), int(b)) for a, b in rng.integers(0, 60, (40, 2))]
    shuffled = [links[index][::-1] for index in rng.permutation(40)]
    assert connected(60, links) == connected(60, shuffled)
    assert sorted(chain.from_iterable(connected(60, links))) == list(range(60))


def test_images_of_a_patient_are_linked_and_nameless_ones_are_not() -> None:
    patients = [frozenset({"a"}), frozenset[str](), frozenset({"b"}), frozenset({"a", "c"}), frozenset[str]()]
    assert connected(5, patient_links(patients)) == [[0, 3], [1], [2], [4]]
    patients.append(frozenset({"b", "c"}))  # one picture under two names joins both
    assert connected(6, patient_links(patients)) == [[0, 2, 3, 5], [1], [4]]


def test_a_pseudonym_is_that_of_the_pictures_in_any_order() -> None:
    assert pseudonym(["b", "a"]) == pseudonym(["a", "b", "c"])
    assert pseudonym(["b"]) != pseudonym(["a"])
    assert len(pseudonym(["a"])) == 10


def test_a_groups_label_is_the_commonest_and_the_graver_of_equals() -> None:
    assert label_of_group(["normal", "covid19", "normal"]) == "normal"
    assert label_of_group(["normal", "covid19"]) == "covid19"
    assert label_of_group(["pneumonia", "normal"]) == "pneumonia"
