// The page: one state and one function `show` that renders it.

const $ = (id) => document.getElementById(id);
const state = structuredClone(GIVEN.start);
Object.assign(state, { at: 0, peek: null, timer: null, changed: "k", shown: null });

// --- rendering ---

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
  showTexts(e);
  showTables(e);
  showStep();
}

// Replaces ASCII notation by typographic symbols.
const typeset = (text) => text.replaceAll("*", " · ").replace(/(\d)x(?=\d)/g, "$1×")
  .replaceAll("C^T", "Cᵀ").replaceAll(" - ", " − ");

function showTexts(e) {
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
    : `The largest difference is ${number(apart)}, from rounding.`;
  ["phasesection", "codesection", "namesection"].forEach((id) => { $(id).hidden = !e.transposed; });
  const ratio = checkerboard(e);
  $("phasetext").textContent = `An output's row and column modulo the stride are its phase; `
    + `each phase uses other taps of the kernel. Largest over smallest response: `
    + `${Number.isFinite(ratio) ? number(ratio) : "infinite"}, ${ratio < 1 + 1e-5 ? "no checkerboard." : "a checkerboard."}`;
  const { literal, useful } = e.cost;
  const share = useful / literal;
  $("costtext").textContent = `The definition takes ${literal} multiplications for a pair of channels. `
    + `Of these, ${useful} (${Math.round(100 * share)} %) have an input value as a factor.`;
  $("useful").style.width = `${100 * share}%`;
  $("name").textContent = typeset(describeDeconvolution(e));
  showCode(e);
}

function showCode(e) {
  if (e.transposed) $("code").textContent = calls(e)[$("library").value];
}

function showStep() {
  const e = state.shown;
  const [r, c] = current();
  const text = outputSum(e, r, c);
  $("stage").innerHTML = drawStage(e, r, c);
  $("stage").setAttribute("aria-label", text);
  const cut = text.lastIndexOf("=");
  $("sum").innerHTML = `${typeset(text.slice(0, cut))}<b>${text.slice(cut)}</b>`;
  if (!state.timer) $("spoken").textContent = spokenSum(e, r, c);
  const total = e.shape[0] * e.shape[1];
  const index = r * e.shape[1] + c;
  $("scrub").value = index;
  $("scrub").setAttribute("aria-valuetext", text);
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

// Name of the example that equals the state, or "".
const presetOf = (e) => Object.keys(GIVEN.animations).find((name) => {
  const { layers, size } = GIVEN.animations[name];
  const plain = (list) => JSON.stringify(list.map((z) => Object.entries(z).sort()));
  return plain(layers) === plain(e.layers) && by(size) === by(e.inputShape);
}) ?? "";

// page.html#padding_strides opens with that example.
function useLink() {
  const name = location.hash.slice(1);
  if (Object.hasOwn(GIVEN.animations, name)) usePreset(name);
}

function fill(what) {
  const [target, kind] = what.split(" ");
  const shape = shapeOf(state[target]);
  // A triangle as wide as the kernel; for k = 2s - s mod 2 it is linear interpolation.
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
  document.addEventListener("keydown", moveByArrow);
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target.closest("button, input, select, textarea")) return;
    event.preventDefault();
    $("play").click();
  });
  window.addEventListener("hashchange", useLink);
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
  useLink();
}

start();
