"""The sets of model weights that there are: whose files, under which revision and licence, and where they come from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file of a hub repository at a revision; `sha256` where it is pinned. A pattern ("vae/*") is many files.

    With a `url` it comes from there and no hub is asked. `md5` is the beginning of a digest that its authors give.
    Where its authors give no plain address, `page` is where a person downloads it.
    """

    repo: str
    name: str
    revision: str
    sha256: str | None = None
    url: str = ""
    md5: str = ""
    page: str = ""

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for many files."""
        return "*" in self.name


@dataclass(frozen=True, slots=True)
class Weights:
    """A set of files that belong together."""

    name: str
    purpose: str
    licence: str
    size_mb: int
    files: tuple[WeightFile, ...]

    @property
    def remedy(self) -> str:
        """What brings them here."""
        if page := next((one.page for one in self.files if one.page), ""):
            return f"download it from {page}, then: clapboard weights add {self.name} PATH"
        return f"clapboard weights fetch {self.name}"


_CLIP = ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "1a25a446712ba5ee05982a381eed697ef9b435cf")
_CLAP = ("lukewys/laion_clap", "b3708341862f581175dba5c356a4ebf74a9b6651")
_CLAP_HF = ("laion/clap-htsat-unfused", "8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a")
"""This commit holds a pickle only, which is read as tensors alone. No digest is pinned: trust on first use."""

_ROBERTA = ("FacebookAI/roberta-base", "e2da8e2f811d1448a5b465c236feacd80ffbac7b")
_WAN = (
    ("wan2.1-1.3b", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "0fad780a534b6463e45facd96134c9f345acfa5b", 29_000),
    ("wan2.2-ti2v-5b", "Wan-AI/Wan2.2-TI2V-5B-Diffusers", "b8fff7315c768468a5333511427288870b2e9635", 34_000),
)
_PE_AV = (
    ("pe-av", "facebook/pe-av-small", 2_300),
    ("pe-av-base", "facebook/pe-av-base", 3_000),
    ("pe-av-large", "facebook/pe-av-large", 8_000),
)
"""No commit's full name was to be had when this was written: `main` is asked for, and the digests of the first fetch
are noted. Sizes are estimates."""

_SYNCHFORMER = "https://a3s.fi/swift/v1/AUTH_a235c0f452d648828f745589cde1219a/sync/sync_models"
"""As the authors' README and `utils/utils.py` have it (github.com/v-iashin/Synchformer at 1b47d68)."""

_WAN_I2V = ("wan2.1-i2v-14b", "Wan-AI/Wan2.1-I2V-14B-480P-Diffusers", 90_000)
"""As for PE-AV: `main`, noted at the first fetch; the size is an estimate."""

_WAN_PARTS = ("model_index.json", "transformer/*", "vae/*", "text_encoder/*", "tokenizer/*", "scheduler/*")


def _file(source: tuple[str, str], name: str, sha256: str | None = None) -> WeightFile:
    return WeightFile(source[0], name, source[1], sha256)


def _files(source: tuple[str, str], names: tuple[str, ...]) -> tuple[WeightFile, ...]:
    return tuple(_file(source, name) for name in names)


def _synchformer(run: str, md5: str) -> tuple[WeightFile]:
    """One of the authors' checkpoints, under whatever name it is added by path."""
    return (WeightFile("", "*.pt*", "", url=f"{_SYNCHFORMER}/{run}/{run}.pt", md5=md5),)


_IMAGEBIND = "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth"
"""As in the authors' code (github.com/facebookresearch/ImageBind, `imagebind_model.py`)."""

_BEATS = "https://github.com/microsoft/unilm/tree/master/beats"
"""Its README links to files behind a log-in page; BEATs_iter3+ (AS2M) is the one that was meant here."""

KNOWN: tuple[Weights, ...] = (
    Weights(
        "clip",
        "image-text score (open_clip ViT-B-32, LAION-2B)",
        "MIT",
        605,
        (
            _file(
                _CLIP,
                "open_clip_model.safetensors",
                "ac4f8c4b88af6d963118cbf40ad93176d092abbedfcb752601ae1866352656e6",
            ),
        ),
    ),
    Weights(
        "clap",
        "audio-text score (LAION-CLAP, HTSAT-tiny + RoBERTa)",
        "CC0-1.0; tokenizer MIT",
        1_865,
        (
            _file(_CLAP, "630k-audioset-best.pt", "8053c9775516af2f4902e1e8281e356cc1bf7a85e8b761908170767b77c3f037"),
            _file(_ROBERTA, "vocab.json", "9e7f63c2d15d666b52e21d250d2e513b87c9b713cfa6987a82ed89e5e6e50655"),
            _file(_ROBERTA, "merges.txt", "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"),
            _file(_ROBERTA, "config.json", "ef0185e2aae6e06c5f105a285006952c340e20c7dbf43c86ec82601b13fc45e9"),
        ),
    ),
    Weights(
        "clap_transformers",
        "audio-text score (LAION-CLAP through transformers)",
        "Apache-2.0; tokenizer MIT",
        618,
        (
            *_files(_CLAP_HF, ("config.json", "pytorch_model.bin")),
            _file(_ROBERTA, "vocab.json", "9e7f63c2d15d666b52e21d250d2e513b87c9b713cfa6987a82ed89e5e6e50655"),
            _file(_ROBERTA, "merges.txt", "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"),
        ),
    ),
    Weights(
        "synchformer",
        "synchronisation score (Synchformer, 24-01-04T16-39-21; by path any of the released offset models)",
        "MIT",
        950,
        _synchformer("24-01-04T16-39-21", "54037d2"),
    ),
    Weights(
        "synchformer_synchronisable",
        "its column of synchronisability (the released model 24-01-22T20-34-52)",
        "MIT",
        950,
        _synchformer("24-01-22T20-34-52", "b1cb346"),
    ),
    *(
        Weights(
            name, f"picture-sound score ({repo})", "Apache-2.0", size, _files((repo, "main"), ("config.json", "model*"))
        )
        for name, repo, size in _PE_AV
    ),
    Weights(
        "imagebind",
        "audio encoder for training (ImageBind huge)",
        "CC BY-NC-SA 4.0: not for commercial use",
        4_800,
        (WeightFile("", "imagebind_huge.pth", "", url=_IMAGEBIND),),
    ),
    Weights("beats", "audio encoder for training (BEATs)", "MIT", 360, (WeightFile("", "*.pt*", "", page=_BEATS),)),
    *(
        Weights(name, f"frozen video generator ({repo})", "Apache-2.0", size, _files((repo, at), _WAN_PARTS))
        for name, repo, at, size in _WAN
    ),
    Weights(
        _WAN_I2V[0],
        f"frozen image-to-video generator ({_WAN_I2V[1]})",
        "Apache-2.0",
        _WAN_I2V[2],
        _files((_WAN_I2V[1], "main"), (*_WAN_PARTS, "image_encoder/*", "image_processor/*")),
    ),
)
