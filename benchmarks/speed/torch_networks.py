"""The three networks in PyTorch, written out: torchvision's wheels do not import beside
PyTorch's CPU build. Layer for layer those of keras.applications, held by the number of
parameters. Used by benchmarks.speed.steps only."""

from __future__ import annotations

import torch
from torch import nn


def build(name: str, classes: int) -> nn.Module:
    """Backbone, global average pooling, dropout, dense head; float32 RGB in."""
    features, channels = {
        "alexnet": (_alexnet, 256),
        "vgg16": (_vgg16, 512),
        "inception_v3": (_InceptionV3, 2048),
    }[name]
    return nn.Sequential(
        features(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2),
        nn.Linear(channels, classes),
    )  # fmt: skip


def _alexnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(True), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(True), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(True),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(True),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(3, 2),
    )  # fmt: skip


def _vgg16() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(True)]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


class _Conv(nn.Sequential):
    """Convolution without bias, batch normalization without scale, ReLU."""

    def __init__(self, before: int, after: int, size: tuple[int, int], **options: int):
        padding = options.pop("padding", None)
        norm = nn.BatchNorm2d(after, eps=1e-3)
        norm.weight.requires_grad_(False)
        super().__init__(
            nn.Conv2d(
                before,
                after,
                size,
                padding=(size[0] // 2, size[1] // 2) if padding is None else padding,
                bias=False,
                **options,
            ),
            norm,
            nn.ReLU(True),
        )


class _Branches(nn.Module):
    """Branches side by side, put together along the channels."""

    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def _pooled(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.AvgPool2d(3, 1, 1), _Conv(before, after, (1, 1)))


def _a(before: int, pool: int) -> nn.Module:
    return _Branches(
        _Conv(before, 64, (1, 1)),
        nn.Sequential(_Conv(before, 48, (1, 1)), _Conv(48, 64, (5, 5))),
        nn.Sequential(
            _Conv(before, 64, (1, 1)), _Conv(64, 96, (3, 3)), _Conv(96, 96, (3, 3))
        ),
        _pooled(before, pool),
    )


def _b(before: int) -> nn.Module:
    return _Branches(
        _Conv(before, 384, (3, 3), stride=2, padding=0),
        nn.Sequential(
            _Conv(before, 64, (1, 1)),
            _Conv(64, 96, (3, 3)),
            _Conv(96, 96, (3, 3), stride=2, padding=0),
        ),
        nn.MaxPool2d(3, 2),
    )


def _c(mid: int) -> nn.Module:
    return _Branches(
        _Conv(768, 192, (1, 1)),
        nn.Sequential(
            _Conv(768, mid, (1, 1)), _Conv(mid, mid, (1, 7)), _Conv(mid, 192, (7, 1))
        ),
        nn.Sequential(
            _Conv(768, mid, (1, 1)),
            _Conv(mid, mid, (7, 1)),
            _Conv(mid, mid, (1, 7)),
            _Conv(mid, mid, (7, 1)),
            _Conv(mid, 192, (1, 7)),
        ),
        _pooled(768, 192),
    )


def _d() -> nn.Module:
    return _Branches(
        nn.Sequential(
            _Conv(768, 192, (1, 1)), _Conv(192, 320, (3, 3), stride=2, padding=0)
        ),
        nn.Sequential(
            _Conv(768, 192, (1, 1)),
            _Conv(192, 192, (1, 7)),
            _Conv(192, 192, (7, 1)),
            _Conv(192, 192, (3, 3), stride=2, padding=0),
        ),
        nn.MaxPool2d(3, 2),
    )


def _e(before: int) -> nn.Module:
    def split() -> nn.Module:
        return _Branches(_Conv(384, 384, (1, 3)), _Conv(384, 384, (3, 1)))

    return _Branches(
        _Conv(before, 320, (1, 1)),
        nn.Sequential(_Conv(before, 384, (1, 1)), split()),
        nn.Sequential(_Conv(before, 448, (1, 1)), _Conv(448, 384, (3, 3)), split()),
        _pooled(before, 192),
    )


class _InceptionV3(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            _Conv(3, 32, (3, 3), stride=2, padding=0),
            _Conv(32, 32, (3, 3), padding=0),
            _Conv(32, 64, (3, 3)),
            nn.MaxPool2d(3, 2),
            _Conv(64, 80, (1, 1), padding=0),
            _Conv(80, 192, (3, 3), padding=0),
            nn.MaxPool2d(3, 2),
            *(_a(192, 32), _a(256, 64), _a(288, 64)),
            _b(288),
            *(_c(128), _c(160), _c(160), _c(192)),
            _d(),
            *(_e(1280), _e(2048)),
        )
