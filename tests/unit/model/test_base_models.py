"""Base models made here: their tokenizer."""

from face0.model.base_models import word_tokenizer


def test_the_tokenizer_knows_prompts_and_spells_the_rest() -> None:
    tokenizer = word_tokenizer()
    assert tokenizer.tokenize("A stock photo of a doctor") == [
        "a</w>", "stock</w>", "photo</w>", "of</w>", "a</w>", "doctor</w>"
    ]  # fmt: skip
    encoded = tokenizer("Zoë, 猫", padding="max_length", max_length=77).input_ids
    assert len(encoded) == 77
    assert tokenizer.unk_token_id == tokenizer.eos_token_id
    assert encoded.index(tokenizer.eos_token_id) > 6


def test_every_tokenizer_is_the_same() -> None:
    """Its library merges pairs that are as frequent as each other in an order of its own, unless they are numbered."""
    first, *others = (word_tokenizer().get_vocab() for _ in range(4))
    assert all(vocabulary == first for vocabulary in others)
