"""A viewer in the browser: images, six points, an outline, corrections, files of all of it."""
