// One frame of the animation, as in drawing.py.

const TILTED = [[40, 17], [-29, 25]], FLAT = [[48, 0], [0, 48]]; // of a column, of a row
const GAP = 54, MARGIN = 14, TAP = [36, 26];

// A plane of cells: position of (row, column), and corners of a rectangle of cells.
function plane([x, y], [right, down]) {
  const at = (row, column) => [
    x + column * right[0] + row * down[0], y + column * right[1] + row * down[1]];
  const tile = (row, column, height = 1, width = 1) => [
    [0, 0], [0, width], [height, width], [height, 0],
  ].map(([r, c]) => at(row + r, column + c));
  return { at, tile };
}

// Both planes, centered, the kernel beside them, and their bounding box.
function planes(e) {
  const line = oneDimensional(e.inputShape, e.layers);
  const axes = line ? FLAT : TILTED;
  const grid = [e.grid.length, e.grid[0].length];
  const depth = e.shape[0] + e.shape[1] + grid[0] + grid[1];
  const drop = GAP + axes[1][1] * (line ? 1 : 0.35 * depth);
  const center = (shape) => plane([0, 0], axes).at(-shape[0] / 2, -shape[1] / 2);
  const [left, top] = center(grid);
  const above = plane(center(e.shape), axes);
  const below = plane([left, top + drop], axes);
  const corners = [...above.tile(0, 0, ...e.shape), ...below.tile(0, 0, grid[0] + (line ? 0.6 : 0), grid[1])];
  const [xs, ys] = [0, 1].map((n) => corners.map((corner) => corner[n]));
  const width = TAP[0] * Math.max(2, e.kernel[0].length);
  const most = Math.max(...xs);
  const beyond = Math.max(...above.tile(0, 0, ...e.shape).map(([x]) => x)) + 14;
  const start = line ? [Math.min(...xs), Math.max(...ys) + 36]
    : [Math.max(beyond, most - width), Math.min(...ys) + 18];
  const end = [Math.max(start[0] + width, most), start[1] + TAP[1] * e.kernel.length];
  const [x, y] = [Math.min(...xs) - MARGIN, Math.min(...ys) - MARGIN];
  const box = [x, y, end[0] + MARGIN - x, Math.max(...ys, end[1]) + MARGIN - y];
  return { line, above, below, beside: plane(start, [[TAP[0], 0], [0, TAP[1]]]), box };
}

const polygon = (points, classes, more = "") => `<polygon class="${classes}" ${more}points="${
  points.map((p) => p.map((v) => v.toFixed(1)).join()).join(" ")}"/>`;

const stroke = (from, to, classes) => `<line class="${classes}" x1="${from[0].toFixed(1)}" y1="${
  from[1].toFixed(1)}" x2="${to[0].toFixed(1)}" y2="${to[1].toFixed(1)}"/>`;

function label([x, y], value, classes) {
  const text = typeof value === "string" ? value : short(value);
  return `<text class="${classes}" x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${
    text.length > 4 ? 10 : text.length > 3 ? 12 : 14}">${text}</text>`;
}

// Value of an array of the input's shape at a cell of the grid.
function valueAt(e, values, r, c) {
  const [row, column] = [r, c].map((q, axis) => {
    const z = e.layers[axis];
    return (q - gridPadding(z)[0]) / (z.transposed ? z.s : 1);
  });
  return values[row][column];
}

const tinted = (tint) => (tint < 1 ? `style="--tint:${(100 * tint).toFixed(0)}%" ` : "");

// Padding is dashed and empty, inserted zeros are hatched, inputs are filled.
function drawGrid(e, { at, tile }) {
  const given = tints(e.x);
  const layers = [[], [], []];
  e.roles.forEach((line, r) => line.forEach((role, c) => {
    const tint = role === VALUE ? tinted(valueAt(e, given, r, c)) : "";
    layers[role].push(polygon(tile(r, c), `g${role}`, tint));
    if (role !== INSERTED) return;
    [0.3, 0.6].forEach((t) => layers[role].push(
      stroke(at(r + t, c), at(r, c + t), "hatch"), stroke(at(r + 1 - t, c + 1), at(r + 1, c + 1 - t), "hatch")));
  }));
  return [...layers[PADDING], ...layers[INSERTED], ...layers[VALUE]];
}

function drawNumbers(e, { at }) {
  return e.roles.flatMap((line, r) => line.map((role, c) => (role === PADDING ? ""
    : label(at(r + 0.5, c + 0.5), e.grid[r][c], role === VALUE ? "t0" : "t1"))));
}

function drawWindow(e, { line, above, below }, row, column) {
  const [rows, columns] = e.layers;
  const [top, left] = [step(rows) * row, step(columns) * column];
  const cells = table(rows.k, columns.k, (m, mm) => {
    const [r, c] = [top + rows.d * m, left + columns.d * mm];
    return polygon(below.tile(r, c), "window")
      + (line ? label(below.at(r + 1.35, c + 0.5), `× ${short(e.kernel[m][mm])}`, "t2") : "");
  }).flat();
  const from = below.tile(top, left, extent(rows), extent(columns));
  const to = above.tile(row, column);
  const pairs = line ? [[from[0], to[3]], [from[1], to[2]]] : from.map((corner, n) => [corner, to[n]]);
  return [cells, pairs.map(([a, b]) => stroke(a, b, "ray"))];
}

// The kernel's numbers; those that meet an input value are filled.
function drawKernel(e, { at, tile }, row, column) {
  const used = new Set(terms(e.inputShape, e.layers, row, column).map(({ tap }) => tap.join()));
  return [`<text class="t2 word" x="${at(0, 0)[0]}" y="${at(0, 0)[1] - 10}" font-size="13">kernel</text>`,
    ...e.kernel.flatMap((line, m) => line.map((value, mm) => polygon(tile(m, mm), used.has(`${m},${mm}`) ? "tap used" : "tap")
      + label(at(m + 0.5, mm + 0.5), value, used.has(`${m},${mm}`) ? "t0" : "t2")))];
}

function drawOutput(e, { at, tile }, row, column) {
  const made = tints(e.output);
  const current = row * e.shape[1] + column;
  return e.output.flatMap((line, r) => line.map((value, c) => {
    const index = r * e.shape[1] + c;
    const isCurrent = index === current;
    return polygon(tile(r, c), isCurrent ? "cell now" : "cell",
      `data-step="${index}" ${tinted(made[r][c])}`)
      + (index <= current ? label(at(r + 0.5, c + 0.5), value, isCurrent ? "tnow" : "tdone") : "");
  }));
}

function drawStage(e, row, column) {
  const all = planes(e);
  const [window, rays] = drawWindow(e, all, row, column);
  return `<svg${all.line ? ' class="flat"' : ""} viewBox="${all.box.map((v) => v.toFixed(1)).join(" ")}" aria-hidden="true">${
    [...drawGrid(e, all.below), ...window, ...drawNumbers(e, all.below), ...rays,
      ...drawOutput(e, all.above, row, column), ...drawKernel(e, all.beside, row, column)].join("")}</svg>`;
}
