// The page: the request in progress, the result, and the regions drawn on it.

const $ = (id) => document.getElementById(id);
const state = { size: null, density: null, regions: [], current: 0, cross: [0, 0], request: null };
const formatPeople = (n) => Math.max(0, Math.round(n)).toLocaleString("en");
const sleep = (seconds) => new Promise((done) => { setTimeout(done, 1000 * seconds); });

// --- requests ---

const DOWN = "The server does not answer";

function showStatus(status, problem = "") {
  $("status").textContent = status;
  $("problem").textContent = problem;
  $("problem").hidden = !problem;
}

// Describes an answer that is not the counting server's, but for example a proxy's.
function describeStatus(status) {
  const meaning = {
    408: "The upload took too long: send a smaller image",
    413: "The image is too large for the server: send a smaller one",
    429: "The server has too many requests: try again later",
    502: DOWN,
    503: "The server is not available: try again later",
    504: "The server took too long: send a smaller image or try again later",
  }[status];
  const general = status >= 500 ? "The server failed: try again later"
    : status >= 400 ? "The server refused the request"
      : "The answer is no count: reload the page";
  return `${meaning ?? general} (status ${status})`;
}

// Reads the JSON of an answer; returns null for any other text.
async function readAnswer(response) {
  const text = await response.text().catch(() => { throw new Error(DOWN); });
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// Requests a count; retries a busy server after its pause, until `signal` aborts.
async function requestCount(file, signal) {
  const form = new FormData();
  form.append("photograph", file, file.name);
  form.append("density", "npy");
  form.append("density", "png");
  form.append("points", "true");
  for (;;) {
    const response = await fetch("count", { method: "POST", body: form, signal })
      .catch(() => { throw new Error(DOWN); });
    const answer = await readAnswer(response);
    if (response.ok && answer?.density) return answer;
    const pause = Number(response.headers.get("Retry-After"));
    if (response.status !== 503 || !(pause > 0)) {
      throw new Error(answer?.error ?? describeStatus(response.status));
    }
    showStatus(`The server is busy; next try in ${pause} s …`);
    await sleep(pause);
    signal.throwIfAborted();
  }
}

async function count(file, truth = "") {
  state.request?.abort(); // the server drops requests of disconnected clients
  const request = new AbortController();
  state.request = request;
  document.body.classList.add("busy");
  showStatus(`Counting ${file.name} …`);
  try {
    const answer = await requestCount(file, request.signal);
    if (request !== state.request) return;
    showAnswer(file, answer, truth);
    showStatus(`${answer.file}: ${formatPeople(answer.count)} people in `
      + `${answer.width}×${answer.height} pixels, counted in ${answer.seconds.toFixed(1)} s.`);
  } catch (error) {
    if (request !== state.request) return;
    showStatus("", `${error.message}.`);
  }
  document.body.classList.remove("busy");
}

// --- result ---

function showAnswer(file, answer, truth) {
  const npy = decodeBase64(answer.density.npy);
  state.size = { width: answer.width, height: answer.height };
  state.density = decodeDensity(answer.density, npy);
  state.cross = clampPoint([answer.width / 2, answer.height / 2], state.size);
  $("result").hidden = false;
  $("count").textContent = formatPeople(answer.count);
  $("range").textContent = answer.low === null ? ""
    : `(${formatPeople(answer.low)} to ${formatPeople(answer.high)} in nine of ten such images)`;
  $("truth").textContent = truth && `(true count: ${truth})`;
  $("notes").replaceChildren(...answer.notes.map((note) => {
    const item = document.createElement("li");
    item.textContent = `${note}.`;
    return item;
  }));
  setShape(state.size);
  drawHeads(answer.points, state.size);
  showImage(file);
  showMap();
  setDownload($("npy"), npy, `${answer.file}.npy`);
  setDownload($("png"), decodeBase64(answer.density.png), `${answer.file}.png`);
  const { offset, scale } = answer.density;
  $("meaning").textContent = `In the PNG, people per pixel = ${offset.toPrecision(5)} + `
    + `${scale.toPrecision(5)} × gray level (0 to 65,535).`;
  clearRegions();
}

function showImage(file) {
  const image = $("image");
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  image.hidden = false;
}

function showMap() {
  const map = downsample(state.density);
  const maximum = colorMaximum(map);
  drawMap($("map"), map, maximum);
  $("maximum").textContent = `${maximum.toPrecision(2)} people per pixel`;
  $("colors").style.background = `linear-gradient(to right, ${INFERNO.map((c) => `rgb(${c})`)})`;
  setOpacity();
}

function setHeads() {
  $("heads").style.display = $("show").checked ? "" : "none";
}

function setOpacity() {
  $("map").style.opacity = $("mix").value / 100;
}

// --- regions ---

function clearRegions() {
  state.regions = [{ name: "1", corners: [] }];
  state.current = 0;
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
  state.regions = state.regions.filter((other) => other !== region);
  if (!state.regions.length) clearRegions();
  state.current = state.regions.length - 1;
  showRegions();
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
    + `${region.corners.length} corners${people === null ? "" : ` and ${formatPeople(people)} people`}.`;
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

// --- events ---

async function countExample(button) {
  const address = button.querySelector("img").src;
  const truth = button.textContent.trim();
  const name = `example-${Number(button.dataset.example) + 1}.jpg`;
  try {
    const response = await fetch(address);
    if (!response.ok) throw new Error(describeStatus(response.status));
    const data = await response.blob();
    count(new File([data], name, { type: data.type }), truth);
  } catch (error) {
    showStatus("", `${error instanceof TypeError ? DOWN : error.message}.`);
  }
}

function handleDrop(event) {
  event.preventDefault();
  document.body.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) count(file);
}

function listen() {
  $("file").addEventListener("change", ({ target }) => {
    if (target.files.length) count(target.files[0]);
    target.value = ""; // allows the same file again
  });
  document.querySelectorAll("[data-example]").forEach((button) => {
    button.addEventListener("click", () => countExample(button));
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  document.addEventListener("dragleave", () => document.body.classList.remove("over"));
  document.addEventListener("drop", handleDrop);
  $("mix").addEventListener("input", setOpacity);
  $("show").addEventListener("change", setHeads);
  $("drawing").addEventListener("click", (event) => {
    state.cross = pointerPosition(event, state.size);
    addCorner(state.cross);
  });
  $("drawing").addEventListener("keydown", handleKey);
  $("undo").addEventListener("click", removeCorner);
  $("next").addEventListener("click", addRegion);
  $("image").addEventListener("error", () => {
    $("image").hidden = true;
    $("mix").value = 100;
    setOpacity();
    showStatus($("status").textContent, "This browser cannot show images of this format: only the map is shown.");
  });
  window.addEventListener("resize", () => state.size && drawRegions(state));
}

listen();
