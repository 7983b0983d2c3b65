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
    assert found.sources[face("bob")] == {photograph("p2"): 1}
    assert found.made_of([photograph("p2")])[face("bob")] == 1


def test_what_is_made_has_the_sum_of_the_products_of_the_weights():
    found = Graph()
    found.add(face("half"), {face("anna"): 0.5, face("bob"): 0.5})
    found.add(face("more"), {face("half"): 0.5, face("anna"): 0.5})
    found.add(face("end"), {face("half"): 0.0, face("cora"): 1.0})
    found.add(image("i"), [face("end")])
    assert found.made_of([face("anna")]) == {face("anna"): 1, face("half"): 0.5, face("more"): 0.75}
    assert found.made_from([face("more")]) == {
        face("more"): 1,
        face("half"): 0.5,
        face("anna"): 0.75,
        face("bob"): 0.25,
    }
    assert found.generations([face("anna"), face("bob")])[1:] == [[face("half"), face("more")]]
    assert found.made_of([face("cora")]) == {face("cora"): 1, face("end"): 1, image("i"): 1}


def test_a_difference_of_two_faces_of_one_person_has_nothing_of_the_person():
    found = Graph()
    found.add(face("moved"), {face("anna"): 1, face("plain"): -0.7, face("moustache"): 0.7})
    assert found.made_of([face("plain"), face("moustache")]) == {face("plain"): 1, face("moustache"): 1}
    assert found.made_of([face("moustache")])[face("moved")] == 0.7
    assert face("moved") not in found.made_of([face("plain")])
    assert found.made_of([face("anna")])[face("moved")] == 1


def test_an_image_shows_a_face_whole_however_many_banks_have_it():
    found = Graph()
    found.add(image("i"), [face("anna"), face("anna", bank="other")])
    assert found.made_of([face("anna"), face("anna", bank="other")])[image("i")] == 1


def test_nodes_are_found_by_name_and_by_the_end_of_their_path():
    found = graph()
    found.add(face("anna", bank="other"))
    assert found.named("anna") == [face("anna"), face("anna", bank="other")]
    assert found.named("p1") == [photograph("p1")]  # though nothing is known of it but what was made of it
    assert found.named("i.png") == found.named("images/i.png") == found.named("renders/images/i.png") == [image("i")]
    assert found.named(".png") == []
