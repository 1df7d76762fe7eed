"""Wan and AnimateDiff through diffusers, at random weights: what is frozen stays, what is added can be taken away."""

import math
import shutil

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from shards.errors import BadInput, ClapboardError, Unavailable
from training.adapter.files import load_adapter, save_adapter
from training.adapter.layer import AudioAdapter
from training.animate.listening import listening
from training.animate.make import animate
from training.animate.parts import sound_features
from training.animate.sample import sample_latents
from training.animate.settings import SampleSettings
from training.backbones import NOTICES, BackboneOptions, SiteChoice, open_backbone, shape_of
from training.data.batches import padded
from training.loop.blocks import use_checkpointing
from training.loop.objective import noise_loss
from training.loop.profile import step_cost
from training.settings.config import Checkpointing, stage_config
from training.stages.fitting import fitted_config
from training.stages.stage import train_stage

pytestmark = pytest.mark.slow

SMALL = {
    "wan2.2-ti2v-5b": {"frames": 9, "size_px": (32, 32)},
    "wan2.1-1.3b": {"frames": 9, "size_px": (32, 32)},
    "wan2.1-i2v-14b": {"frames": 9, "size_px": (32, 32)},
    "animatediff": {"frames": 8, "size_px": (64, 64)},
}
NARROW = {"audio_width": 16, "heads": 2, "budget": 0.03}


@pytest.fixture(params=sorted(SMALL))
def name(request):
    return request.param


@pytest.fixture
def backbone(name, published):
    made = open_backbone(name, BackboneOptions(weights=published[name], **SMALL[name]))
    made.load_weights(published[name])
    return made


def adapter_of(backbone, name, *, awake=True) -> AudioAdapter:
    torch.manual_seed(1)
    adapter = AudioAdapter(fitted_config(stage_config(1, backbone=name, **NARROW), shape_of(backbone)))
    for site in adapter.sites:
        if awake:
            nn.init.normal_(site.out.weight, std=0.3)
    return adapter


def inputs(backbone, clips=2):
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(clips, *backbone.latent_shape, generator=generator),
        torch.tensor([0.3, 0.8])[:clips],
        torch.randn(clips, backbone.text_tokens, backbone.text_width, generator=generator),
        torch.ones(clips, dtype=torch.bool),
    )


def sound(adapter, clips=2):
    generator = torch.Generator().manual_seed(1)
    return {r.key: torch.randn(clips, r.columns, r.tokens, r.width, generator=generator) for r in adapter.config.rows}


