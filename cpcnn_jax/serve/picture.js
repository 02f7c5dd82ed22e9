// Regions drawn on the image with a pointer, or with a cross that keys move.

const SVG = "http://www.w3.org/2000/svg";
const STEPS = 50; // key presses that move the cross over the longer side

function makeElement(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
  if (text !== undefined) element.textContent = text;
  return element;
}

// Gives the picture the image's aspect ratio, within the height of the window.
function setShape({ width, height }) {
  $("picture").style.aspectRatio = `${width} / ${height}`;
  $("picture").style.width = `min(100%, ${(64 * width) / height}vh)`;
  $("drawing").setAttribute("viewBox", `0 0 ${width} ${height}`);
}

// Draws the regions and the cross; `unit` is a screen pixel in pixels of the image.
function drawRegions({ size, regions, current, cross }) {
  const unit = size.width / ($("drawing").clientWidth || size.width);
  const parts = regions.flatMap(({ name, corners }, i) => {
    const now = i === current;
    const points = corners.map((corner) => corner.join(",")).join(" ");
    const [x, y] = corners[0] ?? [0, 0];
    const dots = now ? corners.map(([cx, cy]) => makeElement("circle", { cx, cy, r: 5 * unit })) : [];
    const label = { x: x + 8 * unit, y: y + 20 * unit, "font-size": 15 * unit, "stroke-width": 3 * unit };
    return [makeElement("polygon", { points, class: now ? "now" : "" }), ...dots,
      ...(corners.length ? [makeElement("text", label, name)] : [])];
  });
  const [x, y] = cross;
  const ends = [[x - 14 * unit, y, x + 14 * unit, y], [x, y - 14 * unit, x, y + 14 * unit]];
  const lines = ends.map(([x1, y1, x2, y2]) => makeElement("line", { x1, y1, x2, y2, class: "cross" }));
  $("drawing").replaceChildren(...parts, ...lines);
}

// Draws a ring around each head.
function drawHeads(points, { width, height }) {
  const r = Math.max(3, Math.max(width, height) / 400);
  $("heads").setAttribute("viewBox", `0 0 ${width} ${height}`);
  $("heads").replaceChildren(...points.map(([cx, cy]) => makeElement("circle", { cx, cy, r })));
  $("found").textContent = points.length.toLocaleString("en");
  setHeads();
}

// Computes the pointer's position in the image, in whole pixels.
function pointerPosition(event, { width, height }) {
  const box = $("drawing").getBoundingClientRect();
  return clampPoint([((event.clientX - box.left) / box.width) * width,
    ((event.clientY - box.top) / box.height) * height], { width, height });
}

function clampPoint([x, y], { width, height }) {
  const clamp = (value, highest) => Math.min(Math.max(Math.round(value), 0), highest);
  return [clamp(x, width), clamp(y, height)];
}

// Computes the cross's position after a key press, or null for other keys.
function moveCross([x, y], event, size) {
  const step = event.shiftKey ? 1 : Math.max(size.width, size.height) / STEPS;
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  return way ? clampPoint([x + step * way[0], y + step * way[1]], size) : null;
}
