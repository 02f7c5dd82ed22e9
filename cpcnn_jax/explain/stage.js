// One frame of the animation, as in drawing.py.

const RIGHT = [40, 17], DOWN = [-29, 25], GAP = 54, MARGIN = 14;

const at = ([x, y], row, column) => [
  x + column * RIGHT[0] + row * DOWN[0], y + column * RIGHT[1] + row * DOWN[1]];

const tile = (origin, row, column, height = 1, width = 1) => [
  [0, 0], [0, width], [height, width], [height, 0],
].map(([r, c]) => at(origin, row + r, column + c));

// Origins of both planes, centered, and their bounding box.
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
  const text = short(value);
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

function drawStage(e, row, column) {
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
    const isCurrent = index === current;
    return polygon(tile(above, r, c), isCurrent ? "cell now" : "cell",
      `data-step="${index}" ${tinted(made[r][c])}`)
      + (index <= current ? label(at(above, r + 0.5, c + 0.5), value, isCurrent ? "tnow" : "tdone") : "");
  }));
  return `<svg viewBox="${box.map((v) => v.toFixed(1)).join(" ")}" aria-hidden="true">${
    [...cells.dashed, ...cells.solid, ...window, ...cells.numbers, ...rays, ...output].join("")}</svg>`;
}
