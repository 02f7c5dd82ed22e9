// The picture that one draws regions on: with a pointer, or with a cross moved by keys.

const SVG = "http://www.w3.org/2000/svg";
const STEPS = 50; // that the cross takes from side to side

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  if (text !== undefined) made.textContent = text;
  return made;
}

// Give the picture the photograph's shape, and no more height than the window has.
function shape({ width, height }) {
  $("picture").style.aspectRatio = `${width} / ${height}`;
  $("picture").style.width = `min(100%, ${(78 * width) / height}vh)`;
  $("drawing").setAttribute("viewBox", `0 0 ${width} ${height}`);
}

// Draw the regions and the cross; `unit` is a pixel of the screen in those of the photograph.
function draw({ size, regions, at, cross }) {
  const unit = size.width / ($("drawing").clientWidth || size.width);
  const parts = regions.flatMap(({ name, corners }, i) => {
    const now = i === at;
    const points = corners.map((corner) => corner.join(",")).join(" ");
    const [x, y] = corners[0] ?? [0, 0];
    const dots = now ? corners.map(([cx, cy]) => element("circle", { cx, cy, r: 5 * unit })) : [];
    const label = { x: x + 8 * unit, y: y + 20 * unit, "font-size": 15 * unit, "stroke-width": 3 * unit };
    return [element("polygon", { points, class: now ? "now" : "" }), ...dots,
      ...(corners.length ? [element("text", label, name)] : [])];
  });
  const [x, y] = cross;
  const lines = [[x - 14 * unit, y, x + 14 * unit, y], [x, y - 14 * unit, x, y + 14 * unit]];
  const crossed = lines.map(([x1, y1, x2, y2]) => element("line", { x1, y1, x2, y2, class: "cross" }));
  $("drawing").replaceChildren(...parts, ...crossed);
}

// Where in the photograph the pointer is, in whole pixels.
function pointed(event, { width, height }) {
  const box = $("drawing").getBoundingClientRect();
  return within([((event.clientX - box.left) / box.width) * width,
    ((event.clientY - box.top) / box.height) * height], { width, height });
}

function within([x, y], { width, height }) {
  const clip = (value, most) => Math.min(Math.max(Math.round(value), 0), most);
  return [clip(x, width), clip(y, height)];
}

// Where a key moves the cross to, or null.
function moved([x, y], event, size) {
  const step = event.shiftKey ? 1 : Math.max(size.width, size.height) / STEPS;
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  return way ? within([x + step * way[0], y + step * way[1]], size) : null;
}
