"""Model cards: front matter that the hub takes, what a model is made of, and nothing secret."""

import pytest
from huggingface_hub import ModelCard

from face0.io.cards import is_edited
from face0.model.card import base_card, trained_card
from face0.model.lineage import Lineage
from face0.training.config import TrainConfig


def lineage(**settings: object) -> Lineage:
    usual = {
        "step": 1500, "held_out_loss": 0.125, "config": vars(TrainConfig()), "base": "/home/anna/stable-diffusion-v1-5",
        "shards": ["s3://bucket/shards", "/home/anna/more"], "fingerprint": "", "holdout": {"count": 256},
        "embedder": {"name": "vggface2", "crop": "margins"}, "rows": {"min_face": 40.0}, "versions": {"torch": "2.11"},
    }  # fmt: skip
    return Lineage(**{**usual, **settings})


def test_the_front_matter_is_what_the_hub_reads() -> None:
    card = ModelCard(trained_card(lineage(), 12_345, 512))
    assert card.data.to_dict() == {
        "license": "other",
        "license_name": "to-be-filled-in",
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "inference": False,
        "tags": ["face0", "stable-diffusion"],
    }


@pytest.mark.parametrize(
    ("base", "named"),
    [
        ("hf://organisation/name@main", "organisation/name"),
        ("hf://organisation/name", "organisation/name"),
        ("/models/my base", None),
        ("s3://bucket/base", None),
    ],
)
def test_the_base_is_named_where_it_can_be(base: str, named: str | None) -> None:
    assert ModelCard(trained_card(lineage(base=base), 1, 512)).data.to_dict().get("base_model") == named


def test_the_text_says_what_it_is_made_of() -> None:
    text = trained_card(lineage(), 12_345, 512)
    for said in ("1,500 steps of 256 samples", "held-out loss 0.1250", "12,345 rows of `s3://bucket/shards`, `more`",
                 "`vggface2`, 512 values", "min_face 40.0", "Face0Pipeline.from_pretrained", "face0 generate",
                 "Consent", "Not for identification", "https://arxiv.org/abs/2306.06638", "torch 2.11"):  # fmt: skip
        assert said in text, said


def test_what_shows_photographs_of_the_data_is_not_to_be_published() -> None:
    text = trained_card(lineage(), 1, 512)
    patterns = text[text.index("ignore_patterns=") :]
    for private in ("checkpoints/**", "logs/**", "samples/**", "report.html"):
        assert f'"{private}"' in patterns


def test_it_holds_no_secret_and_no_path_of_a_machine() -> None:
    signed = "https://user:password@host/shards?X-Amz-Signature=abc&X-Amz-Credential=key"
    text = trained_card(lineage(shards=[signed, "file:///home/anna/x"], base=signed), 1, 512)
    for secret in ("password", "abc", "X-Amz", "/home", "anna"):
        assert secret not in text


def test_an_edited_card_is_known() -> None:
    for card in (trained_card(lineage(), 1, 512), base_card("A base.", {"images": "64 px"})):
        assert not is_edited(card)
        assert is_edited(card.replace("license: other", "license: mit"))
        assert is_edited(card + "More.\n")
    assert is_edited("")
    assert is_edited("# Mine\n")


def test_a_bases_card_says_how_it_was_made() -> None:
    text = base_card("A small one.", {"images": "64 px"})
    assert "A small one." in text
    assert "| images | 64 px |" in text
    assert ModelCard(text).data.to_dict()["tags"][-1] == "base-model"
