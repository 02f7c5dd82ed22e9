// The animation's picture, as in drawing.py: the grid below, the output above, four lines.

const RIGHT = [40, 17], DOWN = [-29, 25], GAP = 54, MARGIN = 14;

const at = ([x, y], row, column) => [
  x + column * RIGHT[0] + row * DOWN[0], y + column * RIGHT[1] + row * DOWN[1]];

const tile = (origin, row, column, height = 1, width = 1) => [
  [0, 0], [0, width], [height, width], [height, 0],
].map(([r, c]) => at(origin, row + r, column + c));

// Both planes centred on each other; the box that holds them.
function planes(output, grid) {
  const depth = output[0] + output[1] + grid[0] + grid[1];
  const drop = GAP + 0.35 * depth * DOWN[1];
  const above = at([0, 0], -output[0] / 2, -output[1] / 2);
  const below = at([0, drop], -grid[0] / 2, -grid[1] / 2);
  const corners = [...tile(above, 0, 0, ...output), ...tile(below, 0, 0, ...grid)];
  const [xs, ys] = [0, 1].map((n) => corners.map((corner) => corner[n]));
  const [left, top] = [Math.min(...xs) - MARGIN, Math.min(...ys) - MARGIN];
  const box = [left, top, Math.max(...xs) + MARGIN - left, Math.max(...ys) + MARGIN - top];
  return { above, below, box };
}

const polygon = (points, classes, more = "") => `<polygon class="${classes}" ${more}points="${
  points.map((p) => p.map((v) => v.toFixed(1)).join()).join(" ")}"/>`;

function label([x, y], value, classes) {
  const words = short(value);
  return `<text class="${classes}" x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${
    words.length > 4 ? 10 : words.length > 3 ? 12 : 14}">${words}</text>`;
}

// What a map of the input holds for a cell of the grid.
function valueAt(e, values, r, c) {
  const [row, column] = [r, c].map((q, axis) => {
    const z = e.layers[axis];
    return (q - gridPadding(z)[0]) / (z.transposed ? z.s : 1);
  });
  return values[row][column];
}

function stagePicture(e, row, column) {
  const gridShape = [e.grid.length, e.grid[0].length];
  const { above, below, box } = planes(e.shape, gridShape);
  const cells = { dashed: [], solid: [], numbers: [] };
  const [given, made] = [tints(e.x), tints(e.output)];
  const tinted = (tint) => (tint < 1 ? `style="--tint:${(100 * tint).toFixed(0)}%" ` : "");
  e.roles.forEach((line, r) => line.forEach((role, c) => {
    const kind = role === VALUE ? cells.solid : cells.dashed;
    const tint = role === VALUE ? tinted(valueAt(e, given, r, c)) : "";
    kind.push(polygon(tile(below, r, c), `g${role}`, tint));
    if (role !== PADDING) {
      cells.numbers.push(label(at(below, r + 0.5, c + 0.5), e.grid[r][c], role === VALUE ? "t0" : "t1"));
    }
  }));
  const [rows, columns] = e.layers;
  const [top, left] = [step(rows) * row, step(columns) * column];
  const window = table(rows.k, columns.k, (m, mm) => polygon(
    tile(below, top + rows.d * m, left + columns.d * mm), "window")).flat();
  const ends = tile(above, row, column);
  const rays = tile(below, top, left, extent(rows), extent(columns)).map(([x, y], n) => (
    `<line class="ray" x1="${x}" y1="${y}" x2="${ends[n][0]}" y2="${ends[n][1]}"/>`));
  const current = row * e.shape[1] + column;
  const output = e.output.flatMap((line, r) => line.map((value, c) => {
    const index = r * e.shape[1] + c;
    const now = index === current;
    return polygon(tile(above, r, c), now ? "cell now" : "cell",
      `data-step="${index}" ${tinted(made[r][c])}`)
      + (index <= current ? label(at(above, r + 0.5, c + 0.5), value, now ? "tnow" : "tdone") : "");
  }));
  return `<svg viewBox="${box.map((v) => v.toFixed(1)).join(" ")}" aria-hidden="true">${
    [...cells.dashed, ...cells.solid, ...window, ...cells.numbers, ...rays, ...output].join("")}</svg>`;
}
