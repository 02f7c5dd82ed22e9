"use strict";
// The page is complete as it was written; this adds sorting, the filter and the walk
// through the points. Rows, points and pictures know their photograph by its rank.
const $ = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const points = all("#scatter circle");

// --- the filter: one choice of density levels for table, points and pictures ---

function filter() {
  const chosen = new Set(all("#filter input:checked").map((box) => box.value));
  for (const shown of all("[data-level]")) {
    shown.toggleAttribute("hidden", !chosen.has(shown.dataset.level));
  }
  const left = points.filter((point) => !point.hasAttribute("hidden"));
  const errors = left.map((point) => Number(point.dataset.error));
  const mae = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  $("shown").textContent = `${left.length} of ${points.length} photographs`
    + (left.length ? `, MAE ${mae.toFixed(1)}` : "");
  enter();
}

// --- the table ---

function sort(title) {
  const column = title.cellIndex;
  const down = title.getAttribute("aria-sort") !== "descending";
  const body = document.querySelector("#photographs tbody");
  const value = (row) => row.cells[column].dataset.value;
  const rows = [...body.rows];
  const numbers = rows.every((row) => !Number.isNaN(Number(value(row))));
  const least = (text) => (text === "" ? -Infinity : Number(text));
  const compare = numbers ? (a, b) => least(value(a)) - least(value(b)) || 0
    : (a, b) => value(a).localeCompare(value(b), "en", { numeric: true });
  rows.sort((a, b) => (down ? compare(b, a) : compare(a, b)));
  body.append(...rows);
  for (const other of title.parentElement.cells) other.removeAttribute("aria-sort");
  title.setAttribute("aria-sort", down ? "descending" : "ascending");
}

const rowOf = (point) => document.querySelector(`#photographs tr[data-rank="${point.dataset.rank}"]`);

// --- the points: one stop for Tab, arrows from there ---

function enter(point = points.find((one) => !one.hasAttribute("hidden"))) {
  for (const one of points) one.setAttribute("tabindex", one === point ? 0 : -1);
}

function tell(point) {
  $("told").textContent = point.querySelector("title").textContent;
  for (const row of all("#photographs tr.now")) row.classList.remove("now");
  rowOf(point).classList.add("now");
}

function walk(point, key) {
  const left = points.filter((one) => !one.hasAttribute("hidden"));
  const at = left.indexOf(point);
  const next = { ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1,
    Home: 0, End: left.length - 1 }[key];
  if (next === undefined) return false;
  left[Math.max(0, Math.min(left.length - 1, next))].focus();
  return true;
}

function goToRow(point) {
  const row = rowOf(point);
  row.setAttribute("tabindex", -1);
  row.focus();
}

for (const point of points) {
  point.addEventListener("pointerenter", () => tell(point));
  point.addEventListener("focus", () => { enter(point); tell(point); });
  point.addEventListener("click", () => goToRow(point));
  point.addEventListener("keydown", (event) => {
    if (event.key === "Enter") goToRow(point);
    else if (!walk(point, event.key)) return;
    event.preventDefault();
  });
}
for (const title of all("#photographs thead th")) {
  title.firstChild.addEventListener("click", () => sort(title));
}
if ($("filter")) {
  $("filter").addEventListener("change", filter);
  filter(); // a page that was reloaded may keep its boxes as they were
} else {
  enter();
}