class TestTheAdapter:
    def test_at_zero_it_is_the_base_bit_for_bit(self, backbone, name):
        adapter = adapter_of(backbone, name, awake=False)
        with torch.no_grad():
            base = backbone.denoise(*inputs(backbone))
            with adapter.attached(backbone.network), adapter.conditioned(sound(adapter)):
                assert torch.equal(backbone.denoise(*inputs(backbone)), base)
                for site in adapter.sites:
                    nn.init.normal_(site.out.weight)
                assert not torch.equal(backbone.denoise(*inputs(backbone)), base)
                adapter.scale = 0.0
                assert torch.equal(backbone.denoise(*inputs(backbone)), base)
            assert torch.equal(backbone.denoise(*inputs(backbone)), base)

    @pytest.mark.parametrize("checkpointing", list(Checkpointing))
    def test_gradients_reach_it_and_nothing_else_also_with_checkpointing(self, backbone, name, checkpointing):
        adapter = adapter_of(backbone, name)
        use_checkpointing(backbone.network, checkpointing)
        one_deaf = {"audio_mask": torch.tensor([True, False])}
        with adapter.attached(backbone.network), adapter.conditioned(sound(adapter), **one_deaf):
            backbone.denoise(*inputs(backbone)).square().mean().backward()
        assert all(weight.grad is None for weight in backbone.network.parameters())
        assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in adapter.parameters())
        grads = [weight.grad.clone() for weight in adapter.parameters()]
        if checkpointing is not Checkpointing.NONE:
            backbone.network.disable_gradient_checkpointing()
            adapter.zero_grad()
            with adapter.attached(backbone.network), adapter.conditioned(sound(adapter), **one_deaf):
                backbone.denoise(*inputs(backbone)).square().mean().backward()
            for one, weight in zip(grads, adapter.parameters(), strict=True):
                assert torch.allclose(one, weight.grad, rtol=1e-4, atol=1e-7)

    def test_each_clip_hears_its_own_sound_through_its_window(self, backbone, name):
        adapter = adapter_of(backbone, name)
        given, heard = inputs(backbone), sound(adapter)
        other = {key: rows.clone() for key, rows in heard.items()}
        for rows in other.values():
            rows[1] += 1
        site = adapter.sites[0]
        latents = adapter.config.video.latents
        hidden = torch.randn(2, latents * 4, site.out.out_features)
        with adapter.conditioned(heard):
            one = site(hidden, adapter._condition)
            as_unet = site(hidden.reshape(2 * latents, 4, -1), adapter._condition)
        with adapter.conditioned(other):
            two = site(hidden, adapter._condition)
        assert torch.equal(as_unet.reshape(one.shape), one), "a UNet's layout is the same rows"
        assert torch.equal(one[0], two[0]) and not torch.equal(one[1], two[1])
        assert given[0].shape[2] == latents

    def test_sites_can_be_chosen(self, name, published):
        options = {"weights": published[name], **SMALL[name]}
        every = shape_of(open_backbone(name, BackboneOptions(sites=SiteChoice.ALL, **options))).sites
        late = shape_of(open_backbone(name, BackboneOptions(sites=SiteChoice.LATE, **options))).sites
        alternate = shape_of(open_backbone(name, BackboneOptions(sites=SiteChoice.ALTERNATE, **options))).sites
        assert late == every[len(every) // 2 :]
        assert alternate[-1] == every[-1] and len(alternate) == -(-len(every) // 2)


class TestTheCodec:
    def test_an_image_is_the_first_latent_of_its_video(self, backbone):
        height, width = backbone.size_px
        frames = np.random.default_rng(0).integers(0, 256, (backbone.video.frames, height, width, 3)).astype(np.uint8)
        said = backbone.encode_video(frames)
        assert said.mean.shape == backbone.latent_shape and said.std.shape == said.mean.shape
        assert (said.std > 0).all()
        assert torch.allclose(backbone.encode_image(frames[0]), said.mean[:, :1], atol=1e-4)
        assert backbone.decode_video(said.mean).shape == frames.shape

    def test_words_are_rows_of_the_width_that_the_network_takes(self, backbone):
        rows, none = backbone.encode_text("a flash of light"), backbone.encode_text("")
        assert rows.shape[1] == none.shape[1] == backbone.text_width
        assert len(rows) <= backbone.text_tokens
        assert not torch.equal(backbone.encode_text("a drum"), rows)

    def test_versions_follow_the_files(self, name, published, tmp_path):
        options = {"weights": published[name], **SMALL[name]}
        one = open_backbone(name, BackboneOptions(**options))
        copy = shutil.copytree(published[name], tmp_path / "copy")
        other = open_backbone(name, BackboneOptions(**options | {"weights": copy}))
        assert (one.codec_version, one.text_version) == (other.codec_version, other.text_version)
        weights = next((copy / "vae").glob("*.safetensors"))
        weights.write_bytes(weights.read_bytes() + b" ")
        assert one.codec_version != other.codec_version


class TestNoise:
    def test_it_leaves_a_given_first_frame_clean_and_sampling_walks_back(self, backbone):
        clean, _, _, given = inputs(backbone)
        noise, given[1] = torch.randn_like(clean), False
        times = torch.tensor([0.6, 0.6])
        noisy = backbone.noise(clean, noise, times, given)
        assert torch.equal(noisy[0, :, 0], clean[0, :, 0]) == backbone.clean_first
        assert not torch.equal(noisy[1, :, 0], clean[1, :, 0])
        target = backbone.target(clean, noise, times)
        end = backbone.sampling_times(4)[-1]
        assert torch.allclose(backbone.step(noisy, target, now=0.6, then=end)[:, :, 1:], clean[:, :, 1:], atol=2e-3)

    def test_a_dropped_image_is_predicted_like_the_other_frames(self, backbone):
        from training.data.batches import Batch

        clean, time, text, given = inputs(backbone)
        whole = Batch(clean, torch.randn_like(clean), time, {}, text, given, given.clone(), (0, 1))
        whole.image_mask[1] = False
        with torch.no_grad():
            losses = noise_loss(backbone, whole)
        assert losses.shape == (2,) and losses.isfinite().all()

    def test_training_times_lie_within_the_schedule(self, backbone):
        times = [backbone.time_of(normal) for normal in (-8, -1, 0, 1, 8)]
        assert times == sorted(times) and times[0] >= 0 and times[-1] <= 1


def test_motion_modules_keep_their_own_schedule_beside_that_of_stable_diffusion(published, tmp_path):
    folder = shutil.copytree(published["animatediff"], tmp_path / "sd15")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text('{"beta_schedule": "scaled_linear"}')
    options = BackboneOptions(weights=folder, **SMALL["animatediff"])
    linear = open_backbone("animatediff", BackboneOptions(weights=published["animatediff"], **SMALL["animatediff"]))
    assert not torch.equal(open_backbone("animatediff", options).kept, linear.kept)
    (folder / "motion_adapter").mkdir()
    assert torch.equal(open_backbone("animatediff", options).kept, linear.kept)


def test_v_prediction_is_taken_from_the_scheduler(published, tmp_path):
    folder = shutil.copytree(published["animatediff"], tmp_path / "v")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text('{"prediction_type": "v_prediction"}')
    backbone = open_backbone("animatediff", BackboneOptions(weights=folder, **SMALL["animatediff"]))
    clean, _, _, given = inputs(backbone)
    noise, time = torch.randn_like(clean), torch.tensor([0.6, 0.6])
    noisy = backbone.noise(clean, noise, time, given)
    target = backbone.target(clean, noise, time)
    assert not torch.equal(target, noise)
    assert torch.allclose(backbone.step(noisy, target, now=0.6, then=-1.0)[:, :, 1:], clean[:, :, 1:], atol=2e-3)


def test_in_half_precision_it_says_nearly_the_same(name, published):
    said = []
    for half in (False, True):
        backbone = open_backbone(name, BackboneOptions(published[name], half=half, **SMALL[name]))
        backbone.load_weights(published[name])
        adapter = adapter_of(backbone, name)
        with torch.no_grad(), adapter.attached(backbone.network), adapter.conditioned(sound(adapter)):
            said.append(backbone.denoise(*inputs(backbone)))
    assert said[1].dtype == torch.float32
    assert (said[1] - said[0]).norm() < 0.05 * said[0].norm()


def test_half_precision_keeps_in_float32_what_the_library_wants_so(published):
    backbone = open_backbone(
        "wan2.1-1.3b", BackboneOptions(published["wan2.1-1.3b"], half=True, **SMALL["wan2.1-1.3b"])
    )
    backbone.load_weights(published["wan2.1-1.3b"])
    kinds = {weight.dtype for weight in backbone.network.parameters()}
    assert kinds == {torch.bfloat16, torch.float32}
    assert backbone.network.blocks[0].attn1.to_q.weight.dtype == torch.bfloat16


def test_the_cost_of_a_step_is_counted_without_weights(name):
    backbone = open_backbone(name, BackboneOptions(**SMALL[name] | {"size_px": (128, 128)}))
    config = fitted_config(stage_config(1, backbone=name), shape_of(backbone))
    cost, bare = step_cost(config, backbone), step_cost(None, backbone)
    assert bare.forward < cost.forward < 1.2 * bare.forward
    assert cost.kept_bytes > 0


def test_recomputation_keeps_less_and_computes_more(name, published):
    options = SMALL[name] | {"size_px": (128, 128), "sites": SiteChoice.ALL}
    backbone = open_backbone(name, BackboneOptions(published[name], **options))
    config = fitted_config(stage_config(1, backbone=name, **NARROW), shape_of(backbone))
    none, selective, every = (step_cost(config, backbone, checkpointing=choice) for choice in Checkpointing)
    assert every.kept_bytes < 0.6 * min(none.kept_bytes, selective.kept_bytes)
    assert none.forward == selective.forward == every.forward
    assert none.backward == selective.backward, "no product is computed again"
    assert every.backward > none.backward


@pytest.mark.parametrize(
    ("name", "cache", "precision"),
    [*((name, True, "fp32") for name in sorted(SMALL)), ("animatediff", False, "fp32")]
    # wan2.1-1.3b is the class and the folder of wan2.2-ti2v-5b, and differs where precision has no part.
    + [(name, True, "bf16") for name in sorted(SMALL) if name != "wan2.1-1.3b"],
)
def test_it_trains_and_animates_through_the_same_stages_as_any_other(
    name, published, snapshots_root, grey_image, click_sound, tmp_path, cache, precision
):
    config = stage_config(
        1, backbone=name, weights=published[name], steps=3, batch=2, save_every=3, held_out=0.25, probe_clips=2,
        windows={"per_clip": 1}, device="cpu", cache=cache, sample_latents=True, precision=precision, sample_every=3,
        samples=1, **SMALL[name], **NARROW,
    )  # fmt: skip
    result = train_stage(config, snapshots_root=snapshots_root, runs_root=tmp_path)
    assert result.finished and np.isfinite(result.last_loss) and result.trainable_share <= 0.03
    out = animate(
        result.run_dir, image=grey_image, sound=click_sound, out=tmp_path / "out.mp4", caption="a flash",
        settings=SampleSettings(num_inference_steps=2),
    )  # fmt: skip
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == math.ceil(1.0 * container.streams.video[0].average_rate)


@pytest.mark.parametrize("name", ["wan2.1-1.3b", "animatediff"])
def test_it_goes_onto_a_plain_pipeline_and_off_again(name, published, click_sound, tmp_path):
    from diffusers import AnimateDiffPipeline, DDIMScheduler, UniPCMultistepScheduler, WanPipeline

    backbone = open_backbone(name, BackboneOptions(published[name], **SMALL[name]))
    backbone.load_weights(published[name])
    adapter = adapter_of(backbone, name)
    save_adapter(tmp_path / "adapter", adapter.config, adapter.state_dict(), notes={"backbone": name})
    backbone.encode_text("")
    tokenizer, encoder = backbone._words
    if name == "animatediff":
        pipeline = AnimateDiffPipeline(
            vae=backbone.vae(), text_encoder=encoder, tokenizer=tokenizer, unet=backbone.network,
            motion_adapter=None, scheduler=DDIMScheduler(beta_schedule="linear"),
        )  # fmt: skip
    else:
        scheduler = UniPCMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction")
        pipeline = WanPipeline(
            vae=backbone.vae(), text_encoder=encoder, tokenizer=tokenizer, transformer=backbone.network,
            scheduler=scheduler,
        )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    height, width = SMALL[name]["size_px"]

    def run(frames=SMALL[name]["frames"]):
        return pipeline(
            prompt="a flash", num_frames=frames, height=height, width=width, num_inference_steps=2,
            guidance_scale=3.0, generator=torch.Generator().manual_seed(0), output_type="latent",
        ).frames  # fmt: skip

    plain = run()
    with listening(pipeline, tmp_path / "adapter", click_sound, audio_guidance_scale=0.0):
        assert torch.equal(run(), plain)
    with listening(pipeline, tmp_path / "adapter", click_sound):
        assert not torch.equal(run(), plain)
        with pytest.raises(BadInput, match="latent frames"):
            run(frames=5)
    assert torch.equal(run(), plain)


@pytest.mark.parametrize(
    ("name", "guidance_scale", "offloaded"),
    [("wan2.2-ti2v-5b", 1.0, False), ("wan2.2-ti2v-5b", 3.0, True), ("wan2.1-i2v-14b", 3.0, False)],
)
def test_on_a_pipeline_it_does_what_animate_does(name, published, click_sound, tmp_path, guidance_scale, offloaded):
    """Wan's own image-to-video pipeline with Euler steps against our sampler: one image, noise and sound."""
    backbone = open_backbone(name, BackboneOptions(published[name], **SMALL[name]))
    backbone.load_weights(published[name])
    adapter = adapter_of(backbone, name)
    save_adapter(tmp_path / "adapter", adapter.config, adapter.state_dict(), notes={"backbone": name})
    text, no_text = (padded(backbone.encode_text(words), backbone.text_tokens)[None] for words in ("a flash", ""))
    noise = torch.randn(1, *backbone.latent_shape, generator=torch.Generator().manual_seed(2))
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    condition = {key: rows[None] for key, rows in backbone.encode_condition(picture).items()}
    pipeline = backbone.pipeline()
    pipeline.set_progress_bar_config(disable=True)
    if offloaded:
        pipeline.enable_model_cpu_offload(device="cpu")
    with listening(pipeline, tmp_path / "adapter", click_sound):
        theirs = pipeline(
            image=Image.fromarray(picture), prompt_embeds=text, negative_prompt_embeds=no_text, height=32, width=32,
            num_frames=SMALL[name]["frames"], num_inference_steps=3, guidance_scale=guidance_scale,
            latents=noise.clone(), output_type="latent",
        ).frames  # fmt: skip
    saved = load_adapter(tmp_path / "adapter")
    ours = sample_latents(
        backbone, saved.adapter, first=backbone.encode_image(picture)[None], text=text, no_text=no_text,
        features=sound_features(saved, click_sound, duration_s=backbone.video.duration_s), noise=noise,
        image=condition, times=backbone.times_of(pipeline.scheduler),
        settings=SampleSettings(num_inference_steps=3, guidance_scale=guidance_scale),
    )  # fmt: skip
    assert torch.allclose(theirs, ours, atol=2e-3)


@pytest.mark.parametrize(
    ("folder", "preset", "why"),
    [
        ("wan2.1-i2v-14b", "wan2.1-1.3b", "sees_image is True instead of False"),
        ("wan2.2-ti2v-5b", "wan2.1-i2v-14b", "sees_image is False instead of True"),
        ("animatediff", "wan2.2-ti2v-5b", "config.json is missing"),
    ],
)
def test_a_folder_of_another_kind_is_refused(published, folder, preset, why):
    with pytest.raises(ClapboardError, match=why):
        open_backbone(preset, BackboneOptions(published[folder], **SMALL[preset]))


def test_a_folder_says_by_its_index_whether_its_tokens_have_times_of_their_own(published, tmp_path):
    folder = shutil.copytree(published["wan2.2-ti2v-5b"], tmp_path / "copy")
    (folder / "model_index.json").write_text('{"_class_name": "WanPipeline", "expand_timesteps": true}')
    open_backbone("wan2.2-ti2v-5b", BackboneOptions(folder, **SMALL["wan2.2-ti2v-5b"]))
    with pytest.raises(BadInput, match="own_times is True instead of False"):
        open_backbone("wan2.1-1.3b", BackboneOptions(folder, **SMALL["wan2.1-1.3b"]))


def test_who_has_never_learned_to_follow_an_image_says_so(name):
    assert bool(NOTICES.get(name)) == (name in ("wan2.1-1.3b", "animatediff"))


def test_what_is_missing_or_wrong_is_said_before_hours_are_spent(name, published, tmp_path):
    without = open_backbone(name, BackboneOptions(**SMALL[name]))
    with pytest.raises(Unavailable, match="not on this machine"):
        without.encode_text("a")
    folder = shutil.copytree(published[name], tmp_path / "copy")
    for file in (folder / "vae").glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    backbone = open_backbone(name, BackboneOptions(weights=folder, **SMALL[name]))
    with pytest.raises(Unavailable, match="no safetensors"):
        backbone.encode_video(np.zeros((SMALL[name]["frames"], *SMALL[name]["size_px"], 3), np.uint8))
    with pytest.raises(BadInput, match="does not divide"):
        open_backbone(name, BackboneOptions(size_px=(30, 64)))
