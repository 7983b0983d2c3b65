"""The graph of what was made of what."""

from face0.privacy.provenance import Graph, Node, NodeKind


def photograph(name: str) -> Node:
    return Node(NodeKind.PHOTOGRAPH, "", name)


def face(name: str, bank: str = "one") -> Node:
    return Node(NodeKind.FACE, bank, name)


def image(name: str) -> Node:
    return Node(NodeKind.IMAGE, "renders", name)


def graph() -> Graph:
    """Photographs to anna and bob, these to mix, mix to an image, and the image to a face that is like it."""
    found = Graph()
    found.add(face("anna"), [photograph("p1"), photograph("p2")])
    found.add(face("bob"), [photograph("p2")])
    found.add(face("mix"), [face("anna"), face("bob")])
    found.add(image("i"), [face("mix")], image="images/i.png")
    found.add(face("like"), [image("i")])
    return found


def test_what_was_made_comes_by_generations_each_node_once():
    generations = graph().generations([photograph("p2")])
    assert generations == [[photograph("p2")], [face("anna"), face("bob")], [face("mix")], [image("i")], [face("like")]]
    assert graph().generations([face("like")]) == [[face("like")]]


def test_ancestors_are_all_that_something_was_made_from():
    expected = {face("anna"), face("bob"), photograph("p1"), photograph("p2")}
    assert set(graph().ancestors([face("mix")])) == expected
    assert graph().ancestors([photograph("p1")]) == []


def test_what_was_made_of_itself_ends():
    found = graph()
    found.add(face("mix"), [face("like")])
    assert found.generations([face("mix")]) == [[face("mix")], [image("i")], [face("like")]]
    assert face("like") in found.ancestors([face("mix")])


def test_a_source_that_is_told_twice_counts_once():
    found = graph()
    found.add(face("bob"), [photograph("p2")])
    assert found.sources[face("bob")] == [photograph("p2")]
    assert found.made[photograph("p2")].count(face("bob")) == 1


def test_nodes_are_found_by_name_and_by_the_end_of_their_path():
    found = graph()
    found.add(face("anna", bank="other"))
    assert found.named("anna") == [face("anna"), face("anna", bank="other")]
    assert found.named("p1") == [photograph("p1")]  # though nothing is known of it but what was made of it
    assert found.named("i.png") == found.named("images/i.png") == found.named("renders/images/i.png") == [image("i")]
    assert found.named(".png") == []
