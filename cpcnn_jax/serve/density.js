// A density map of the server: decoded, drawn, offered as files.

const MAX_SIDE = 1600; // pixels of the drawn map's longer side
const INFERNO = [[0, 0, 4], [66, 10, 104], [147, 38, 103], [221, 81, 58], [252, 165, 10], [252, 255, 164]];

function decodeBase64(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// Decodes the bytes of a .npy file, float32 row by row, to { width, height, values }.
function decodeDensity({ width, height }, npy) {
  const start = 10 + npy[8] + 256 * npy[9];
  return { width, height, values: new Float32Array(npy.buffer, start, width * height) };
}

// Averages over squares, so that no side is longer than MAX_SIDE.
function downsample({ width, height, values }) {
  const side = Math.ceil(Math.max(width, height) / MAX_SIDE);
  if (side === 1) return { width, height, values };
  const [columns, rows] = [Math.floor(width / side), Math.floor(height / side)];
  const means = new Float32Array(columns * rows);
  for (let y = 0; y < rows * side; y += 1) {
    const row = Math.floor(y / side) * columns;
    for (let x = 0; x < columns * side; x += 1) {
      means[row + Math.floor(x / side)] += values[y * width + x] / side ** 2;
    }
  }
  return { width: columns, height: rows, values: means };
}

// People per pixel of the brightest color: one pixel in 500 has more.
function colorMaximum({ values }) {
  const sorted = Float32Array.from(values).sort();
  return Math.max(sorted[Math.floor(0.998 * (sorted.length - 1))], 1e-4);
}

function colorOf(fraction) {
  const place = Math.min(Math.max(fraction, 0), 1) * (INFERNO.length - 1);
  const index = Math.min(Math.floor(place), INFERNO.length - 2);
  return INFERNO[index].map((low, i) => low + (place - index) * (INFERNO[index + 1][i] - low));
}

function drawMap(canvas, { width, height, values }, maximum) {
  const colors = Array.from({ length: 256 }, (_, i) => colorOf(i / 255));
  const image = new ImageData(width, height);
  for (let i = 0; i < values.length; i += 1) {
    const level = Math.round(255 * Math.min(Math.max(values[i] / maximum, 0), 1));
    image.data.set(colors[level], 4 * i);
    image.data[4 * i + 3] = 255;
  }
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}
