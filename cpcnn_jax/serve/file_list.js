// The list of the chosen files: a row for each, the total, and the table as CSV.

const THUMBNAIL = 96; // pixels, height
// Those of `cpcnn_jax count --csv`.
const COLUMNS = ["file", "count", "low", "high", "error", "seconds", "width", "height", "weights"];

// Makes the row of a file; `truth` is the known count of an example.
function makeRow(file, truth) {
  const row = { file, truth, state: "waiting", answer: null, problem: "" };
  row.line = document.createElement("tr");
  row.line.append(...["picture", "name", "people", "range"].map((name) => {
    row[name] = document.createElement("td");
    row[name].className = name;
    return row[name];
  }));
  row.button = document.createElement("button");
  Object.assign(row.button, { type: "button", textContent: file.name });
  row.sentence = document.createElement("small");
  row.name.append(row.button, row.sentence);
  row.line.addEventListener("click", () => row.button.disabled || showRow(row));
  updateRow(row);
  return row;
}

function updateRow(row) {
  const { answer } = row;
  row.button.disabled = !answer;
  row.line.className = `${row.state} ${row === state.row ? "now" : ""}`;
  row.button.setAttribute("aria-pressed", row === state.row);
  row.sentence.textContent = row.problem;
  row.people.textContent = answer ? formatPeople(answer.count) : row.state;
  row.range.textContent = answer && answer.low !== null
    ? `${formatPeople(answer.low)} to ${formatPeople(answer.high)}` : "";
  const alone = row.state === "failed" && !answer; // its sentence has the width of the row
  row.name.colSpan = alone ? 3 : 1;
  row.people.hidden = alone;
  row.range.hidden = alone;
  showTotal();
}

async function drawThumbnail(row) {
  if (isVideo(row.file)) row.picture.textContent = "▶";
  const image = await createImageBitmap(row.file, { resizeHeight: THUMBNAIL, resizeQuality: "medium" })
    .catch(() => null); // of a format that the browser cannot show
  if (!image) return;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  row.picture.replaceChildren(canvas);
  image.close();
}

// Shows the list from its second row on: one file has its result alone.
function showList() {
  $("rows").replaceChildren(...state.rows.map((row) => row.line));
  $("files").hidden = state.rows.length < 2;
  showTotal();
}

function showTotal() {
  const counts = state.rows.filter((row) => row.answer).map((row) => row.answer.count);
  const total = counts.reduce((sum, count) => sum + count, 0);
  $("total").textContent = formatPeople(total);
  const all = state.rows.length;
  $("counted").textContent = `Total of ${counts.length < all ? `${counts.length} of ` : ""}${all} files`;
}

// Shows a row in the large view.
async function showRow(row) {
  const last = state.row;
  state.row = row;
  [last, row].forEach((either) => either && updateRow(either));
  await (row.frames ? showVideo(row) : showPhotograph(row));
}

const quoteCell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
const formatTable = (lines) => lines.map((cells) => `${cells.map((cell) => quoteCell(String(cell ?? ""))).join(",")}\r\n`).join("");

function makeTable(rows) {
  const lines = rows.map(({ file, answer, problem, state: now }) => COLUMNS.map((name) => ({
    file: file.name,
    error: problem || (now === "counted" ? "" : now),
    weights: answer && document.body.dataset.weights,
  }[name] ?? answer?.[name])));
  return formatTable([COLUMNS, ...lines]);
}

function downloadTable(text, name) {
  const link = document.createElement("a");
  setDownload(link, new Blob([text], { type: "text/csv" }), name);
  link.click();
}

function clearList() {
  cancelAll();
  state.rows = [];
  state.row = null;
  document.body.classList.remove("with-result");
  $("result").hidden = true;
  showStatus("");
  showList();
  $("file").focus();
}
