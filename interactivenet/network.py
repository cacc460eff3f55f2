"""The U-Net that a plan describes."""

from __future__ import annotations

from monai.networks.nets import DynUNet

from interactivenet.plan import Network
from interactivenet.topology import CLASSES


def build_network(network: Network, channels: int) -> DynUNet:
    """Build the network: input (B, channels, X, Y, Z), output (B, 2, X, Y, Z).

    channels: of a sample, the map included.  X, Y, Z: divisible by ``network.divisor`` and at
    least ``network.smallest``. While training, the output is (B, 1 + deep_supervision, 2, X, Y,
    Z), the full resolution first.
    """
    return DynUNet(
        spatial_dims=3,
        in_channels=channels,
        out_channels=CLASSES,
        kernel_size=network.kernels,
        strides=network.strides,
        upsample_kernel_size=network.strides[1:],
        filters=network.features,
        norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
        deep_supervision=True,
        deep_supr_num=network.deep_supervision,
        res_block=network.residual,
    )
