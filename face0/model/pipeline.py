"""The model as a diffusers pipeline: loads and saves its folder, and makes pictures of prompts and faces."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    ImagePipelineOutput,
    SchedulerMixin,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from transformers import CLIPImageProcessor, CLIPTextModel, CLIPTokenizer

from face0.detection.detections import FaceFilter
from face0.embedders.interface import Embedder
from face0.errors import UsageError
from face0.faces.embedding import FaceEmbedder
from face0.images.decoding import decode_opened
from face0.images.reading import BadImage
from face0.images.training_image import RESOLUTION
from face0.model.base_models import BASE_PARTS
from face0.model.guidance import Branch, Guidance, combine
from face0.model.projection import FaceProjection, override
from face0.model.samplers import make_scheduler
from face0.model.weights import load_parts

_PLACED = {"device_map", "quantization_config", "variant"}  # options by which diffusers loads in ways of its own
Face = Image.Image | np.ndarray | torch.Tensor


class Face0Pipeline(DiffusionPipeline):
    """Stable Diffusion whose last context tokens are a face.

        pipe = Face0Pipeline.from_pretrained(folder)
        pipe.embedder = embedder_config("vggface2").load("cpu")
        pipe("a photo of a man", face=Image.open("man.jpg")).images[0]

    Attributes:
        embedder: needed for faces that are photographs; vectors do without.
        resolution: side of the training images of the shards that the model learnt from, pixels, at which photographs
            are looked at: ``--resolution`` of face0 augment.
    """

    embedder: Embedder | None = None
    resolution: int = RESOLUTION
    _embed: FaceEmbedder | None = None  # of that embedder, once it is needed
    _optional_components: ClassVar[list[str]] = ["safety_checker", "feature_extractor"]  # as diffusers reads it

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: UNet2DConditionModel,
        scheduler: SchedulerMixin,
        face_projection: FaceProjection,
        safety_checker: StableDiffusionSafetyChecker | None = None,
        feature_extractor: CLIPImageProcessor | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=scheduler,
            face_projection=face_projection,
            safety_checker=safety_checker,
            feature_extractor=feature_extractor,
        )
        self.shrink = 2 ** (len(vae.config.block_out_channels) - 1)  # pixels of the image to one of the latents
        self.image_processor = VaeImageProcessor(vae_scale_factor=self.shrink)

    @classmethod
    def from_base(cls, base: StableDiffusionPipeline, face_projection: FaceProjection) -> "Face0Pipeline":
        """A base model with a projection added. The parts are shared, not copied."""
        return cls(
            vae=base.vae,
            text_encoder=base.text_encoder,
            tokenizer=base.tokenizer,
            unet=base.unet,
            scheduler=base.scheduler,
            face_projection=face_projection,
            safety_checker=base.safety_checker,
            feature_extractor=base.feature_extractor,
        )

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **options: Any) -> "Face0Pipeline":
        """Loads an output of face0 train, or what ``save_pretrained`` has written.

        Args:
            pretrained_model_name_or_path: the folder.
            options: parts of it that are there already, ``dtype`` (float32, unless told), and others of diffusers.

        Raises:
            UsageError: weights are missing, left over, or pickled.
        """
        folder = Path(pretrained_model_name_or_path)
        if (folder / "model_index.json").is_file() and not _PLACED.intersection(options):
            kinds = {**BASE_PARTS, "face_projection": FaceProjection}
            dtype = options.get("dtype") or options.get("torch_dtype")
            options = {**load_parts(folder, kinds, dtype, without=options), **options}
        return super().from_pretrained(pretrained_model_name_or_path, **options)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str],
        face: Face | None = None,
        *,
        guidance: Guidance = Guidance(),  # noqa: B008 - frozen
        negative_prompt: str = "",
        num_inference_steps: int = 50,
        sampler: str = "ddim",
        height: int | None = None,
        width: int | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
    ) -> ImagePipelineOutput:
        """Makes one picture of each prompt, all with the same face.

        Args:
            prompt: one, or several.
            face: a photograph, a vector [embedding_dim], vectors of several faces [n, embedding_dim], or none.
            guidance: how strongly prompt and face steer.
            negative_prompt: what takes the place of the empty prompt.
            num_inference_steps: of the sampler.
            sampler: one of ``face0.model.samplers.SAMPLERS``.
            height: pixels; None: the size that the U-Net was made for.
            width: pixels, likewise.
            generator: one, or one for each picture; makes the noise.
            output_type: "pil", "np" or "pt".

        Raises:
            UsageError: see ``face_vectors`` and ``face_slots``; or there is no such sampler.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        faces, present = self.face_slots(self._vectors(face))
        contexts = self.contexts(
            prompts, faces.expand(len(prompts), -1, -1), present.expand(len(prompts), -1), guidance, negative_prompt
        )
        side = self.unet.config.sample_size
        shape = (
            len(prompts),
            self.unet.config.in_channels,
            height // self.shrink if height else side,
            width // self.shrink if width else side,
        )
        generators = list(generator) if isinstance(generator, Sequence) else generator
        latents = self.denoise(
            noise(shape, generators, self.unet.device, self.unet.dtype),
            contexts,
            guidance,
            num_inference_steps,
            sampler,
        )
        images = self.image_processor.postprocess(self.decode(latents), output_type=output_type)
        return ImagePipelineOutput(images=images)

    def encode_text(self, prompts: Sequence[str]) -> torch.Tensor:
        """The text encoder's states [N, 77, D]; long prompts are cut."""
        tokens = self.tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=77, return_tensors="pt"
        )
        return self.text_encoder(tokens.input_ids.to(self.text_encoder.device))[0]

    @property
    def multiple(self) -> int:
        """What the sides of an image must be a multiple of, in pixels."""
        return self.shrink * 2 ** (len(self.unet.config.block_out_channels) - 1)

    @property
    def side(self) -> int:
        """Pixels a side of the images that the U-Net was made for."""
        return self.shrink * self.unet.config.sample_size

    def face_slots(self, vectors: np.ndarray | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Puts vectors of faces into the model's slots.

        Args:
            vectors: [n, embedding_dim], at most as many as there are slots; None: no face.

        Returns:
            The vectors [1, slots, embedding_dim], zeros in empty slots, and which slots are taken, bool [1, slots].

        Raises:
            UsageError: there are more faces than slots, or vectors of another length.
        """
        config = self.face_projection.config
        faces = torch.zeros(1, config.slots, config.embedding_dim)
        count = 0 if vectors is None else len(vectors)
        if count > config.slots:
            raise UsageError(f"{count} faces for a model with {config.slots} slots")
        if vectors is not None:
            if vectors.shape[1] != config.embedding_dim:
                raise UsageError(
                    f"a face of {vectors.shape[1]} values for a model of {config.embedding_dim}: another embedder's"
                )
            faces[0, :count] = torch.from_numpy(np.asarray(vectors, np.float32))
        return faces.to(self.unet.device, self.unet.dtype), (torch.arange(config.slots) < count)[None].to(
            self.unet.device
        )

    def contexts(
        self,
        prompts: Sequence[str],
        faces: torch.Tensor,
        present: torch.Tensor,
        guidance: Guidance,
        negative_prompt: str = "",
    ) -> dict[Branch, torch.Tensor]:
        """What the U-Net sees in each branch that is evaluated: [N, 77, D] each.

        Args:
            prompts: N of them.
            faces: vectors in slots, [N, slots, embedding_dim].
            present: which slots are taken, bool [N, slots].
            guidance: says which branches are evaluated.
            negative_prompt: what takes the place of the empty prompt.
        """
        text = self.encode_text(prompts)
        without_text = self.encode_text([negative_prompt]).expand_as(text)
        tokens = self.face_projection(faces, present)
        return {
            branch: override(
                text if branch.value[0] else without_text, tokens if branch.value[1] else torch.zeros_like(tokens)
            )
            for branch in guidance.branches()
        }

    def denoise(
        self,
        latents: torch.Tensor,
        contexts: Mapping[Branch, torch.Tensor],
        guidance: Guidance,
        steps: int,
        sampler: str = "ddim",
    ) -> torch.Tensor:
        """Denoises latents, by one batched call of the U-Net a step.

        Args:
            latents: normal noise [N, C, h, w].
            contexts: what the U-Net sees in each branch, [N, 77, D] each; see ``contexts``.
            guidance: how strongly text and face steer.
            steps: of the sampler.
            sampler: one of ``face0.model.samplers.SAMPLERS``.

        Returns:
            Latents [N, C, h, w].

        Raises:
            UsageError: no such sampler.
        """
        scheduler = make_scheduler(sampler, self.scheduler.config)
        scheduler.set_timesteps(steps, device=latents.device)
        latents = latents * scheduler.init_noise_sigma
        plan = [guidance.at(step, steps) for step in range(steps)]
        stacked = {tuple(weights): torch.cat([contexts[branch] for branch in weights]) for weights in plan}
        for t, weights in zip(self.progress_bar(scheduler.timesteps), plan, strict=True):
            z = scheduler.scale_model_input(latents, t).repeat(len(weights), 1, 1, 1)
            predicted = self.unet(z, t, encoder_hidden_states=stacked[tuple(weights)]).sample
            combined = combine(predicted.unflatten(0, (len(weights), -1)), weights, guidance.rescale)
            latents = scheduler.step(combined, t, latents).prev_sample
        return latents

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Decodes latents [N, C, h, w] to images [N, 3, H, W] in -1..1."""
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample

    def face_vectors(self, photograph: Image.Image) -> np.ndarray:
        """The conditioning vectors of a photograph: the largest faces, as many as the model has slots.

        They are those that ``face0 augment`` and ``face0 faces from-photos`` make of its file; ``decode_opened`` says
        what may differ where the image is in memory already.

        Returns:
            float32 [n, embedding_dim].

        Raises:
            UsageError: there is no ``embedder``; the photograph cannot be read, or shows no face.
        """
        if self.embedder is None:
            raise UsageError("a photograph needs an embedder: set pipe.embedder = embedder_config(...).load('cpu')")
        made = self._embed
        if made is None or made.embedder is not self.embedder or made.resolution != self.resolution:
            faces = FaceFilter(max_faces=self.face_projection.config.slots)
            made = self._embed = FaceEmbedder(self.embedder, faces, "cpu", self.resolution)
        try:
            pixels = decode_opened(photograph, smallest_side=self.resolution).pixels
        except BadImage as bad:
            raise UsageError(f"the photograph cannot be read: {bad.message}") from bad
        embedded = made.photograph(pixels, most=self.face_projection.config.slots)
        if not len(embedded.vectors):
            raise UsageError("no face was found in the photograph: give another, or a vector")
        return embedded.vectors

    def _vectors(self, face: Face | None) -> np.ndarray | None:
        if face is None:
            return None
        if isinstance(face, Image.Image):
            return self.face_vectors(face)
        vectors = face.float().cpu().numpy() if isinstance(face, torch.Tensor) else np.asarray(face)
        return np.atleast_2d(vectors)


def as_images(values: torch.Tensor) -> torch.Tensor:
    """Images as ``decode`` gives them, [N, 3, H, W] in -1..1, as uint8 [N, 3, H, W] on the CPU."""
    return ((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()


def noise(shape: tuple[int, ...], generator: Any, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Normal noise [N, ...] from one generator, or from one for each of the N; made on the CPU, the same everywhere."""
    if isinstance(generator, list):
        rows = [torch.randn(1, *shape[1:], generator=image_generator) for image_generator in generator]
        return torch.cat(rows).to(device, dtype)
    return torch.randn(shape, generator=generator).to(device, dtype)
