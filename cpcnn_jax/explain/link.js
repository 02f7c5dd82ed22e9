// The settings as the fragment of the URL, such as #kind=transposed&i=3&k=4&s=2&p=1&a=0&d=1.
// dim=1 is one dimension; x and w are a word or numbers; at is the step of the animation and
// step the step of the tour. A name alone is an example.

const LETTERS = ["i", "k", "s", "p", "a", "d"];
const DEFAULTS = { i: 3, k: 3, s: 1, p: 0, a: 0, d: 1 };
const KEYS = ["dim", "kind", ...LETTERS, "x", "w", "at", "step"];

const oneDimensional = (shape, [rows]) => shape[0] === 1 && rows.k === 1 && rows.s === 1
  && rows.a === 0 && rows.d === 1 && rows.p[0] === 0 && rows.p[1] === 0;
const isLine = () => oneDimensional(shapeOf(state.x), state.layers);
const trivialRows = (transposed) => ({ k: 1, s: 1, p: [0, 0], a: 0, d: 1, transposed });

// A triangle as wide as the kernel; for k = 2s - s mod 2 it is linear interpolation.
const triangle = (n, k) => 1 - Math.abs(n - (k - 1) / 2) / Math.ceil(k / 2);
const FILLS = {
  ramp,
  ones: (shape) => table(shape[0], shape[1], () => 1),
  bilinear: (shape) => table(shape[0], shape[1], (r, c) => (
    triangle(r, shape[0]) * triangle(c, shape[1]))),
  trained: (shape) => (by(shape) === by(shapeOf(GIVEN.trained.kernel)) ? GIVEN.trained.kernel : null),
};

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function writeValues(values, words) {
  const word = words.find((name) => same(values, FILLS[name](shapeOf(values))));
  return word ?? values.flat().join();
}

// The settings on the screen.
function writeLink() {
  const line = isLine();
  const of = (name, axis) => {
    const value = name === "i" ? shapeOf(state.x)[axis] : state.layers[axis][name];
    return Array.isArray(value) && value[0] === value[1] ? value[0] : [value].flat().join(":");
  };
  const parts = LETTERS.map((name) => {
    const [rows, columns] = [String(of(name, 0)), String(of(name, 1))];
    return [name, line || rows === columns ? columns : `${rows}x${columns}`];
  });
  if (line) parts.unshift(["dim", 1]);
  parts.unshift(["kind", state.layers[0].transposed ? "transposed" : "direct"]);
  parts.push(["x", writeValues(state.x, ["ramp", "ones"])]);
  parts.push(["w", writeValues(state.kernel, Object.keys(FILLS))]);
  if (state.at) parts.push(["at", state.at]);
  if (state.tour) parts.push(["step", state.tour]);
  return `#${parts.map(([name, value]) => `${name}=${value}`).join("&")}`;
}

// The largest value of a parameter in a link: the slider's, or that of the page's own layer.
function largestValue(name) {
  const { x, layers } = GIVEN.start;
  const own = name === "i" ? shapeOf(x) : layers.flatMap((z) => z[name]);
  return Math.max(PARAMETERS.find(([key]) => key === name)[3], ...own);
}

// Both axes of a number such as 3, 3x4 or, for p, 1:2; null if it is not understood.
function readAxes(name, text) {
  if (!(name === "p" ? /^\d+(:\d+)?(x\d+(:\d+)?)?$/ : /^\d+(x\d+)?$/).test(text)) return null;
  const low = PARAMETERS.find(([key]) => key === name)[2];
  const sides = text.split("x").map((axis) => axis.split(":").map(Number));
  if (sides.flat().some((v) => v < low || v > largestValue(name))) return null;
  const values = sides.map((side) => (name === "p" ? [side[0], side.at(-1)] : side[0]));
  return [values[0], values.at(-1)];
}

