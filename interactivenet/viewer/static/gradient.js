// Spares what NiiVue computes for 3D pictures alone.

/**
 * NiiVue filters the whole scan, into two textures of its size, when it is opened and whenever its
 * window changes: for 3D pictures, of which there are none here. Without a graphics card that takes
 * nine tenths of the time. From its first shader to the end of its framebuffer nothing is drawn.
 */
export function leaveOutGradient(nv) {
  const { gl, blurShader } = nv;
  const texture = nv.rgbaTex.bind(nv);
  const units = [gl.TEXTURE6, gl.TEXTURE8]; // of the gradient, and of what it is made of
  nv.rgbaTex = (old, unit, dims, ...more) =>
    texture(old, unit, units.includes(unit) ? [2, 2, 2, 2] : dims, ...more);
  const idle = {
    framebufferTextureLayer() {},
    drawArrays() {},
    checkFramebufferStatus: () => gl.FRAMEBUFFER_COMPLETE,
    deleteFramebuffer(buffer) {
      for (const name of Object.keys(idle)) delete gl[name];
      gl.deleteFramebuffer(buffer);
    },
  };
  const use = () => {
    blurShader.use(gl);
    Object.assign(gl, idle);
  };
  nv.blurShader = Object.create(blurShader, { use: { value: use } });
}
