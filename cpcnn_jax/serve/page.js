// The page: what is being counted, what was found, the regions drawn on it.

const $ = (id) => document.getElementById(id);
const state = { size: null, density: null, regions: [], at: 0, cross: [0, 0], asked: null };
const people = (n) => n.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const seconds = (n) => new Promise((done) => { setTimeout(done, 1000 * n); });

// --- asking ---

function say(status, problem = "") {
  $("status").textContent = status;
  $("problem").textContent = problem;
  $("problem").hidden = !problem;
}

// The server's answer; a busy server is asked again when it said to, until `signal` ends it.
async function ask(file, signal) {
  const form = new FormData();
  form.append("photograph", file, file.name);
  form.append("density", "npy");
  form.append("density", "png");
  for (;;) {
    const answer = await fetch("count", { method: "POST", body: form, signal });
    const told = await answer.json();
    if (answer.ok) return told;
    if (answer.status !== 503) throw new Error(told.error);
    const pause = answer.headers.get("Retry-After");
    say(`The server is busy; asking again in ${pause} s …`);
    await seconds(pause);
    signal.throwIfAborted();
  }
}

async function count(file, truth = "") {
  state.asked?.abort(); // the server drops what nobody waits for
  const asked = new AbortController();
  state.asked = asked;
  document.body.classList.add("busy");
  say(`Counting ${file.name} …`);
  try {
    const told = await ask(file, asked.signal);
    if (asked !== state.asked) return;
    show(file, told, truth);
    say(`${told.file}: ${people(told.count)} people in ${told.width}×${told.height} pixels, `
      + `counted in ${told.seconds.toFixed(1)} s.`);
  } catch (error) {
    if (asked !== state.asked) return;
    const network = error instanceof TypeError;
    say("", network ? "The server does not answer: is it still running?" : `${error.message}.`);
  }
  document.body.classList.remove("busy");
}

// --- showing ---

function show(file, told, truth) {
  const npy = bytesOf(told.density.npy);
  state.size = { width: told.width, height: told.height };
  state.density = densityOf(told.density, npy);
  state.cross = within([told.width / 2, told.height / 2], state.size);
  $("result").hidden = false;
  $("count").textContent = people(told.count);
  $("truth").textContent = truth && `(in truth ${truth})`;
  $("notes").replaceChildren(...told.notes.map((note) => {
    const item = document.createElement("li");
    item.textContent = `${note}.`;
    return item;
  }));
  shape(state.size);
  showPhotograph(file);
  showMap();
  offer($("npy"), npy, `${told.file}.npy`);
  offer($("png"), bytesOf(told.density.png), `${told.file}.png`);
  const { offset, scale } = told.density;
  $("meaning").textContent = `In the picture, people per pixel = ${offset.toPrecision(5)} + `
    + `${scale.toPrecision(5)} × grey level (0 to 65,535).`;
  clear();
}

function showPhotograph(file) {
  const image = $("photograph");
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  image.hidden = false;
}

function showMap() {
  const map = reduced(state.density);
  const most = brightest(map);
  paint($("map"), map, most);
  $("most").textContent = `${most.toPrecision(2)} people per pixel`;
  $("colours").style.background = `linear-gradient(to right, ${INFERNO.map((c) => `rgb(${c})`)})`;
  mix();
}

function mix() {
  $("map").style.opacity = $("mix").value / 100;
}

// --- regions ---

function clear() {
  state.regions = [{ name: "1", corners: [] }];
  state.at = 0;
  showRegions();
}

function corner(point) {
  state.regions[state.at].corners.push(point);
  showRegions();
}

function undo() {
  state.regions[state.at].corners.pop();
  showRegions();
}

function next() {
  const name = String(1 + Math.max(...state.regions.map((region) => Number(region.name))));
  state.regions.push({ name, corners: [] });
  state.at = state.regions.length - 1;
  showRegions();
  $("drawing").focus();
}

function remove(region) {
  state.regions = state.regions.filter((other) => other !== region);
  if (!state.regions.length) clear();
  state.at = state.regions.length - 1;
  showRegions();
  $("drawing").focus();
}

const found = ({ corners }) => (corners.length < 3 ? null : inside(state.density, corners, state.size));

function showRegions() {
  draw(state);
  const now = state.regions[state.at];
  $("regions").replaceChildren(...state.regions.filter(({ corners }) => corners.length).map(listed));
  $("undo").disabled = !now.corners.length;
  $("next").disabled = now.corners.length < 3;
  tell();
}

function listed(region) {
  const item = document.createElement("li");
  const words = document.createElement("span");
  const count = found(region);
  words.textContent = `Region ${region.name}: `
    + (count === null ? `${region.corners.length} of 3 corners` : `${people(count)} people`);
  const button = document.createElement("button");
  Object.assign(button, { type: "button", textContent: "Remove" });
  button.setAttribute("aria-label", `Remove region ${region.name}`);
  button.addEventListener("click", () => remove(region));
  item.classList.toggle("now", region === state.regions[state.at]);
  item.append(words, button);
  return item;
}

function tell() {
  const { name, corners } = state.regions[state.at];
  const count = found({ corners });
  $("told").textContent = `Cross at ${state.cross.join(", ")}; region ${name} has ${corners.length} `
    + `corners${count === null ? "" : ` and ${people(count)} people`}.`;
}

function key(event) {
  const to = moved(state.cross, event, state.size);
  if (to) {
    state.cross = to;
    draw(state);
    tell();
  } else if (event.key === "Enter" || event.key === " ") corner(state.cross);
  else if (event.key === "Backspace") undo();
  else return;
  event.preventDefault();
}

// --- events ---

async function example(button) {
  const address = button.querySelector("img").src;
  const truth = button.textContent.trim();
  const data = await (await fetch(address)).blob();
  const name = `example-${Number(button.dataset.example) + 1}.jpg`;
  count(new File([data], name, { type: data.type }), truth);
}

function dropped(event) {
  event.preventDefault();
  document.body.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) count(file);
}

function listen() {
  $("file").addEventListener("change", ({ target }) => {
    if (target.files.length) count(target.files[0]);
    target.value = ""; // so that the same one can be chosen again
  });
  document.querySelectorAll("[data-example]").forEach((button) => {
    button.addEventListener("click", () => example(button));
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  document.addEventListener("dragleave", () => document.body.classList.remove("over"));
  document.addEventListener("drop", dropped);
  $("mix").addEventListener("input", mix);
  $("drawing").addEventListener("click", (event) => {
    state.cross = pointed(event, state.size);
    corner(state.cross);
  });
  $("drawing").addEventListener("keydown", key);
  $("undo").addEventListener("click", undo);
  $("next").addEventListener("click", next);
  $("photograph").addEventListener("error", () => {
    $("photograph").hidden = true;
    $("mix").value = 100;
    mix();
    say($("status").textContent, "This browser cannot show photographs of this format: here is the map alone.");
  });
  window.addEventListener("resize", () => state.size && draw(state));
}

listen();
