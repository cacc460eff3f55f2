"""What the three planes show of a scan: its own grey values, and nothing computed in vain."""

import nibabel
import numpy as np
import pytest

_GREY = """([x, y]) => {
  const { nv } = window.interactivenet.view;
  const grey = new Uint8Array(4);
  nv.drawScene();
  nv.gl.readPixels(x, nv.canvas.height - 1 - y, 1, 1, nv.gl.RGBA, nv.gl.UNSIGNED_BYTE, grey);
  return [...grey];
}"""
#: how often it is drawn, and textures are made that are as large as a scan
_COUNTED = """(window) => {
  const gl = WebGL2RenderingContext.prototype;
  const { drawArrays, texStorage3D } = gl;
  let [drawn, large] = [0, 0];
  gl.drawArrays = function count(...call) { drawn += 1; drawArrays.apply(this, call); };
  gl.texStorage3D = function count(...call) {
    large += Number(call.slice(3).every((size) => size > 2));
    texStorage3D.apply(this, call);
  };
  globalThis.interactivenet.view.window = window;
  Object.assign(gl, { drawArrays, texStorage3D });
  return [drawn, large];
}"""


def grey_at(driven, mm, plane):
    driven.page.evaluate("(mm) => window.interactivenet.view.goTo(mm)", mm)
    x, y = driven.value(f"(({{x, y}}) => [x, y])(view.pixelOf({mm}, {plane}))")
    red, green, blue, _ = driven.page.evaluate(_GREY, [int(x), int(y)])
    assert red == green == blue
    return red


@pytest.mark.parametrize("kind", ["tilted", "straight"])
def test_grey_values_are_those_of_the_scan_in_its_window(driven, server, kind):
    case = driven.fresh(kind)
    image = nibabel.load(server.images / f"{case}.nii.gz")
    voxels = np.asarray(image.dataobj)
    driven.page.evaluate("() => window.interactivenet.work.display.toggle('smooth')")
    parts = ((0, 0.3), (1, 0.4), (2, 0.45), (0, 0.5), (1, 0.6), (2, 0.55))
    places = [[int(part * size) for size in voxels.shape] for _, part in parts]
    values = np.array([voxels[tuple(place)] for place in places], float)
    for window in (None, [values.min() - 1, values.max() + 1]):
        if window:
            driven.page.evaluate("(to) => { window.interactivenet.view.window = to; }", window)
        low, high = driven.value("view.window")
        found = [
            grey_at(driven, (image.affine @ [*place, 1])[:3].tolist(), plane)
            for place, (plane, _) in zip(places, parts, strict=True)
        ]
        np.testing.assert_allclose(found, 255 * ((values - low) / (high - low)).clip(0, 1), atol=2)
    assert max(found) - min(found) > 150


def test_a_window_goes_through_the_voxels_once_and_only_where_it_is_another(driven):
    driven.fresh("tilted")
    slices = driven.value("view.shape[2]")
    assert driven.page.evaluate(_COUNTED, driven.value("view.window")) == [0, 0]
    drawn, large = driven.page.evaluate(_COUNTED, [-1000, 1000])
    assert large == 2  # one of its voxels, one of their greys: none of a gradient
    assert slices < drawn < 1.5 * slices  # each once, and the planes
