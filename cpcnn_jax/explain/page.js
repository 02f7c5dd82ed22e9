// The page: one state, one `show`. Everything that is seen follows from the state.

const $ = (id) => document.getElementById(id);
const PARAMETERS = [
  ["i", "input size", 1, 8], ["k", "kernel size", 1, 7], ["s", "stride", 1, 4],
  ["p", "padding", 0, 6], ["a", "output padding", 0, 3], ["d", "dilation", 1, 3],
];
const state = structuredClone(GIVEN.start);
Object.assign(state, { at: 0, peek: null, timer: null, changed: "k", shown: null });

// --- parameters ---

const shapeOf = (values) => [values.length, values[0].length];
const read = (name, axis) => (name === "i" ? shapeOf(state.x)[axis]
  : name === "p" ? state.layers[axis].p[0] : state.layers[axis][name]);

// The state's layer along one axis with one parameter changed, and the input's size.
function changedLayer(name, axis, value) {
  const i = name === "i" ? value : shapeOf(state.x)[axis];
  const z = state.layers[axis];
  if (name === "i") return [i, z];
  return [i, { ...z, [name]: name === "p" ? [value, value] : value }];
}

// New values keep the old ones where there were some.
const resized = (values, shape) => {
  const fresh = ramp(shape);
  const keep = (r, c) => values[r]?.[c] ?? fresh[r][c];
  const counts = values.flat().every((v, n) => v === n + 1);
  return counts ? fresh : table(shape[0], shape[1], keep);
};

function change(name, axes, value) {
  axes.forEach((axis) => { [, state.layers[axis]] = changedLayer(name, axis, value); });
  if (name === "i") state.x = resized(state.x, shapeOf(state.x).map((n, axis) => (axes.includes(axis) ? value : n)));
  if (name === "k") state.kernel = resized(state.kernel, state.layers.map((z) => z.k));
  state.changed = name;
  show();
}

// Columns become as rows are.
function join() {
  state.layers[1] = structuredClone(state.layers[0]);
  state.x = resized(state.x, [state.x.length, state.x.length]);
  state.kernel = resized(state.kernel, state.layers.map((z) => z.k));
  show();
}

function allowed(name, axis) {
  const [, , low, high] = PARAMETERS.find(([key]) => key === name);
  return range(Math.max(high, read(name, axis)) + 1).filter((v) => v >= low)
    .filter((v) => !problem(...changedLayer(name, axis, v)));
}

function allowedWords(name, axis) {
  const values = allowed(name, axis);
  if (!values.length) return "no value is possible with these others";
  if (values.length === 1) return `possible: only ${values[0]}`;
  return `possible: ${values[0]} to ${values.at(-1)}`;
}

function problems() {
  const found = state.layers.map((z, axis) => problem(shapeOf(state.x)[axis], z));
  const text = found.find((words) => words) ?? "";
  if (text) return text;
  const shape = state.layers.map((z, axis) => outputSize(shapeOf(state.x)[axis], z));
  return shape[0] * shape[1] <= MAX_CELLS ? ""
    : `The output would be ${by(shape)}, too many cells to draw. Lower i or s.`;
}

// What the button of the problem does: the nearest possible value of a parameter.
function remedy() {
  const axes = [0, 1].filter((axis) => problem(shapeOf(state.x)[axis], state.layers[axis]));
  if (!axes.length) return ["i", [0, 1], Math.max(1, Math.min(...shapeOf(state.x)) - 1)];
  const z = state.layers[axes[0]];
  if (z.transposed && z.a >= Math.max(z.s, z.d)) return ["a", axes, Math.max(z.s, z.d) - 1];
  const name = [state.changed, "p", "k"].find((key) => allowed(key, axes[0]).length);
  const away = (v) => Math.abs(v - read(name, axes[0]));
  return [name, axes, allowed(name, axes[0]).reduce((best, v) => (away(v) < away(best) ? v : best))];
}

function buildSliders() {
  $("sliders").innerHTML = PARAMETERS.map(([name, words, low, high]) => {
    const most = Math.max(high, read(name, 0), read(name, 1));
    const input = (axis) => `<input type="range" id="${name}${axis}" min="${low}" max="${most}"
      aria-label="${name}, ${words}${axis ? ", columns" : ""}" aria-describedby="${name}note">`;
    return `<div class="slider" id="${name}slider"><label for="${name}0"><b>${name}</b>${words}
      <output id="${name}value" for="${name}0"></output></label>${input(0)}${input(1)}
      <small id="${name}note"></small></div>`;
  }).join("");
  PARAMETERS.forEach(([name]) => [0, 1].forEach((axis) => {
    $(name + axis).addEventListener("input", (event) => {
      change(name, $("apart").checked ? [axis] : [0, 1], Number(event.target.value));
    });
  }));
}

