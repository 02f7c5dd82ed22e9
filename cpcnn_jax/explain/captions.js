// Texts of the explanation, as in captions.py. GIVEN holds the data that Python inserts.

function number(value) {
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 999.5) return value.toFixed(0);
  if (size >= 1e-4) return String(Number(value.toPrecision(3)));
  return value.toExponential(0).replace(/e-(\d)$/, "e-0$1");
}

const short = (value) => (Number.isInteger(value) || Math.abs(value) >= 1 ? number(value)
  : value.toFixed(2).replace("-0.00", "0.00"));

// Color strength of each value, 0 to 1; whole numbers all have 1.
function tints(values) {
  const all = values.flat();
  const [least, most] = [Math.min(...all), Math.max(...all)];
  if (all.every(Number.isInteger) || least === most) return values.map((line) => line.map(() => 1));
  return values.map((line) => line.map((v) => (v - least) / (most - least)));
}

const by = (shape) => `${shape[0]}x${shape[1]}`;
const each = (rows, columns) => (rows === columns ? String(rows) : by([rows, columns]));

function describePadding(layers) {
  const [[top, bottom], [left, right]] = layers.map(gridPadding);
  if (top === bottom && left === right && top === left) return `${top} on every side`;
  const cropped = Math.min(top, bottom, left, right) < 0 ? " (negative: cropped)" : "";
  return `${top} above, ${bottom} below, ${left} left, ${right} right${cropped}`;
}

// The same for one dimension.
function lineSentence(e) {
  const z = e.layers[1];
  const [low, high] = gridPadding(z);
  const cropped = Math.min(low, high) < 0 ? " (negative: cropped)" : "";
  const pads = low === high ? `${low} on both sides` : `${low} left, ${high} right${cropped}`;
  const kernel = `a kernel of size ${z.k}${z.d > 1 ? ` dilated by ${z.d}` : ""}`;
  const sizes = `${e.inputShape[1]} in, ${e.shape[1]} out.`;
  if (!e.transposed) {
    return `A convolution pads the input by ${pads} and slides ${kernel} over the result `
      + `with stride ${z.s}: ${sizes}`;
  }
  return `A fractionally-strided (transposed) convolution inserts ${z.s - 1} `
    + `${z.s === 2 ? "zero" : "zeros"} between neighboring units (${e.inputShape[1]} becomes `
    + `${stretched(e.inputShape[1], z)}), pads the result by ${pads}, and slides ${kernel} over `
    + `it with stride 1: ${sizes}`;
}

function sentence(e) {
  if (oneDimensional(e.inputShape, e.layers)) return lineSentence(e);
  const [rows, columns] = e.layers;
  const sizes = `${by(e.inputShape)} in, ${by(e.shape)} out.`;
  const dilated = rows.d > 1 || columns.d > 1 ? ` dilated by ${each(rows.d, columns.d)}` : "";
  const kernel = `a ${by([rows.k, columns.k])} kernel${dilated}`;
  if (!e.transposed) {
    return `A convolution pads the input by ${describePadding(e.layers)} and slides ${kernel} over `
      + `the result with stride ${each(rows.s, columns.s)}: ${sizes}`;
  }
  const zeros = each(rows.s - 1, columns.s - 1);
  const size = by(e.layers.map((z, axis) => stretched(e.inputShape[axis], z)));
  return `A fractionally-strided (transposed) convolution inserts ${zeros} `
    + `${zeros === "1" ? "zero" : "zeros"} between neighboring rows and columns `
    + `(${by(e.inputShape)} becomes ${size}), pads the result by ${describePadding(e.layers)}, `
    + `and slides ${kernel} over it with stride 1: ${sizes}`;
}

function relationship(z) {
  const [low, high] = z.p;
  const none = low === 0 && high === 0;
  const half = low === high && 2 * low === extent(z) - 1;
  const full = low === high && low === extent(z) - 1;
  if (z.transposed) {
    if (z.a) return 14;
    if (z.s > 1) return none ? 12 : 13;
    return none ? 8 : half ? 10 : full ? 11 : 9;
  }
  if (z.d > 1) return 15;
  if (z.s > 1) return none ? 5 : 6;
  return none ? 1 : half ? 3 : full ? 4 : 2;
}

