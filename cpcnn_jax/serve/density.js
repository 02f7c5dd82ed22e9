// A density map as the server sends it: read, made a picture, made files.

const LONGEST = 1600; // pixels of the map's longer side as it is shown, at most
const INFERNO = [[0, 0, 4], [66, 10, 104], [147, 38, 103], [221, 81, 58], [252, 165, 10], [252, 255, 164]];

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// { width, height, values } of the bytes of a .npy file: float32, row by row.
function densityOf({ width, height }, npy) {
  const start = 10 + npy[8] + 256 * npy[9];
  return { width, height, values: new Float32Array(npy.buffer, start, width * height) };
}

// The mean over squares, so that no side is longer than it is shown.
function reduced({ width, height, values }) {
  const side = Math.ceil(Math.max(width, height) / LONGEST);
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

// People per pixel that are shown as the brightest: one pixel in 500 has more.
function brightest({ values }) {
  const sorted = Float32Array.from(values).sort();
  return Math.max(sorted[Math.floor(0.998 * (sorted.length - 1))], 1e-4);
}

function colour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (INFERNO.length - 1);
  const from = Math.min(Math.floor(place), INFERNO.length - 2);
  return INFERNO[from].map((low, i) => low + (place - from) * (INFERNO[from + 1][i] - low));
}

function paint(canvas, { width, height, values }, most) {
  const table = Array.from({ length: 256 }, (_, i) => colour(i / 255));
  const image = new ImageData(width, height);
  for (let i = 0; i < values.length; i += 1) {
    const level = Math.round(255 * Math.min(Math.max(values[i] / most, 0), 1));
    image.data.set(table[level], 4 * i);
    image.data[4 * i + 3] = 255;
  }
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function offer(link, bytes, name) {
  if (link.href) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.download = name;
}
