// Tables of numbers, the matrix, and arrow keys.

function tableOf(id, values, { name, kind = () => "", tint = () => 1, editable, grid } = {}) {
  const form = values[0].length > 8 && !editable ? short : number;
  const cell = (value, r, c) => {
    const text = form(value);
    const place = `data-cell="${r},${c}" class="${kind(r, c)}${text.length > 4 ? " long" : ""}" `
      + `style="--tint:${(100 * tint(r, c)).toFixed(0)}%"`;
    if (!editable) return `<td ${place}${grid ? ' tabindex="-1" role="gridcell"' : ""}>${text}</td>`;
    return `<td ${place}><input type="text" inputmode="decimal" autocomplete="off" value="${text}"
      aria-label="${name}, row ${r + 1}, column ${c + 1}"></td>`;
  };
  const element = document.createElement("table");
  element.innerHTML = values.map((line, r) => (
    `<tr>${line.map((v, c) => cell(v, r, c)).join("")}</tr>`)).join("");
  if (values[0].length > 8) element.classList.add(values[0].length > 14 ? "tiny" : "small");
  else if (values.flat().some((v) => form(v).length > 4)) element.classList.add("wide");
  const longest = Math.max(...values.flat().map((v) => form(v).length));
  element.style.setProperty("--longest", longest);
  element.setAttribute("aria-label", name);
  if (grid) element.setAttribute("role", "grid");
  $(id).replaceChildren(element);
}

const cellOf = (id, r, c) => $(id).querySelector(`[data-cell="${r},${c}"]`);
const placeOf = (target) => target.closest?.("[data-cell]")?.dataset.cell.split(",").map(Number);

function mark(id, cells, name) {
  $(id).querySelectorAll(`.${name}`).forEach((cell) => cell.classList.remove(name));
  cells.forEach(([r, c]) => cellOf(id, r, c)?.classList.add(name));
}

function showTables(e) {
  const editing = document.activeElement?.closest("#x, #kernel")?.id;
  const [given, made] = [tints(e.x), tints(e.output)];
  const map = (values) => (r, c) => values[r][c];
  if (editing !== "x") tableOf("x", e.x, { name: "Input", tint: map(given), editable: true });
  if (editing !== "kernel") tableOf("kernel", e.kernel, { name: "Kernel", editable: true });
  tableOf("grid", e.grid, { name: "Grid", kind: (r, c) => `v${e.roles[r][c]}`,
    tint: (r, c) => (e.roles[r][c] === VALUE ? valueAt(e, given, r, c) : 1) });
  tableOf("output", e.output, { name: "Output", tint: map(made), grid: true });
  tableOf("way0", e.output, { name: "Sliding window" });
  tableOf("way1", e.scattered, { name: $("way1name").textContent });
  tableOf("way2", e.multiplied, { name: "Matrix" });
  tableOf("response", e.response, { name: "Response to ones" });
  tableOf("original", e.original, { name: "z" });
  tableOf("returned", e.returned, { name: "C transposed times C z" });
}

function focusOutput() {
  const [r, c] = current();
  cellOf("output", r, c)?.focus();
}

// Arrow keys step in the output and move between numbers in the editable tables.
function moveByArrow(event) {
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const place = placeOf(event.target);
  if (!moves[event.key] || !place || !state.shown) return;
  const inner = event.target.matches("input");
  const all = inner && event.target.selectionStart === 0
    && event.target.selectionEnd === event.target.value.length;
  if (inner && event.key.match(/Left|Right/) && !all) return;
  const [r, c] = place.map((n, axis) => n + moves[event.key][axis]);
  const id = event.target.closest("figure > div").id;
  const next = cellOf(id, r, c);
  if (!next) return;
  event.preventDefault();
  if (inner) next.querySelector("input").select();
  else goTo(r * state.shown.shape[1] + c, true);
}

function showMatrix(e, row) {
  const [height, width] = shapeOf(e.matrix);
  const turned = height > width; // tall matrices are drawn transposed
  const [across, down] = turned ? [height, width] : [width, height];
  const size = Math.max(2, Math.min(14, Math.floor(900 / across)));
  const canvas = $("matrix");
  [canvas.width, canvas.height] = [across * size, down * size];
  const draw = canvas.getContext("2d");
  const [cyan, bright, blue, warm] = ["--cyan", "--bright", "--blue", "--warn-line"].map((name) => {
    canvas.style.color = `var(${name})`; // a canvas cannot evaluate light-dark()
    return getComputedStyle(canvas).color;
  });
  const box = (r, c) => (turned ? [r * size, c * size, size, size] : [c * size, r * size, size, size]);
  const most = Math.max(...e.matrix.flat().map(Math.abs)) || 1;
  e.matrix.forEach((line, r) => {
    line.forEach((value, c) => {
      if (r === row) { draw.fillStyle = cyan; draw.fillRect(...box(r, c)); }
      if (!value) return;
      draw.globalAlpha = 0.25 + 0.75 * Math.abs(value) / most;
      draw.fillStyle = r === row ? bright : value > 0 ? blue : warm;
      draw.fillRect(...box(r, c).map((v, n) => (n < 2 ? v : v - 1)));
      draw.globalAlpha = 1;
    });
  });
  const symbol = e.transposed ? "Cᵀ" : "C";
  const filled = e.matrix.flat().filter((v) => v).length;
  const text = `The matrix ${symbol}, ${by([height, width])}, ${filled} nonzero entries`;
  $("matrixname").textContent = `${typeset(text)}; ${
    turned ? "drawn transposed, one column" : "one row"} for each output`;
  canvas.setAttribute("aria-label", text);
}
