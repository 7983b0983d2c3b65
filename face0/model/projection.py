"""From face embeddings to the context of the U-Net: the projection and the override (paper, "Model")."""

import sys
from collections.abc import Sequence
from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn

# Where the folders of models that were trained by face0 0.1 say that their projection is: diffusers looks it up there.
sys.modules.setdefault("face0.projection", sys.modules[__name__])


class FaceProjection(ModelMixin, ConfigMixin):
    """A face embedding as ``tokens`` vectors of the text encoder's width: one feed-forward net of four layers for each.

    With the paper's sizes (1792 -> 3 x 768) 9.44 M parameters. With several slots, one for each face of an image, all
    share the net; a slot without a face is zeros.

    Args:
        embedding_dim: values of an embedding.
        context_dim: width of the text encoder's output.
        tokens: vectors for each face.
        slots: faces that an image may have.
        width: of the hidden layers.
    """

    @register_to_config
    def __init__(
        self,
        embedding_dim: int = 1792,
        context_dim: int = 768,
        tokens: int = 3,
        slots: int = 1,  # noqa: ARG002 - read from the config
        width: int = 768,
    ) -> None:
        super().__init__()
        widths = (embedding_dim, width, width, width, context_dim)
        self.heads = nn.ModuleList(_feed_forward(widths) for _ in range(tokens))

    def forward(self, faces: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Embeddings [N, slots, embedding_dim], bool [N, slots] to vectors [N, slots * tokens, context_dim]."""
        tokens = torch.stack([head(faces) for head in self.heads], dim=2)
        return torch.where(present[:, :, None, None], tokens, 0).flatten(1, 2)


def _feed_forward(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLU in between, initialised as He et al. (2015).

    So faces of unit variance give tokens as various as the text's from the first step. torch's default would leave 4 %
    of it, and a short training would hardly find the face.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="linear" if not layers else "relu")
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def override(states: torch.Tensor, face_tokens: torch.Tensor) -> torch.Tensor:
    """Text states [N, 77, D] with their last positions replaced by the face's vectors [N, slots * tokens, D]."""
    return torch.cat([states[:, : states.shape[1] - face_tokens.shape[1]], face_tokens], dim=1)