function showSliders() {
  const apart = $("apart").checked;
  PARAMETERS.forEach(([name]) => {
    const values = [read(name, 0), read(name, 1)];
    values.forEach((value, axis) => { $(name + axis).value = value; });
    $(`${name}1`).hidden = !apart;
    const { p } = state.layers[0];
    const uneven = name === "p" && p[0] !== p[1];
    $(`${name}value`).textContent = uneven ? p.join(":") : apart ? typeset(by(values)) : values[0];
    const notes = new Set([0, 1].map((axis) => allowedWords(name, axis)));
    $(`${name}note`).textContent = [...notes].join("; columns: ");
    const off = name === "a" && !state.layers[0].transposed;
    $(`${name}slider`).classList.toggle("off", off);
    [0, 1].forEach((axis) => { $(name + axis).disabled = off; });
    if (off) $(`${name}note`).textContent = "a direct convolution has none";
  });
  document.querySelectorAll("[name=kind]").forEach((radio) => {
    radio.checked = (radio.value === "transposed") === state.layers[0].transposed;
  });
}

// --- tables ---

function tableOf(id, values, { name, kind = () => "", tint = () => 1, editable, grid } = {}) {
  const form = values[0].length > 8 && !editable ? short : number;
  const cell = (value, r, c) => {
    const words = form(value);
    const place = `data-cell="${r},${c}" class="${kind(r, c)}${words.length > 4 ? " long" : ""}" `
      + `style="--tint:${(100 * tint(r, c)).toFixed(0)}%"`;
    if (!editable) return `<td ${place}${grid ? ' tabindex="-1" role="gridcell"' : ""}>${words}</td>`;
    return `<td ${place}><input type="text" inputmode="decimal" autocomplete="off" value="${words}"
      aria-label="${name}, row ${r + 1}, column ${c + 1}"></td>`;
  };
  const element = document.createElement("table");
  element.innerHTML = values.map((line, r) => (
    `<tr>${line.map((v, c) => cell(v, r, c)).join("")}</tr>`)).join("");
  if (values[0].length > 8) element.classList.add(values[0].length > 14 ? "tiny" : "small");
  else if (values.flat().some((v) => form(v).length > 5)) element.classList.add("wide");
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

// Arrow keys: in the output they step, in the editable tables they go to the next number.
function arrows(event) {
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

// --- what is shown ---

const current = () => {
  const index = state.peek ?? state.at;
  return [Math.floor(index / state.shown.shape[1]), index % state.shown.shape[1]];
};

function show() {
  const text = problems();
  $("problem").hidden = !text;
  document.body.classList.toggle("stale", Boolean(text));
  showSliders();
  if (text) {
    stop();
    $("preset").value = "";
    $("problem").firstElementChild.textContent = typeset(text);
    const [name, , value] = remedy();
    $("problem").lastElementChild.textContent = `Set ${name} = ${value}`;
    return;
  }
  const e = explain(state.x, state.kernel, state.layers);
  state.shown = e;
  state.peek = null;
  const last = e.shape[0] * e.shape[1] - 1;
  state.at = Math.min(state.at, last);
  $("scrub").max = last;
  showWords(e);
  showTables(e);
  showStep();
}

// Python's plain letters, as they are set in print.
const typeset = (words) => words.replaceAll("*", " · ").replace(/(\d)x(?=\d)/g, "$1×")
  .replaceAll("C^T", "Cᵀ").replaceAll(" - ", " − ");

function showWords(e) {
  $("preset").value = presetOf(e);
  $("sentence").textContent = typeset(sentence(e));
  $("formula").replaceChildren(...formulas(e).map((line) => {
    const span = document.createElement("span");
    span.textContent = typeset(line);
    return span;
  }));
  $("way1name").textContent = e.transposed ? "Stamps added up" : "Products added up";
  $("way2name").textContent = e.transposed ? "Cᵀ x" : "C x";
  const apart = difference(e);
  $("difference").textContent = apart === 0 ? "The difference is 0."
    : `They differ by at most ${number(apart)}, which is rounding.`;
  ["phasesection", "codesection", "namesection"].forEach((id) => { $(id).hidden = !e.transposed; });
  const ratio = checkerboard(e);
  $("phasewords").textContent = `An output's row and column modulo the stride are its phase; `
    + `each phase sees other taps of the kernel. Largest over smallest response: `
    + `${Number.isFinite(ratio) ? number(ratio) : "infinite"}, ${ratio === 1 ? "no checkerboard." : "a checkerboard."}`;
  const { literal, useful } = e.cost;
  const share = useful / literal;
  $("costwords").textContent = `Sliding over the zeros too takes ${literal} multiplications for a pair `
    + `of channels; ${useful} of them (${Math.round(100 * share)} %) meet a true input value.`;
  $("useful").style.width = `${100 * share}%`;
  $("name").textContent = typeset(nameWords(e));
  showCode(e);
}

function showCode(e) {
  if (e.transposed) $("code").textContent = calls(e)[$("library").value];
}

function showStep() {
  const e = state.shown;
  const [r, c] = current();
  const words = outputSum(e, r, c);
  $("stage").innerHTML = stagePicture(e, r, c);
  $("stage").setAttribute("aria-label", words);
  const cut = words.lastIndexOf("=");
  $("sum").innerHTML = `${typeset(words.slice(0, cut))}<b>${words.slice(cut)}</b>`;
  if (!state.timer) $("spoken").textContent = spokenSum(e, r, c);
  const total = e.shape[0] * e.shape[1];
  const index = r * e.shape[1] + c;
  $("scrub").value = index;
  $("scrub").setAttribute("aria-valuetext", words);
  $("count").textContent = `${index + 1} of ${total}`;
  const used = terms(e.inputShape, e.layers, r, c);
  mark("x", used.map(({ input }) => input), "lit");
  mark("kernel", used.map(({ tap }) => tap), "lit");
  const [rows, columns] = e.layers;
  mark("grid", table(rows.k, columns.k, (m, mm) => [
    step(rows) * r + rows.d * m, step(columns) * c + columns.d * mm]).flat(), "under");
  mark("output", [[r, c]], "now");
  mark("output", [], "stamped");
  $("output").querySelectorAll("td").forEach((td) => { td.tabIndex = -1; });
  cellOf("output", r, c).tabIndex = 0;
  showMatrix(e, index);
}

function showMatrix(e, row) {
  const [height, width] = shapeOf(e.matrix);
  const turned = height > width; // long matrices lie on their side
  const [across, down] = turned ? [height, width] : [width, height];
  const size = Math.max(2, Math.min(14, Math.floor(900 / across)));
  const canvas = $("matrix");
  [canvas.width, canvas.height] = [across * size, down * size];
  const draw = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name);
  const box = (r, c) => (turned ? [r * size, c * size, size, size] : [c * size, r * size, size, size]);
  const most = Math.max(...e.matrix.flat().map(Math.abs)) || 1;
  e.matrix.forEach((line, r) => {
    line.forEach((value, c) => {
      if (r === row) { draw.fillStyle = color("--cyan"); draw.fillRect(...box(r, c)); }
      if (!value) return;
      draw.globalAlpha = 0.25 + 0.75 * Math.abs(value) / most;
      draw.fillStyle = color(r === row ? "--bright" : value > 0 ? "--blue" : "--warn-line");
      draw.fillRect(...box(r, c).map((v, n) => (n < 2 ? v : v - 1)));
      draw.globalAlpha = 1;
    });
  });
  const symbol = e.transposed ? "Cᵀ" : "C";
  const filled = e.matrix.flat().filter((v) => v).length;
  const words = `The matrix ${symbol}, ${by([height, width])}, ${filled} entries that are not zero`;
  $("matrixname").textContent = `${typeset(words)}; ${
    turned ? "drawn on its side, a column" : "a row"} for each output`;
  canvas.setAttribute("aria-label", words);
}

// --- playing ---

function goTo(index, focus = false) {
  const total = state.shown.shape[0] * state.shown.shape[1];
  state.at = (index + total) % total;
  state.peek = null;
  showStep();
  if (focus) focusOutput();
}

function stop() {
  clearInterval(state.timer);
  state.timer = null;
  $("play").textContent = "Play";
}

function play() {
  stop();
  state.timer = setInterval(() => goTo(state.at + 1), 1000 / Number($("speed").value));
  $("play").textContent = "Pause";
}

// --- events ---

function usePreset(name) {
  const { layers, size } = GIVEN.animations[name];
  state.layers = structuredClone(layers);
  state.x = ramp(size);
  state.kernel = ramp(layers.map((z) => z.k));
  state.at = 0;
  $("apart").checked = false;
  show();
}

// The example that the state is, if it is one.
const presetOf = (e) => Object.keys(GIVEN.animations).find((name) => {
  const { layers, size } = GIVEN.animations[name];
  const plain = (list) => JSON.stringify(list.map((z) => Object.entries(z).sort()));
  return plain(layers) === plain(e.layers) && by(size) === by(e.inputShape);
}) ?? "";

function fill(what) {
  const [target, kind] = what.split(" ");
  const shape = shapeOf(state[target]);
  // A triangle as wide as the kernel: for k = 2s - s mod 2 that is linear interpolation.
  const triangle = (n, k) => 1 - Math.abs(n - (k - 1) / 2) / Math.ceil(k / 2);
  const value = { ramp: (r, c) => 1 + r * shape[1] + c, ones: () => 1,
    bilinear: (r, c) => triangle(r, shape[0]) * triangle(c, shape[1]) };
  state[target] = table(shape[0], shape[1], value[kind]);
  show();
}

function edit(event) {
  const place = placeOf(event.target);
  const id = event.target.closest("#x, #kernel").id;
  const text = event.target.value.trim().replace(",", ".");
  const bad = text === "" || !Number.isFinite(Number(text));
  event.target.classList.toggle("bad", bad);
  event.target.setAttribute("aria-invalid", bad);
  if (bad) return;
  state[id] = state[id].map((line) => [...line]);
  state[id][place[0]][place[1]] = Number(text);
  show();
}

function listen() {
  $("play").addEventListener("click", () => (state.timer ? stop() : play()));
  $("first").addEventListener("click", () => { stop(); goTo(0); });
  $("back").addEventListener("click", () => { stop(); goTo(state.at - 1); });
  $("next").addEventListener("click", () => { stop(); goTo(state.at + 1); });
  $("scrub").addEventListener("input", (event) => { stop(); goTo(Number(event.target.value)); });
  $("speed").addEventListener("change", () => state.timer && play());
  $("preset").addEventListener("change", (event) => event.target.value && usePreset(event.target.value));
  $("library").addEventListener("change", () => showCode(state.shown));
  $("apart").addEventListener("change", (event) => (event.target.checked ? showSliders() : join()));
  $("problem").lastElementChild.addEventListener("click", () => change(...remedy()));
  document.querySelectorAll("[name=kind]").forEach((radio) => radio.addEventListener("change", () => {
    state.layers.forEach((z) => { z.transposed = radio.value === "transposed"; });
    state.changed = "p";
    show();
  }));
  document.querySelectorAll("[data-fill]").forEach((button) => {
    button.addEventListener("click", () => fill(button.dataset.fill));
  });
  ["x", "kernel"].forEach((id) => {
    $(id).addEventListener("input", edit);
    $(id).addEventListener("focusin", (event) => event.target.select?.());
  });
  document.addEventListener("keydown", arrows);
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target.closest("button, input, select, textarea")) return;
    event.preventDefault();
    $("play").click();
  });
  listenToPointing();
}

