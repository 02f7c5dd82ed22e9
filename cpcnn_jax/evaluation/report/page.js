"use strict";
// The page is complete without this script, which adds sorting, the filter and keyboard
// access to the points. Rows, points and pictures carry the rank of their image.
const $ = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const points = all("#scatter circle");
const visiblePoints = () => points.filter((point) => !point.hasAttribute("hidden"));

// --- filter by density level, for table, points and pictures ---

function filterLevels() {
  const levels = new Set(all("#filter input:checked").map((box) => box.value));
  for (const element of all("[data-level]")) {
    element.toggleAttribute("hidden", !levels.has(element.dataset.level));
  }
  const errors = visiblePoints().map((point) => Number(point.dataset.error));
  const mae = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  $("shown").textContent = `${errors.length} of ${points.length} images`
    + (errors.length ? `, MAE ${mae.toFixed(1)}` : "");
  setTabStop(visiblePoints()[0]);
}

// --- table ---

function sortTable(title) {
  const column = title.cellIndex;
  const descending = title.getAttribute("aria-sort") !== "descending";
  const body = document.querySelector("#images tbody");
  const value = (row) => row.cells[column].dataset.value;
  const rows = [...body.rows];
  const numeric = rows.every((row) => !Number.isNaN(Number(value(row))));
  const number = (text) => (text === "" ? -Infinity : Number(text));
  const compare = numeric ? (a, b) => number(value(a)) - number(value(b)) || 0
    : (a, b) => value(a).localeCompare(value(b), "en", { numeric: true });
  rows.sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
  body.append(...rows);
  for (const other of title.parentElement.cells) other.removeAttribute("aria-sort");
  title.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

const rowOf = (point) => document.querySelector(`#images tr[data-rank="${point.dataset.rank}"]`);

// --- points: a single Tab stop, arrow keys between points ---

function setTabStop(point) {
  for (const other of points) other.setAttribute("tabindex", other === point ? 0 : -1);
}

function select(point) {
  $("selected").textContent = point.querySelector("title").textContent;
  for (const row of all("#images tr.now")) row.classList.remove("now");
  rowOf(point).classList.add("now");
}

function moveFocus(point, key) {
  const visible = visiblePoints();
  const index = visible.indexOf(point);
  const next = { ArrowRight: index + 1, ArrowUp: index + 1, ArrowLeft: index - 1,
    ArrowDown: index - 1, Home: 0, End: visible.length - 1 }[key];
  if (next === undefined) return false;
  visible[Math.max(0, Math.min(visible.length - 1, next))].focus();
  return true;
}

function focusRow(point) {
  const row = rowOf(point);
  row.setAttribute("tabindex", -1);
  row.focus();
}

for (const point of points) {
  point.addEventListener("pointerenter", () => select(point));
  point.addEventListener("focus", () => { setTabStop(point); select(point); });
  point.addEventListener("click", ({ pointerType }) => {
    if (pointerType !== "touch") focusRow(point); // a tap shows the image, as pointing does
  });
  point.addEventListener("keydown", (event) => {
    if (event.key === "Enter") focusRow(point);
    else if (!moveFocus(point, event.key)) return;
    event.preventDefault();
  });
}
for (const title of all("#images thead th")) {
  title.firstChild.addEventListener("click", () => sortTable(title));
}
if ($("filter")) {
  $("filter").addEventListener("change", filterLevels);
  filterLevels(); // a reloaded page may keep its checkboxes
} else {
  setTabStop(visiblePoints()[0]);
}
