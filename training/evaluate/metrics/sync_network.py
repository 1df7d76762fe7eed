"""The AVSync classifier of the predecessor: convolutions over a spectrogram, R(2+1)D over frames, one score of both.

Written after the shapes of the released weights (lzhangbj/ASVA, `avsync/models`), whose names it keeps; the towers are
those of AVID-CMA (Morgado et al. 2021).
"""

import torch
from torch import Tensor, nn

Stride = tuple[int, ...]


class SyncNetwork(nn.Module):
    """(clips, 1, 128, 204) spectrograms and (clips, 3, 12, 224, 224) frames -> (clips,) raw scores."""

    def __init__(self) -> None:
        super().__init__()
        self.audio_encoder, self.video_encoder, self.head = SoundTower(), PictureTower(), Head()

    def forward(self, banks: Tensor, frames: Tensor) -> Tensor:
        """How much either seems in time with the other."""
        score: Tensor = self.head(torch.cat([self.audio_encoder(banks), self.video_encoder(frames)], dim=1))[:, 0]
        return score


class SoundTower(nn.Module):
    """(clips, 1, 128, 204) -> (clips, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(1, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.block1, self.block2 = _Flat(64, 64, 2), _Flat(64, 128, 2)
        self.block3, self.block4 = _Flat(128, 256, 2), _Flat(256, 512, 1)

    def forward(self, banks: Tensor) -> Tensor:
        """The mean over frequency and time."""
        rows = self.block4(self.block3(self.block2(self.block1(self.conv1(banks)))))
        return torch.as_tensor(rows.mean(dim=(2, 3)))


class _Flat(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)

    def forward(self, rows: Tensor) -> Tensor:
        rows = torch.relu(self.bn1(self.conv1(rows)))
        return torch.relu(self.bn2(self.conv2(rows)))


class PictureTower(nn.Module):
    """(clips, 3, frames, h, w) -> (clips, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False),
            nn.BatchNorm3d(64),
            nn.ReLU(),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
        self.conv2x = nn.Sequential(_Solid(64, 64, 1), _Solid(64, 64, 1))
        self.conv3x = nn.Sequential(_Solid(64, 128, 2), _Solid(128, 128, 1))
        self.conv4x = nn.Sequential(_Solid(128, 256, 2), _Solid(256, 256, 1))
        self.conv5x = nn.Sequential(_Solid(256, 512, 2), _Solid(512, 512, 1))

    def forward(self, frames: Tensor) -> Tensor:
        """The mean over time and place."""
        rows = self.conv5x(self.conv4x(self.conv3x(self.conv2x(self.conv1(frames)))))
        return torch.as_tensor(rows.mean(dim=(2, 3, 4)))


class _Solid(nn.Module):
    """A residual block of convolutions over place, then over time."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.spt_conv1 = nn.Conv3d(before, after, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
        self.tmp_conv1 = nn.Conv3d(after, after, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False)
        self.spt_conv2 = nn.Conv3d(after, after, (1, 3, 3), 1, (0, 1, 1), bias=False)
        self.tmp_conv2 = nn.Conv3d(after, after, (3, 1, 1), 1, (1, 0, 0), bias=False)
        self.spt_bn1, self.tmp_bn1, self.spt_bn2, self.out_bn = (nn.BatchNorm3d(after) for _ in range(4))
        if before != after or stride != 1:
            self.res_conv = nn.Conv3d(before, after, 1, stride, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        inner = self.tmp_conv1(torch.relu(self.spt_bn1(self.spt_conv1(rows))))
        inner = self.tmp_conv2(torch.relu(self.spt_bn2(self.spt_conv2(torch.relu(self.tmp_bn1(inner))))))
        kept = self.res_conv(rows) if hasattr(self, "res_conv") else rows
        return torch.relu(self.out_bn(inner + kept))


class Head(nn.Module):
    """(clips, 1024) -> (clips, 1)."""

    def __init__(self, width: int = 512) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(2 * width, width), nn.Dropout(0.0), nn.ReLU(),
            nn.Linear(width, width // 2), nn.Dropout(0.0), nn.ReLU(), nn.Linear(width // 2, 1),
        )  # fmt: skip

    def forward(self, rows: Tensor) -> Tensor:
        """The score."""
        return torch.as_tensor(self.fc(rows))
