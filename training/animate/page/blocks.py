"""The page itself, in gradio: image and sound in, sliders, a queue; the video above its curves, earlier ones, files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shards.errors import ClapboardError
from training.animate.page.studio import Shown, Studio
from training.animate.settings import SampleSettings, Scheduler

TITLE = "Clapboard: animate an image in time with a sound"
# gradio gives a lone picture the whole width.
STYLE = "#earlier .grid-container { grid-template-columns: repeat(6, minmax(0, 1fr)) !important }"
_WAITING = 16
_KEPT_S = 6 * 3600
_NO_CURVES = "<p>Sound and motion appear here, on one axis.</p>"


def build_page(studio: Studio, examples: Sequence[tuple[Path, Path, str]]) -> Any:
    """gradio's blocks, with a queue in which one video is made at a time.

    Args:
        studio: makes the videos.
        examples: image, sound and caption to begin with.
    """
    import gradio as gr

    backbone = studio.animator.backbone
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, _KEPT_S)) as page:
        gr.Markdown(f"## Clapboard\nAn image and a sound in, a video out. Generator: `{backbone.name}`.")
        history = gr.State([])
        with gr.Row():
            with gr.Column(scale=3):
                video = gr.Video(label="Result", interactive=False, autoplay=True, height=420, elem_id="result")
                curves = gr.HTML(_NO_CURVES, elem_id="curves")
                files = gr.File(
                    label="Download: the video and its settings", interactive=False, visible=False, elem_id="files"
                )
                earlier = gr.Gallery(
                    show_label=False, columns=6, height=140, interactive=False, visible=False,
                    allow_preview=False, buttons=[], elem_id="earlier",
                )  # fmt: skip
            with gr.Column(scale=2):
                chosen = gr.Gallery(
                    [(str(picture), _title(picture)) for picture, _, _ in examples], show_label=False, columns=3,
                    height=150, interactive=False, allow_preview=False, buttons=[], elem_id="examples",
                )  # fmt: skip
                image = gr.Image(
                    label="Image", type="filepath", image_mode=None, sources=["upload", "clipboard"], height=200,
                    buttons=[], elem_id="image",
                )  # fmt: skip
                # Else Pillow would open strangers' files before `read_image`, and answer for itself.
                image.preprocess = lambda given: given.path if given else None
                sound = gr.Audio(
                    label="Sound: a file, or your microphone", type="filepath", sources=["upload", "microphone"],
                    buttons=[], elem_id="sound",
                )  # fmt: skip
                caption = gr.Textbox(label="What the image shows", placeholder="a hammer strikes an anvil")
                go = gr.Button("Animate", variant="primary", elem_id="go")
                audio_scale = gr.Slider(0, 10, value=2, step=0.5, label="How much the sound counts")
                seed = gr.Slider(0, 1000, value=0, step=1, label="Seed: another one, another motion")
                with gr.Accordion("More", open=False):
                    steps = gr.Slider(1, 100, value=backbone.usual_steps, step=1, label="Steps")
                    scale = gr.Slider(0, 15, value=backbone.usual_guidance, step=0.5, label="How much the words count")
                    negative = gr.Textbox(label="What it should not show")
                    scheduler = gr.Dropdown([one.value for one in Scheduler], value="own", label="Scheduler")

        def make(
            image: str | None,
            sound: str | None,
            caption: str | None,
            audio_scale: float,
            steps: float,
            scale: float,
            negative: str | None,
            seed: float,
            scheduler: str,
            history: list[Shown],
            progress: Any = gr.Progress(),
        ) -> tuple[Any, ...]:
            progress(0, desc="reading")
            try:
                settings = SampleSettings(
                    int(steps), audio_scale, scale, int(seed), (negative or "").strip(), Scheduler(scheduler)
                )
                shown = studio.make(
                    Path(image) if image else None,
                    Path(sound) if sound else None,
                    caption=(caption or "").strip(),
                    settings=settings,
                    progress=lambda done, total, note: progress((done, total), desc=note or "animating"),
                )
            except ClapboardError as error:
                words = _shortened(str(error), image, sound)
                raise gr.Error(words, duration=None, title="This cannot be animated") from error
            made = [shown, *history]
            shelf = [(str(one.poster), one.title) for one in made]
            return *_view(shown), gr.update(value=shelf, visible=True), made

        def again(history: list[Shown], picked: gr.SelectData) -> tuple[Any, ...]:
            return _view(history[int(picked.index)])

        def pick(picked: gr.SelectData) -> tuple[str, str, str]:
            picture, heard, words = examples[int(picked.index)]
            return str(picture), str(heard), words

        given = [image, sound, caption, audio_scale, steps, scale, negative, seed, scheduler, history]
        result = [video, curves, files]
        chosen.select(pick, None, [image, sound, caption], show_progress="hidden", api_visibility="private")
        go.click(
            make, given, [*result, earlier, history], show_progress_on=[video], concurrency_limit=1,
            api_visibility="private",
        )  # fmt: skip
        earlier.select(again, [history], result, show_progress="hidden", api_visibility="private")
    return page.queue(max_size=_WAITING, default_concurrency_limit=1, api_open=False)


def _shortened(words: str, *paths: str | None) -> str:
    """With names of files where their paths were, which are this machine's affair."""
    for path in filter(None, paths):
        words = words.replace(path, Path(path).name)
    return words


def _title(picture: Path) -> str:
    return picture.stem.rpartition("_")[2]


def _view(shown: Shown) -> tuple[str, str, Any]:
    import gradio as gr

    return str(shown.video), shown.curves, gr.update(value=[str(shown.video), str(shown.record)], visible=True)