function formula(z, i) {
  const which = relationship(z);
  let letters = GIVEN.formulas[which];
  let note = "";
  const k = z.transposed ? extent(z) : z.k;
  if (z.transposed && z.d > 1) {
    letters = letters.replaceAll("k", "k'");
    note = ` with k' = k + (k - 1)(d - 1) = ${k} of relationship 15`;
  }
  const even = z.p[0] === z.p[1];
  if (!even) letters = letters.replaceAll("2p", "(p + p')");
  const double = even ? `2*${z.p[0]}` : `(${z.p[0]} + ${z.p[1]})`;
  const values = { i, k, "k'": k, s: z.s, a: z.a, d: z.d, "2p": double, "(p + p')": double,
    floor: "floor" };
  const filled = letters.replace(/floor|\(p \+ p'\)|2p|k'|[iksad]/g, (letter) => values[letter]);
  const steps = [...new Set([letters, filled, String(outputSize(i, z))])];
  return `o = ${steps.join(" = ")}, relationship ${which}${note}`;
}

function formulas(e) {
  const [rows, columns] = e.layers.map((z, axis) => formula(z, e.inputShape[axis]));
  if (oneDimensional(e.inputShape, e.layers)) return [columns];
  return rows === columns ? [rows] : [`rows: ${rows}`, `columns: ${columns}`];
}

function outputSum(e, row, column) {
  const factor = (w) => (w >= 0 ? number(w) : `(${number(w)})`);
  const sum = terms(e.inputShape, e.layers, row, column).map(({ tap, input }) => (
    `${number(e.x[input[0]][input[1]])}*${factor(e.kernel[tap[0]][tap[1]])}`)).join(" + ");
  const steps = [...new Set([sum || "0", number(e.output[row][column])])];
  const place = oneDimensional(e.inputShape, e.layers) ? column : `${row},${column}`;
  return `y[${place}] = ${steps.join(" = ")}`;
}

// The same sum for screen readers.
function spokenSum(e, row, column) {
  const all = terms(e.inputShape, e.layers, row, column);
  const parts = all.map(({ tap, input }) => (
    `${number(e.x[input[0]][input[1]])} times ${number(e.kernel[tap[0]][tap[1]])}`));
  const zeros = e.kernel.flat().length - all.length;
  const place = oneDimensional(e.inputShape, e.layers) ? column + 1 : `row ${row + 1}, column ${column + 1}`;
  return `Output ${place}: ${parts.join(" plus ") || "no true input"}, `
    + `equals ${number(e.output[row][column])}. ${zeros} of ${e.kernel.flat().length} products `
    + "are with zeros.";
}

const largest = (a, b) => Math.max(...a.flat().map((v, n) => Math.abs(v - b.flat()[n])));
const difference = (e) => Math.max(largest(e.output, e.scattered), largest(e.output, e.multiplied));

// Infinite if the signs of the phases differ or one phase has no response.
function checkerboard(e) {
  const all = e.response.flat();
  const sizes = all.map(Math.abs);
  if (!e.transposed) return 1;
  if (Math.min(...sizes) === 0 || new Set(all.map(Math.sign)).size > 1) return Infinity;
  return Math.max(...sizes) / Math.min(...sizes);
}

function describeDeconvolution(e) {
  const error = largest(e.returned, e.original);
  const many = e.original.flat().length;
  const few = Math.min(e.matrix.length, e.matrix[0].length);
  if (error < 1e-6) {
    return "Here C^T C is the identity and z is restored. This is an exception. "
      + "The transposed convolution is the transpose of C, not its inverse.";
  }
  const lost = few < many
    ? ` C maps ${many} numbers to ${few}, so no layer can restore all of them.` : "";
  return '"Deconvolution" would undo a convolution C. This layer is its transpose C^T. '
    + "It restores the shape but not the values: "
    + `C^T (C z) differs from z by up to ${number(error)}.${lost}`;
}

// Equivalent calls: the templates of code_samples.py, filled like Python's str.format.
function calls(e) {
  const pairOf = (f) => e.layers.map(f);
  const low = pairOf((z) => z.p[0]);
  const values = {
    k: pairOf((z) => z.k), s: pairOf((z) => z.s), a: pairOf((z) => z.a), d: pairOf((z) => z.d),
    extent: pairOf(extent), low, pairs: pairOf((z) => z.p), pads: pairOf(gridPadding),
    onnx_pads: [...low, ...pairOf((z) => z.p[1])], end: low.map((b, n) => b + e.shape[n]),
  };
  const tuple = (v) => (Array.isArray(v) ? `(${v.map(tuple).join(", ")})` : String(v));
  const list = (v) => `[${v.map(tuple).join(", ")}]`;
  const lists = ["pairs", "pads", "onnx_pads"];
  const fill = (template) => template.replace(/\{\{|\}\}|\{(\w+)(?:\[(\d)\])?\}/g, (all, key, n) => {
    if (!key) return all[0];
    const value = n === undefined ? values[key] : values[key][n];
    return lists.includes(key) ? list(value) : tuple(value);
  });
  const special = {
    torch: e.layers.some((z) => z.p[0] !== z.p[1]),
    keras: e.layers.some((z) => z.s > 1) && e.layers.some((z) => z.d > 1),
  };
  return Object.fromEntries(Object.entries(GIVEN.calls).map(([library, [plain, other]]) => (
    [library, fill(special[library] ? other : plain)])));
}
