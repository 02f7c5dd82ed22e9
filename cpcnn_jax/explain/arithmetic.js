// The arithmetic of one layer, as in explanation.py. A layer is one axis,
// { k, s, p: [low, high], a, d, transposed }.

const VALUE = 0, INSERTED = 1, PADDING = 2;

const range = (n) => Array.from({ length: n }, (_, index) => index);
const table = (rows, columns, value) => range(rows).map((r) => range(columns).map((c) => value(r, c)));
const extent = (z) => z.d * (z.k - 1) + 1;
const step = (z) => (z.transposed ? 1 : z.s);
const stretched = (i, z) => (z.transposed ? z.s * (i - 1) + 1 : i);

// Padding before and after the stretched input; a negative one crops it.
const gridPadding = (z) => (z.transposed
  ? [extent(z) - 1 - z.p[0], extent(z) - 1 - z.p[1] + z.a] : z.p);

const outputSize = (i, z) => (z.transposed
  ? z.s * (i - 1) + z.a + extent(z) - z.p[0] - z.p[1]
  : Math.floor((i + z.p[0] + z.p[1] - extent(z)) / z.s) + 1);

// Explains why a layer is impossible on an input of size i; "" if it is possible.
function problem(i, z) {
  const limit = Math.max(z.s, z.d);
  if (z.transposed && z.a >= limit) {
    return `Output padding a = ${z.a} is impossible: it must be below the larger of the `
      + `stride and the dilation, ${limit}. It selects one of the output sizes that the stride allows.`;
  }
  const o = outputSize(i, z);
  if (o >= 1) return "";
  return z.transposed
    ? `Padding p = ${z.p[0]} crops the whole output away: its size would be ${o}. Lower p.`
    : `The kernel spans ${extent(z)} and the padded input only ${i + z.p[0] + z.p[1]}: `
      + "it fits nowhere. Lower k or d, or raise p.";
}

// (tap, input) pairs of output o, for an infinite input.
function taps(o, z) {
  const start = z.transposed ? o - (extent(z) - 1 - z.p[0]) : z.s * o - z.p[0];
  const between = z.transposed ? z.s : 1;
  return range(z.k).map((m) => [m, start + z.d * m])
    .filter(([, q]) => q % between === 0).map(([m, q]) => [m, q / between]);
}

// The same for cells of the grid, restricted to the input.
function terms(shape, layers, row, column) {
  const [rows, columns] = [row, column].map((o, axis) => taps(o, layers[axis])
    .filter(([, j]) => j >= 0 && j < shape[axis]));
  return rows.flatMap(([m, j]) => columns.map(([mm, jj]) => ({ tap: [m, mm], input: [j, jj] })));
}

function makeGrid(x, layers) {
  const shape = [x.length, x[0].length];
  const pads = layers.map(gridPadding);
  const size = layers.map((z, axis) => stretched(shape[axis], z) + pads[axis][0] + pads[axis][1]);
  const between = layers.map((z) => (z.transposed ? z.s : 1));
  const inputOf = (cell) => cell.map((q, axis) => (q - pads[axis][0]) / between[axis]);
  const role = (r, c) => {
    const place = inputOf([r, c]);
    if (place.some((q, axis) => q < 0 || q > shape[axis] - 1)) return PADDING;
    return place.every(Number.isInteger) ? VALUE : INSERTED;
  };
  const roles = table(size[0], size[1], role);
  const grid = table(size[0], size[1], (r, c) => {
    const [j, jj] = inputOf([r, c]);
    return roles[r][c] === VALUE ? x[j][jj] : 0;
  });
  return { grid, roles };
}

// The definition: the kernel at every position of the grid, with products of zeros.
function slide(grid, kernel, layers, shape) {
  const [rows, columns] = layers;
  return table(shape[0], shape[1], (r, c) => {
    let sum = 0;
    kernel.forEach((line, m) => line.forEach((w, mm) => {
      sum += w * grid[step(rows) * r + rows.d * m][step(columns) * c + columns.d * mm];
    }));
    return sum;
  });
}

// All products, by the direct convolution: its unit j uses input s j - p + d m.
function products(inputShape, shape, layers) {
  const [rows, columns] = layers.map((z, axis) => {
    const [near, far] = z.transposed
      ? [inputShape[axis], shape[axis]] : [shape[axis], inputShape[axis]];
    return range(near).flatMap((j) => range(z.k).map((m) => [j, z.s * j - z.p[0] + z.d * m, m]))
      .filter(([, f]) => f >= 0 && f < far)
      .map(([j, f, m]) => (z.transposed ? [j, f, m] : [f, j, m]));
  });
  return rows.flatMap((r) => columns.map((c) => [0, 1, 2].map((n) => [r[n], c[n]])));
}

const flipped = (kernel) => kernel.map((line) => [...line].reverse()).reverse();
const times = (matrix, vector) => matrix.map((line) => line.reduce(
  (sum, w, n) => sum + w * vector[n], 0));
const transpose = (matrix) => matrix[0].map((_, n) => matrix.map((line) => line[n]));
const folded = (vector, shape) => table(shape[0], shape[1], (r, c) => vector[r * shape[1] + c]);
const ramp = (shape) => table(shape[0], shape[1], (r, c) => 1 + r * shape[1] + c);

// The explanation; null for an impossible layer.
function explain(x, kernel, layers) {
  const inputShape = [x.length, x[0].length];
  if (layers.some((z, axis) => problem(inputShape[axis], z))) return null;
  const { transposed } = layers[0];
  const shape = layers.map((z, axis) => outputSize(inputShape[axis], z));
  const { grid, roles } = makeGrid(x, layers);
  const weights = transposed ? flipped(kernel) : kernel;
  const scattered = table(shape[0], shape[1], () => 0);
  const matrix = table(shape[0] * shape[1], x.flat().length, () => 0);
  products(inputShape, shape, layers).forEach(([i, o, tap]) => {
    const w = weights[tap[0]][tap[1]];
    scattered[o[0]][o[1]] += x[i[0]][i[1]] * w;
    matrix[o[0] * shape[1] + o[1]][i[0] * inputShape[1] + i[1]] = w;
  });
  const direct = transposed ? transpose(matrix) : matrix;
  const original = ramp(transposed ? shape : inputShape);
  const counts = layers.map((z, axis) => range(shape[axis]).reduce((sum, o) => sum
    + taps(o, z).filter(([, j]) => j >= 0 && j < inputShape[axis]).length, 0));
  return {
    x, kernel, layers, shape, inputShape, transposed, grid, roles, scattered, matrix, original,
    output: slide(grid, kernel, layers, shape),
    multiplied: folded(times(matrix, x.flat()), shape),
    response: response(kernel, layers),
    cost: { literal: shape[0] * shape[1] * kernel.flat().length, useful: counts[0] * counts[1] },
    returned: folded(times(transpose(direct), times(direct, original.flat())),
      [original.length, original[0].length]),
  };
}

// Output of each phase for an input of ones, far from the borders.
function response(kernel, layers) {
  const [rows, columns] = layers.map((z) => (z.transposed
    ? range(z.s).map((o) => taps(o, z).map(([m]) => m)) : [range(z.k)]));
  return table(rows.length, columns.length, (r, c) => rows[r].reduce((sum, m) => sum
    + columns[c].reduce((part, mm) => part + kernel[m][mm], 0), 0));
}
