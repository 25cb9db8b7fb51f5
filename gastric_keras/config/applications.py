"""The other networks of keras.applications, by name."""

from __future__ import annotations

from functools import partial

from gastric_keras.config.backbone import Backbone, Deferred

#: (name in Keras, name in a config, module of its preprocessing, side of its ImageNet
#: weights in px, smallest side in px).
_ROWS = (
    ("ConvNeXtTiny", "convnext_tiny", "convnext", 224, 32),
    ("ConvNeXtSmall", "convnext_small", "convnext", 224, 32),
    ("ConvNeXtBase", "convnext_base", "convnext", 224, 32),
    ("ConvNeXtLarge", "convnext_large", "convnext", 224, 32),
    ("ConvNeXtXLarge", "convnext_xlarge", "convnext", 224, 32),
    ("DenseNet121", "densenet121", "densenet", 224, 32),
    ("DenseNet169", "densenet169", "densenet", 224, 32),
    ("DenseNet201", "densenet201", "densenet", 224, 32),
    ("EfficientNetB0", "efficientnet_b0", "efficientnet", 224, 32),
    ("EfficientNetB1", "efficientnet_b1", "efficientnet", 240, 32),
    ("EfficientNetB2", "efficientnet_b2", "efficientnet", 260, 32),
    ("EfficientNetB3", "efficientnet_b3", "efficientnet", 300, 32),
    ("EfficientNetB4", "efficientnet_b4", "efficientnet", 380, 32),
    ("EfficientNetB5", "efficientnet_b5", "efficientnet", 456, 32),
    ("EfficientNetB6", "efficientnet_b6", "efficientnet", 528, 32),
    ("EfficientNetB7", "efficientnet_b7", "efficientnet", 600, 32),
    ("EfficientNetV2B0", "efficientnet_v2_b0", "efficientnet_v2", 224, 32),
    ("EfficientNetV2B1", "efficientnet_v2_b1", "efficientnet_v2", 240, 32),
    ("EfficientNetV2B2", "efficientnet_v2_b2", "efficientnet_v2", 260, 32),
    ("EfficientNetV2B3", "efficientnet_v2_b3", "efficientnet_v2", 300, 32),
    ("EfficientNetV2S", "efficientnet_v2_s", "efficientnet_v2", 384, 32),
    ("EfficientNetV2M", "efficientnet_v2_m", "efficientnet_v2", 480, 32),
    ("EfficientNetV2L", "efficientnet_v2_l", "efficientnet_v2", 480, 32),
    ("InceptionResNetV2", "inception_resnet_v2", "inception_resnet_v2", 299, 75),
    ("MobileNet", "mobilenet", "mobilenet", 224, 32),
    ("MobileNetV2", "mobilenet_v2", "mobilenet_v2", 224, 32),
    ("MobileNetV3Large", "mobilenet_v3_large", "mobilenet_v3", 224, 32),
    ("MobileNetV3Small", "mobilenet_v3_small", "mobilenet_v3", 224, 32),
    ("NASNetLarge", "nasnet_large", "nasnet", 331, 32),
    ("NASNetMobile", "nasnet_mobile", "nasnet", 224, 32),
    ("ResNet50", "resnet50", "resnet", 224, 32),
    ("ResNet101", "resnet101", "resnet", 224, 32),
    ("ResNet152", "resnet152", "resnet", 224, 32),
    ("ResNet50V2", "resnet50_v2", "resnet_v2", 224, 32),
    ("ResNet101V2", "resnet101_v2", "resnet_v2", 224, 32),
    ("ResNet152V2", "resnet152_v2", "resnet_v2", 224, 32),
    ("VGG19", "vgg19", "vgg19", 224, 32),
    ("Xception", "xception", "xception", 299, 71),
)

#: Name in a config -> the network. Which layers are drawn and probed is found from it.
APPLICATIONS: dict[str, Backbone] = {
    name: Backbone(
        title=title,
        build=partial(
            Deferred("gastric_keras.models.applications:build_application"), title
        ),
        preprocess=Deferred(f"keras.applications.{module}:preprocess_input"),
        image_size=image_size,
        smallest_size=smallest_size,
        imagenet="keras",
    )
    for title, name, module, image_size, smallest_size in _ROWS
}
