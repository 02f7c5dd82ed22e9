// The controls of the page, and its start.

function usePreset(name) {
  const { layers, size } = GIVEN.animations[name];
  state.layers = structuredClone(layers);
  state.x = ramp(size);
  state.kernel = ramp(layers.map((z) => z.k));
  state.at = 0;
  $("apart").checked = false;
  $("linkproblem").hidden = true;
  buildSliders();
  show();
}

// Name of the example that equals the state, or "".
const presetOf = (e) => Object.keys(GIVEN.animations).find((name) => {
  const { layers, size } = GIVEN.animations[name];
  const plain = (list) => list.map((z) => Object.entries(z).sort());
  return same(plain(layers), plain(e.layers)) && by(size) === by(e.inputShape);
}) ?? "";

function fill(what) {
  const [target, kind] = what.split(" ");
  state[target] = FILLS[kind](shapeOf(state[target])) ?? state[target];
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
  document.querySelectorAll("[name=dim]").forEach((radio) => radio.addEventListener("change", () => {
    useDimensions(Number(radio.value));
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
  window.addEventListener("hashchange", (event) => useLink(new URL(event.newURL).hash));
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
  $("apart").checked = !isLine() && (!same(rows, columns) || state.x.length !== state.x[0].length);
  buildSliders();
  buildTour();
  listen();
  show();
  useLink(location.hash);
  loadPicture();
}

start();
