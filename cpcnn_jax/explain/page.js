// The page: one state and one function `show` that renders it.

const $ = (id) => document.getElementById(id);
const state = structuredClone(GIVEN.start);
Object.assign(state, { at: 0, peek: null, timer: null, changed: "k", shown: null, tour: 0 });

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
  $("adjoint").textContent = formatAdjoint(e);
  showPicture(e);
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
  const verdict = Number.isFinite(ratio) ? `Largest over smallest response: ${number(ratio)}`
    : "One response is 0, or the responses have both signs";
  $("phasetext").textContent = `An output's row and column modulo the stride are its phase; `
    + `each phase uses other taps of the kernel. A phase's response is its output where all inputs are 1. `
    + `${verdict}, ${ratio < 1 + 1e-5 ? "no checkerboard." : "a checkerboard."}`;
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
  updateLink();
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
