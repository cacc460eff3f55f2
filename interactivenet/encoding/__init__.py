"""Points and images as input channels: how far each voxel is from the points of a prompt."""

from interactivenet.encoding.geodesic import geodesic_distance
from interactivenet.encoding.maps import encode_extent, encode_prompts
from interactivenet.planning.plan import Encoding

__all__ = ["Encoding", "encode_extent", "encode_prompts", "geodesic_distance"]
