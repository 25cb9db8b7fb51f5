"""Make alexnet.npz: what torchvision's AlexNet features say to one picture.

Run once, where PyTorch 2.13.0 (CPU) and NumPy are installed and nothing else is needed:

    python tests/golden/make_alexnet.py ../shared/weights/alexnet_imagenet_features.pth
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

#: name -> (height, width), and the step between the channels that are kept.
SIZES = {"uneven": (127, 159, 1), "official": (224, 224, 8)}


def draw_picture(height: int, width: int) -> np.ndarray:
    """A picture of integers only, so that it is the same on every machine.

    Returns:
        (height, width, 3) uint8: ramps, a coarse grid and rings, different in each
        channel and along each axis.
    """
    y, x = np.mgrid[:height, :width]
    rings = ((x - width // 3) ** 2 + 2 * (y - height // 2) ** 2) // 37
    red = (2 * x + y + 60 * ((x // 16 + y // 24) % 2)) % 256
    green = (rings + 3 * y) % 256
    blue = (255 - x + rings // 5) % 256
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def main(weights: str) -> None:
    """Write the golden file beside this one."""
    import torch
    from torch import nn

    # torchvision.models.alexnet.AlexNet.features, line by line.
    features = nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(64, 192, kernel_size=5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(192, 384, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(256, 256, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
    ).eval()
    state = torch.load(weights, weights_only=True)
    features.load_state_dict({k.removeprefix("features."): v for k, v in state.items()})
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    golden = {}
    for name, (height, width, step) in SIZES.items():
        picture = torch.from_numpy(draw_picture(height, width))
        x = picture.permute(2, 0, 1)[None].float() / 255.0
        with torch.inference_mode():
            y = features((x - mean) / std)[0].permute(1, 2, 0)
        golden[name] = y.numpy()[..., ::step]
        print(
            name, golden[name].shape, "largest", golden[name].max(), torch.__version__
        )
    np.savez_compressed(Path(__file__).with_name("alexnet.npz"), **golden)


if __name__ == "__main__":
    main(sys.argv[1])
