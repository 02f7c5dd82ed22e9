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
  row.again = document.createElement("button");
  Object.assign(row.again, { type: "button", className: "again", textContent: "Count again" });
  row.again.setAttribute("aria-label", `Count ${file.name} again`);
  row.again.addEventListener("click", (event) => {
    event.stopPropagation();
    countAgain(row);
  });
  row.name.append(row.button, row.sentence, row.again);
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
  row.again.hidden = !["failed", "canceled"].includes(row.state);
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

// Adds up the photographs; means of videos and known crowds are no part of a total.
function showTotal() {
  const photographs = state.rows.filter(({ file, truth }) => !truth && !isVideo(file));
  const counts = photographs.filter((row) => row.answer).map((row) => row.answer.count);
  const total = counts.reduce((sum, count) => sum + count, 0);
  $("total").textContent = formatPeople(total);
  const all = formatNumber(photographs.length, "photograph");
  $("counted").textContent = `Total of ${counts.length < photographs.length ? `${counts.length} of ` : ""}${all}`;
  $("sum").hidden = !photographs.length;
}

// Scrolls the list, and not the page, to a row.
function reveal({ line }) {
  const list = $("rows").closest(".scroll");
  const heads = list.querySelector("thead").offsetHeight;
  const [top, bottom] = [line.offsetTop - heads, line.offsetTop + line.offsetHeight];
  list.scrollTop = Math.max(Math.min(list.scrollTop, top), bottom - list.clientHeight);
}

// Shows a row in the large view.
async function showRow(row) {
  const last = state.row;
  state.row = row;
  [last, row].forEach((either) => either && updateRow(either));
  reveal(row);
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
  batch.rows = [];
  state.rows = [];
  state.row = null;
  document.body.classList.remove("with-result");
  $("result").hidden = true;
  showStatus("");
  showList();
  $("file").focus();
}
