// Sliders of the parameters, their possible values, and remedies for impossible ones.

const PARAMETERS = [
  ["i", "input size", 1, 8], ["k", "kernel size", 1, 7], ["s", "stride", 1, 4],
  ["p", "padding", 0, 6], ["a", "output padding", 0, 3], ["d", "dilation", 1, 3],
];

const shapeOf = (values) => [values.length, values[0].length];
const read = (name, axis) => (name === "i" ? shapeOf(state.x)[axis]
  : name === "p" ? state.layers[axis].p[0] : state.layers[axis][name]);

// [input size, layer] of one axis with one parameter changed.
function changedLayer(name, axis, value) {
  const i = name === "i" ? value : shapeOf(state.x)[axis];
  const z = state.layers[axis];
  if (name === "i") return [i, z];
  return [i, { ...z, [name]: name === "p" ? [value, value] : value }];
}

// An array of a new shape; existing values are kept.
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

// One dimension keeps the columns; two give the rows the same parameters.
function useDimensions(number) {
  const [rows, columns] = [trivialRows(state.layers[0].transposed), state.layers[1]];
  if (number === 1) state.layers = [rows, columns];
  state.x = resized(state.x, number === 1 ? [1, state.x[0].length] : [state.x[0].length, state.x[0].length]);
  if (number === 2) state.layers = [structuredClone(columns), columns];
  state.kernel = resized(state.kernel, state.layers.map((z) => z.k));
  $("apart").checked = false;
  state.at = 0;
  show();
}

// Gives the columns the parameters of the rows.
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

function describeAllowed(name, axis) {
  const values = allowed(name, axis);
  if (!values.length) return "no value is possible with the other parameters";
  if (values.length === 1) return `possible: only ${values[0]}`;
  return `possible: ${values[0]} to ${values.at(-1)}`;
}

function problems() {
  const all = state.layers.map((z, axis) => problem(shapeOf(state.x)[axis], z));
  const text = all.find(Boolean) ?? "";
  if (text) return text;
  const shape = state.layers.map((z, axis) => outputSize(shapeOf(state.x)[axis], z));
  return shape[0] * shape[1] <= GIVEN.maxCells ? ""
    : `The output size would be ${by(shape)}, too many cells to draw. Lower i or s.`;
}

// [parameter, axes, nearest possible value] for the button of the problem.
function remedy() {
  const axes = [0, 1].filter((axis) => problem(shapeOf(state.x)[axis], state.layers[axis]));
  if (!axes.length) return ["i", isLine() ? [1] : [0, 1], Math.max(1, Math.min(...shapeOf(state.x)) - 1)];
  const z = state.layers[axes[0]];
  if (z.transposed && z.a >= Math.max(z.s, z.d)) return ["a", axes, Math.max(z.s, z.d) - 1];
  const name = [state.changed, "p", "k"].find((key) => allowed(key, axes[0]).length);
  const away = (v) => Math.abs(v - read(name, axes[0]));
  return [name, axes, allowed(name, axes[0]).reduce((best, v) => (away(v) < away(best) ? v : best))];
}

function buildSliders() {
  $("sliders").innerHTML = PARAMETERS.map(([name, label, low, high]) => {
    const most = Math.max(high, read(name, 0), read(name, 1));
    const input = (axis) => `<input type="range" id="${name}${axis}" min="${low}" max="${most}"
      aria-label="${name}, ${label}${axis ? ", columns" : ""}" aria-describedby="${name}note">`;
    return `<div class="slider" id="${name}slider"><label for="${name}0"><b>${name}</b>${label}
      <output id="${name}value" for="${name}0"></output></label>${input(0)}${input(1)}
      <small id="${name}note"></small></div>`;
  }).join("");
  PARAMETERS.forEach(([name]) => [0, 1].forEach((axis) => {
    $(name + axis).addEventListener("input", (event) => {
      change(name, isLine() ? [1] : $("apart").checked ? [axis] : [0, 1], Number(event.target.value));
    });
  }));
}

function showSliders() {
  const apart = $("apart").checked;
  const line = isLine();
  const axes = line ? [1] : [0, 1];
  PARAMETERS.forEach(([name]) => {
    const values = [read(name, line ? 1 : 0), read(name, 1)];
    values.forEach((value, axis) => { $(name + axis).value = value; });
    $(`${name}1`).hidden = !apart;
    const { p } = state.layers[axes[0]];
    const uneven = name === "p" && p[0] !== p[1];
    $(`${name}value`).textContent = uneven ? p.join(":") : apart ? typeset(by(values)) : values[0];
    const notes = new Set(axes.map((axis) => describeAllowed(name, axis)));
    $(`${name}note`).textContent = [...notes].join("; columns: ");
    const off = name === "a" && !state.layers[0].transposed;
    $(`${name}slider`).classList.toggle("off", off);
    [0, 1].forEach((axis) => { $(name + axis).disabled = off; });
    if (off) $(`${name}note`).textContent = "a direct convolution has none";
  });
  document.querySelectorAll("[name=kind]").forEach((radio) => {
    radio.checked = (radio.value === "transposed") === state.layers[0].transposed;
  });
  document.querySelectorAll("[name=dim]").forEach((radio) => { radio.checked = (radio.value === "1") === line; });
  $("apart").disabled = line;
}
