"""The model as a diffusers pipeline: loads and saves its folder, and makes pictures of prompts and faces."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    SchedulerMixin,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from diffusers.image_processor import VaeImageProcessor
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from diffusers.pipelines.pipeline_utils import StableDiffusionMixin
from diffusers.pipelines.stable_diffusion import StableDiffusionPipelineOutput
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
from face0.model.call_inputs import (
    OUTPUT_TYPES,
    callback_tensors,
    check_latents,
    generator_list,
    image_size,
    mapping,
    one_of,
    whole_number,
)
from face0.model.denoising import Conditioning, Denoising, StepCallback
from face0.model.face_slots import Face, faces_of_prompts, in_slots
from face0.model.guidance import Branch, Guidance, combine, merged
from face0.model.projection import FaceProjection
from face0.model.prompts import PromptEncoder
from face0.model.safety import flagged
from face0.model.samplers import make_scheduler
from face0.model.saving import complete_for_older_readers, refuse_loras
from face0.model.scheduling import set_steps, step_options
from face0.model.weights import dtypes_of_parts, load_parts, refuse_plain_base

_PLACED = {"device_map", "quantization_config", "variant"}  # options by which diffusers loads in ways of its own
_FINDS_THIS = '''"""The class of this folder for DiffusionPipeline.from_pretrained(..., custom_pipeline="pipeline")."""

from face0.model.pipeline import Face0Pipeline

__all__ = ["Face0Pipeline"]
'''


class Face0Pipeline(DiffusionPipeline, StableDiffusionMixin, PromptEncoder, StableDiffusionLoraLoaderMixin):
    """Stable Diffusion whose last context tokens are a face.

        pipe = Face0Pipeline.from_pretrained(folder)
        pipe.embedder = embedder_config("vggface2").load("cpu")
        pipe("a photo of a man", face=Image.open("man.jpg")).images[0]

    Attributes:
        embedder: needed for faces that are photographs; vectors do without.
        resolution: side of the training images of the shards that the model learnt from, pixels, at which photographs
            are looked at: ``--resolution`` of face0 augment.
    """

    scheduler: SchedulerMixin
    embedder: Embedder | None = None
    resolution: int = RESOLUTION
    _embed: FaceEmbedder | None = None  # of that embedder, once it is needed
    # What diffusers reads of a pipeline's class, and callbacks of a pipeline.
    model_cpu_offload_seq = "text_encoder->face_projection->unet->vae"
    _optional_components: ClassVar[list[str]] = ["safety_checker", "feature_extractor"]
    _exclude_from_cpu_offload: ClassVar[list[str]] = ["safety_checker"]
    _callback_tensor_inputs: ClassVar[list[str]] = ["latents", "prompt_embeds", "negative_prompt_embeds"]
    guidance_scale = StableDiffusionPipeline.guidance_scale
    guidance_rescale = StableDiffusionPipeline.guidance_rescale
    do_classifier_free_guidance = StableDiffusionPipeline.do_classifier_free_guidance
    clip_skip = StableDiffusionPipeline.clip_skip
    cross_attention_kwargs = StableDiffusionPipeline.cross_attention_kwargs
    num_timesteps = StableDiffusionPipeline.num_timesteps
    interrupt = StableDiffusionPipeline.interrupt
    _cross_attention_kwargs: Mapping[str, Any] | None = None

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
        if safety_checker is not None and feature_extractor is None:
            raise UsageError("a safety_checker needs its feature_extractor: give both, or safety_checker=None")
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
        # Pixels of the image to one of the latents. Parts may be None where prompts are only encoded.
        self.shrink = 2 ** (len(vae.config.block_out_channels) - 1) if vae is not None else 8
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
            options: parts of it that are there already, ``dtype`` (float32, unless told; or a mapping from parts and
                ``default``), and others of diffusers.

        Raises:
            UsageError: it is a base without a face projection; weights are missing, left over, or pickled; or the dtype
                is none of torch.
        """
        folder = Path(pretrained_model_name_or_path)
        if (folder / "model_index.json").is_file() and not _PLACED.intersection(options):
            refuse_plain_base(folder, options)
            dtypes = dtypes_of_parts(options.get("dtype") or options.get("torch_dtype"))
            for name, kind in {**BASE_PARTS, "face_projection": FaceProjection}.items():
                part_dtype = dtypes.get(name, dtypes.get("default"))
                options = {**load_parts(folder, {name: kind}, part_dtype, without=options), **options}
        return super().from_pretrained(pretrained_model_name_or_path, **options)

    def save_pretrained(self, save_directory: str | os.PathLike[str], *arguments: Any, **options: Any) -> None:
        """Writes the folder so that older readers know it too, with ``pipeline.py``, by which diffusers finds this.

        Raises:
            UsageError: a LoRA lies beside the weights of a part.
        """
        refuse_loras(self.components)
        super().save_pretrained(save_directory, *arguments, **options)
        complete_for_older_readers(Path(save_directory))
        (Path(save_directory) / "pipeline.py").write_text(_FINDS_THIS)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str] | None = None,
        face: Face | Sequence[Any] | None = None,
        *,
        guidance: Guidance | None = None,
        guidance_scale: float | None = None,
        guidance_rescale: float | None = None,
        negative_prompt: str | Sequence[str] | None = None,
        num_images_per_prompt: int = 1,
        num_inference_steps: int = 50,
        timesteps: Sequence[int] | None = None,
        sigmas: Sequence[float] | None = None,
        sampler: str | None = None,
        eta: float = 0.0,
        height: int | None = None,
        width: int | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        latents: torch.Tensor | None = None,
        prompt_embeds: torch.Tensor | None = None,
        negative_prompt_embeds: torch.Tensor | None = None,
        clip_skip: int | None = None,
        cross_attention_kwargs: Mapping[str, Any] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: Callable[..., Any] | PipelineCallback | MultiPipelineCallbacks | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
    ) -> StableDiffusionPipelineOutput | tuple[Any, list[bool] | None]:
        """Makes pictures of prompts and faces. Arguments of StableDiffusionPipeline mean what they mean there.

        Args:
            prompt: one, or several.
            face: for all prompts: a photograph, a vector [dim], or vectors [n, dim] of n faces in each picture; another
                for each prompt: [prompts, n, dim], or a list of photographs, vectors and None. Zeros: no face.
            guidance: how strongly prompt and face steer; None: ``Guidance()`` with the next two.
            guidance_scale: its ``w``; up to 1: no guidance.
            guidance_rescale: its ``rescale``, 0..1.
            negative_prompt: what takes the place of the empty prompt; for all prompts, or one for each.
            num_images_per_prompt: they lie beside each other.
            num_inference_steps: of the scheduler.
            timesteps: levels of noise in place of the scheduler's, which must take them; descending.
            sigmas: the same, as standard deviations.
            sampler: one of ``face0.model.samplers.SAMPLERS`` in place of ``pipe.scheduler``.
            eta: noise that a DDIM scheduler adds, 0..1.
            height: pixels; None: of the latents, or the size that the U-Net was made for.
            width: pixels, likewise.
            generator: one, or one for each picture; makes the noise.
            latents: normal noise [pictures, C, h, w] in place of it.
            prompt_embeds: states [prompts, 77, D] in place of prompts; the last give way to the face.
            negative_prompt_embeds: the same, in place of negative prompts.
            clip_skip: layers that are left out at the end of the text encoder.
            cross_attention_kwargs: for the U-Net's attention; ``scale``, that of LoRAs, holds for the text encoder too.
            output_type: "pil", "np", "pt" or "latent".
            return_dict: False: a tuple of pictures and flags.
            callback_on_step_end: called as f(pipe, step, t, tensors) after each step; returns the tensors.
            callback_on_step_end_tensor_inputs: of latents, prompt_embeds, negative_prompt_embeds.

        Returns:
            Pictures, and which of them the safety checker objects to: these are black. None without a checker.

        Raises:
            UsageError: something does not fit the model or the rest; the message says what would.
        """
        guidance = merged(guidance, guidance_scale, guidance_rescale)
        one_of("output_type", output_type, OUTPUT_TYPES)
        names = callback_tensors(callback_on_step_end, callback_on_step_end_tensor_inputs, self._callback_tensor_inputs)
        self._guidance_scale = guidance.w if guidance_scale is None else guidance_scale
        self._guidance_rescale, self._clip_skip = guidance.rescale, clip_skip
        self._cross_attention_kwargs = mapping("cross_attention_kwargs", cross_attention_kwargs)
        scheduler = self.scheduler if sampler is None else make_scheduler(sampler, self.scheduler.config)
        scheduler = set_steps(scheduler, num_inference_steps, timesteps, sigmas, self._execution_device)
        size = image_size(height, width, latents, self.side, self.multiple, self.shrink)
        texts = prompt, negative_prompt, prompt_embeds, negative_prompt_embeds
        conditioning = self._conditioning(*texts, face, whole_number("num_images_per_prompt", num_images_per_prompt))
        generators = generator_list(generator, len(conditioning.text))
        own = self.scheduler
        if sampler is not None:
            self.scheduler = scheduler  # where callbacks look for it
        try:
            latents = self.denoise(
                self._start(latents, len(conditioning.text), size, generators),
                conditioning.contexts(guidance),
                guidance,
                None,
                scheduler,
                step_options=step_options(scheduler, generators, eta),
                after_step=callback_on_step_end and StepCallback(self, callback_on_step_end, names, conditioning),
                cross_attention_kwargs=self.cross_attention_kwargs,
            )
        finally:
            self.scheduler = own
        images, flags = self._pictures(latents, output_type, generators)
        self.maybe_free_model_hooks()
        return StableDiffusionPipelineOutput(images, flags) if return_dict else (images, flags)

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
        return self._in_slots([np.zeros((0, 0)) if vectors is None else vectors])

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
        return Conditioning(text=text, without_text=without_text, face_tokens=tokens).contexts(guidance)

    def denoise(
        self,
        latents: torch.Tensor,
        contexts: Mapping[Branch, torch.Tensor],
        guidance: Guidance,
        steps: int | None,
        scheduler: SchedulerMixin,
        *,
        step_options: Mapping[str, Any] = MappingProxyType({}),
        after_step: Callable[[int, torch.Tensor, Denoising], None] | None = None,
        cross_attention_kwargs: Mapping[str, Any] | None = None,
    ) -> torch.Tensor:
        """Denoises latents, by one batched call of the U-Net a step.

        Args:
            latents: normal noise [N, C, h, w].
            contexts: what the U-Net sees in each branch, [N, 77, D] each; see ``contexts``.
            guidance: how strongly text and face steer.
            steps: of the scheduler; None: they are set.
            scheduler: of diffusers, as ``face0.model.samplers.make_scheduler`` makes it.
            step_options: what its step is given besides.
            after_step: called with the step's number, its level of noise, and the state, which it may change.
            cross_attention_kwargs: for the U-Net's attention.

        Returns:
            Latents [N, C, h, w].

        Raises:
            UsageError: the scheduler does not fit, or cannot make these steps.
        """
        if steps is not None:
            scheduler = set_steps(scheduler, steps, device=latents.device)
        self._num_timesteps, self._interrupt = len(scheduler.timesteps), False
        options = {"cross_attention_kwargs": cross_attention_kwargs} if cross_attention_kwargs else {}
        state = Denoising(latents=latents * scheduler.init_noise_sigma, contexts=contexts, guidance=guidance)
        for step, t in enumerate(self.progress_bar(scheduler.timesteps)):
            if self.interrupt:
                break
            weights = state.guidance.at(step, self.num_timesteps)
            z = scheduler.scale_model_input(state.latents, t).repeat(len(weights), 1, 1, 1)
            context = torch.cat([state.contexts[branch] for branch in weights])
            predicted = self.unet(z, t, encoder_hidden_states=context, **options).sample
            combined = combine(predicted.unflatten(0, (len(weights), -1)), weights, state.guidance.rescale)
            state.latents = scheduler.step(combined, t, state.latents, **step_options).prev_sample
            if after_step is not None:
                after_step(step, t, state)
        return state.latents

    def decode(
        self, latents: torch.Tensor, generator: torch.Generator | list[torch.Generator] | None = None
    ) -> torch.Tensor:
        """Decodes latents [N, C, h, w] to images [N, 3, H, W] in -1..1; some decoders add noise, by the generator."""
        scaled = (latents / self.vae.config.scaling_factor).to(self.vae.dtype)
        return self.vae.decode(scaled, generator=generator).sample

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

    def _conditioning(
        self,
        prompt: str | Sequence[str] | None,
        negative_prompt: str | Sequence[str] | None,
        prompt_embeds: torch.Tensor | None,
        negative_prompt_embeds: torch.Tensor | None,
        face: Face | Sequence[Any] | None,
        repeats: int,
    ) -> Conditioning:
        text, without = self.encode_prompt(
            prompt,
            num_images_per_prompt=repeats,
            do_classifier_free_guidance=self.text_encoder is not None,
            negative_prompt=negative_prompt,
            prompt_embeds=prompt_embeds,
            negative_prompt_embeds=negative_prompt_embeds,
            lora_scale=(self.cross_attention_kwargs or {}).get("scale"),
            clip_skip=self.clip_skip,
        )
        faces = faces_of_prompts(face, len(text) // repeats, self.face_vectors)
        tokens = self.face_projection(*self._in_slots(faces)).repeat_interleave(repeats, dim=0)
        dtype = self.unet.dtype
        return Conditioning(
            text=text.to(dtype),
            without_text=None if without is None else without.to(dtype),
            face_tokens=tokens.to(dtype),
        )

    def _in_slots(self, faces: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        config = self.face_projection.config
        placed, present = in_slots(faces, config.slots, config.embedding_dim)
        return placed.to(self._execution_device, self.face_projection.dtype), present.to(self._execution_device)

    def _start(
        self,
        latents: torch.Tensor | None,
        count: int,
        size: tuple[int, int],
        generator: torch.Generator | list[torch.Generator] | None,
    ) -> torch.Tensor:
        shape = count, self.unet.config.in_channels, *(pixels // self.shrink for pixels in size)
        if latents is None:
            return noise(shape, generator, self._execution_device, self.unet.dtype)
        check_latents(latents, shape)
        return latents.to(self._execution_device, self.unet.dtype)

    def _pictures(
        self,
        latents: torch.Tensor,
        output_type: str,
        generator: torch.Generator | list[torch.Generator] | None,
    ) -> tuple[Any, list[bool] | None]:
        """Pictures of latents, and what the safety checker says of each."""
        if output_type == "latent":
            return latents, None
        values = self.decode(latents, generator)
        flags = None
        if self.safety_checker is not None:
            pixels = as_images(values.float().nan_to_num()).permute(0, 2, 3, 1).contiguous().numpy()
            flags = flagged(self.safety_checker, self.feature_extractor, pixels)
            values[torch.tensor(flags)] = -1  # black
        return self.image_processor.postprocess(values, output_type=output_type), flags


def as_images(values: torch.Tensor) -> torch.Tensor:
    """Images as ``decode`` gives them, [N, 3, H, W] in -1..1, as uint8 [N, 3, H, W] on the CPU."""
    return ((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()


def noise(shape: tuple[int, ...], generator: Any, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Normal noise [N, ...] from one generator, or from one for each of the N.

    It is made where the generator is, on the CPU unless told: that is the same everywhere.
    """
    if isinstance(generator, list):
        return torch.cat([noise((1, *shape[1:]), one, device, dtype) for one in generator])
    made_on = torch.device("cpu") if generator is None else generator.device
    return torch.randn(shape, generator=generator, device=made_on).to(device, dtype)