function readValues(text, shape) {
  if (Object.hasOwn(FILLS, text)) return FILLS[text](shape);
  const values = text.split(",").map((v) => (v.trim() === "" ? NaN : Number(v)));
  return values.length === shape[0] * shape[1] && values.every(Number.isFinite)
    ? folded(values, shape) : null;
}

// The state of a link; throws a sentence that names the part that is wrong.
function readLink(text) {
  const wrong = (name, expected) => { throw new Error(`The link's ${name} is ${parts[name]}: expected ${expected}.`); };
  const pairs = text.split("&").map((part) => part.split("="));
  const parts = Object.fromEntries(pairs.map(([name, ...value]) => [name, value.join("=")]));
  const strange = Object.keys(parts).find((name) => !KEYS.includes(name));
  if (strange !== undefined) throw new Error(`The link has the part "${strange}": expected some of ${KEYS.join(", ")}.`);
  if (parts.step !== undefined && !(/^\d$/.test(parts.step) && TOUR[parts.step])) wrong("step", `1 to ${TOUR.length - 1}`);
  if (same(Object.keys(parts), ["step"])) return { ...readLink(TOUR[parts.step]), tour: Number(parts.step) };
  if (!["transposed", "direct", undefined].includes(parts.kind)) wrong("kind", "transposed or direct");
  if (!["1", "2", undefined].includes(parts.dim)) wrong("dim", "1 or 2");
  const axes = Object.fromEntries(LETTERS.map((name) => {
    const low = PARAMETERS.find(([key]) => key === name)[2];
    return [name, readAxes(name, parts[name] ?? String(DEFAULTS[name]))
      ?? wrong(name, `${low} to ${largestValue(name)}`)];
  }));
  const transposed = parts.kind !== "direct";
  const layers = [0, 1].map((axis) => ({ ...Object.fromEntries(
    ["k", "s", "p", "a", "d"].map((name) => [name, axes[name][axis]])), transposed }));
  if (parts.dim === "1") [layers[0], axes.i[0]] = [trivialRows(transposed), 1];
  const x = readValues(parts.x ?? "ramp", axes.i) ?? wrong("x", `ramp, ones or ${axes.i[0] * axes.i[1]} numbers`);
  const shape = layers.map((z) => z.k);
  const kernel = readValues(parts.w ?? "ramp", shape)
    ?? wrong("w", `ramp, ones, bilinear, trained for its size, or ${shape[0] * shape[1]} numbers`);
  if (!/^\d{1,4}$/.test(parts.at ?? "0")) wrong("at", "the number of a step");
  return { layers, x, kernel, at: Number(parts.at ?? 0), tour: Number(parts.step ?? 0) };
}

function decodeText(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error("The link cannot be read: it has a damaged % sign.");
  }
}

// Takes the settings of a URL's fragment, such as #k=4. That of a link which was followed is the
// event's: by the time of the event updateLink may have written the old settings over it.
function useLink(fragment) {
  if (fragment.length < 2) return;
  try {
    const text = decodeText(fragment.slice(1));
    if (Object.hasOwn(GIVEN.animations, text)) usePreset(text);
    else useSettings(readLink(text));
  } catch (error) {
    $("linkproblem").hidden = false;
    $("linkproblem").textContent = `${error.message} The page keeps its settings.`;
  }
}

function useSettings(settings) {
  stop();
  Object.assign(state, structuredClone(settings));
  $("apart").checked = !isLine() && (!same(...state.layers) || state.x.length !== state.x[0].length);
  $("linkproblem").hidden = true;
  buildSliders();
  show();
  showTour();
}

// Writes the settings into the URL, a moment later: browsers limit how often it changes.
function updateLink() {
  $("link").href = writeLink();
  clearTimeout(state.writing);
  state.writing = setTimeout(() => {
    if (state.timer || state.written === writeLink()) return;
    state.written = writeLink();
    history.replaceState(null, "", state.written);
  }, 300);
}