function listenToPointing() {
  const peek = (index) => { state.peek = index; if (state.shown) showStep(); };
  $("stage").addEventListener("pointerover", (event) => {
    const index = event.target.dataset?.step;
    if (index !== undefined && Number(index) !== state.peek && !state.timer) peek(Number(index));
  });
  $("stage").addEventListener("pointerleave", () => !state.timer && peek(null));
  $("stage").addEventListener("click", (event) => {
    if (event.target.dataset?.step) { stop(); goTo(Number(event.target.dataset.step)); }
  });
  const index = (event) => {
    const place = placeOf(event.target);
    return place ? place[0] * state.shown.shape[1] + place[1] : null;
  };
  $("output").addEventListener("pointerover", (event) => {
    if (placeOf(event.target) && !state.timer) peek(index(event));
  });
  $("output").addEventListener("pointerleave", () => !state.timer && peek(null));
  $("output").addEventListener("click", (event) => {
    if (placeOf(event.target)) { stop(); goTo(index(event), true); }
  });
  $("output").addEventListener("focusin", (event) => {
    if (placeOf(event.target) && index(event) !== state.at) { stop(); goTo(index(event)); }
  });
  $("x").addEventListener("pointerover", (event) => {
    const place = placeOf(event.target);
    if (!place) return;
    const column = place[0] * state.shown.inputShape[1] + place[1];
    const width = state.shown.shape[1];
    mark("output", state.shown.matrix.flatMap((line, o) => (
      line[column] ? [[Math.floor(o / width), o % width]] : [])), "stamped");
  });
  $("x").addEventListener("pointerleave", () => mark("output", [], "stamped"));
}

function useTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", dark);
  if (state.shown) showStep();
}

function start() {
  const night = matchMedia("(prefers-color-scheme: dark)");
  useTheme(night.matches);
  night.addEventListener("change", () => useTheme(night.matches));
  $("theme").addEventListener("click", () => useTheme(document.documentElement.dataset.theme !== "dark"));
  $("preset").append(...Object.keys(GIVEN.animations).map((name) => new Option(name.replaceAll("_", " "), name)));
  $("library").append(...Object.keys(GIVEN.calls).map((name) => new Option(name)));
  $("library").value = "torch";
  $("credit").textContent = GIVEN.credit;
  const [rows, columns] = state.layers;
  $("apart").checked = JSON.stringify(rows) !== JSON.stringify(columns)
    || state.x.length !== state.x[0].length;
  buildSliders();
  listen();
  show();
}

start();
