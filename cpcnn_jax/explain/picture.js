// The layer on larger inputs: a plane of ones, and the picture of the network in color.

const SMALL = [32, 40]; // rows and columns of the picture as an input

// Applies the layer to planes [rows][columns] of numbers; no table is drawn.
function applyLayer(planes, kernel, layers) {
  const shape = [planes[0].length, planes[0][0].length];
  const [rows, columns] = layers.map((z, axis) => range(Math.max(0, outputSize(shape[axis], z))).map(
    (o) => taps(o, z).filter(([, j]) => j >= 0 && j < shape[axis])));
  return planes.map((x) => rows.map((r) => columns.map((c) => r.reduce((sum, [m, j]) => sum
    + c.reduce((part, [mm, jj]) => part + kernel[m][mm] * x[j][jj], 0), 0))));
}

// Paints planes of red, green and blue, 0 to 1, with one pixel for each cell.
function paint(canvas, planes) {
  [canvas.height, canvas.width] = [planes[0].length, planes[0][0].length];
  const draw = canvas.getContext("2d");
  const image = draw.createImageData(canvas.width, canvas.height);
  planes[0].flat().forEach((_, n) => {
    const [r, c] = [Math.floor(n / canvas.width), n % canvas.width];
    planes.forEach((plane, color) => { image.data[4 * n + color] = 255 * plane[r][c]; });
    image.data[4 * n + 3] = 255;
  });
  draw.putImageData(image, 0, 0);
}

// The picture as three planes; the browser reduces it to the size of the input.
async function loadPicture() {
  const image = document.querySelector("#networksection img");
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.height, canvas.width] = SMALL;
  const draw = canvas.getContext("2d");
  draw.imageSmoothingQuality = "high";
  draw.drawImage(image, 0, 0, SMALL[1], SMALL[0]);
  const { data } = draw.getImageData(0, 0, SMALL[1], SMALL[0]);
  state.picture = range(3).map((color) => table(...SMALL, (r, c) => data[4 * (r * SMALL[1] + c) + color] / 255));
  if (state.shown) showPicture(state.shown);
}

// Divides by the mean response, so that the brightness stays; a kernel of mean 0 is gray.
function showPicture(e) {
  $("larger").hidden = !e.transposed || isLine();
  if ($("larger").hidden) return;
  const all = e.response.flat();
  const mean = all.reduce((sum, v) => sum + v, 0) / all.length;
  const most = Math.max(...all.map(Math.abs)) || 1;
  const flat = Math.abs(mean) < 0.05 * most;
  const scaled = (planes, ones) => planes.map((plane) => plane.map((line) => line.map((v) => (
    flat ? 0.5 + v / most / 2 : (ones * v) / mean))));
  const period = table(24, 24, (r, c) => e.response[r % e.response.length][c % e.response[0].length]);
  paint($("pattern"), scaled([period, period, period], 0.5));
  if (!state.picture) return;
  paint($("picturein"), state.picture);
  const output = applyLayer(state.picture, e.kernel, e.layers);
  if (output[0].length && output[0][0].length) paint($("pictureout"), scaled(output, 1));
  $("picturesize").textContent = `${$("pictureout").width}×${$("pictureout").height} cells`;
}
