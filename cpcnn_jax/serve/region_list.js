// The regions of the shown photograph, their counts, and the keys that draw them.

// Shows the regions that were drawn on a photograph before, or an empty one.
function openRegions(row) {
  row.regions ??= [{ name: "1", corners: [] }];
  state.regions = row.regions;
  state.current = state.regions.length - 1;
  showRegions();
}

function addCorner(point) {
  state.regions[state.current].corners.push(point);
  showRegions();
}

function removeCorner() {
  state.regions[state.current].corners.pop();
  showRegions();
}

function addRegion() {
  const name = String(1 + Math.max(...state.regions.map((region) => Number(region.name))));
  state.regions.push({ name, corners: [] });
  state.current = state.regions.length - 1;
  showRegions();
  $("drawing").focus();
}

function removeRegion(region) {
  const others = state.regions.filter((other) => other !== region);
  state.row.regions = others.length ? others : null;
  openRegions(state.row);
  $("drawing").focus();
}

const countRegion = ({ corners }) => (corners.length < 3 ? null
  : countInside(state.density, corners, state.size));

function showRegions() {
  drawRegions(state);
  const region = state.regions[state.current];
  $("regions").replaceChildren(...state.regions.filter(({ corners }) => corners.length).map(makeItem));
  $("undo").disabled = !region.corners.length;
  $("next").disabled = region.corners.length < 3;
  describeCross();
}

function makeItem(region) {
  const item = document.createElement("li");
  const text = document.createElement("span");
  const people = countRegion(region);
  text.textContent = `Region ${region.name}: `
    + (people === null ? `${region.corners.length} of 3 corners` : `${formatPeople(people)} people`);
  const button = document.createElement("button");
  Object.assign(button, { type: "button", textContent: "Remove" });
  button.setAttribute("aria-label", `Remove region ${region.name}`);
  button.addEventListener("click", () => removeRegion(region));
  item.classList.toggle("now", region === state.regions[state.current]);
  item.append(text, button);
  return item;
}

function describeCross() {
  const region = state.regions[state.current];
  const people = countRegion(region);
  $("selected").textContent = `Cross at ${state.cross.join(", ")}; region ${region.name} has `
    + `${formatNumber(region.corners.length, "corner")}${people === null ? "" : ` and ${formatPeople(people)} people`}.`;
}

function handleKey(event) {
  const cross = moveCross(state.cross, event, state.size);
  if (cross) {
    state.cross = cross;
    drawRegions(state);
    describeCross();
  } else if (event.key === "Enter" || event.key === " ") addCorner(state.cross);
  else if (event.key === "Backspace") removeCorner();
  else return;
  event.preventDefault();
}
