// The large view of one photograph: its count, its range, its density map.

// Keeps the files of an answer as blobs, which a browser may store on its disk.
function keepAnswer(row, answer) {
  const { npy, png } = answer.density;
  Object.assign(answer.density, { npy: makeBlob(decodeBase64(npy)), png: makeBlob(decodeBase64(png)) });
  row.answer = answer;
}

const makeBlob = (data) => new Blob([data], { type: "application/octet-stream" });

function setDownload(link, blob, name) {
  if (link.href) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(blob);
  link.download = name;
}

async function showPhotograph(row) {
  const { answer, file } = row;
  const npy = new Uint8Array(await answer.density.npy.arrayBuffer());
  if (row !== state.row) return;
  state.size = { width: answer.width, height: answer.height };
  state.density = decodeDensity(answer.density, npy);
  state.cross = clampPoint([answer.width / 2, answer.height / 2], state.size);
  showCount(row, describeRange(answer), row.truth && `(true count: ${row.truth})`);
  showNotes(answer.notes);
  $("film").hidden = true;
  $("player").pause();
  $("work").hidden = false;
  setShape(state.size);
  drawHeads(answer.points, state.size);
  showImage(row);
  showMap();
  setDownload($("npy"), answer.density.npy, `${answer.file}.npy`);
  setDownload($("png"), answer.density.png, `${answer.file}.png`);
  const { offset, scale } = answer.density;
  $("meaning").textContent = `In the PNG, people per pixel = ${offset.toPrecision(5)} + `
    + `${scale.toPrecision(5)} × gray level (0 to 65,535).`;
  openRegions(row);
}

const describeRange = ({ low, high }) => (low === null ? ""
  : `(${formatPeople(low)} to ${formatPeople(high)} in nine of ten such images)`);

function showCount({ file, answer }, range, truth) {
  $("result").hidden = false;
  document.body.classList.add("with-result");
  $("shown").textContent = file.name;
  $("shown").hidden = state.rows.length < 2; // the status names a single file
  $("count").textContent = formatPeople(answer.count);
  $("range").textContent = range;
  $("truth").textContent = truth;
}

function showNotes(notes) {
  $("notes").replaceChildren(...notes.map((note) => {
    const item = document.createElement("li");
    item.textContent = makeSentence(note);
    return item;
  }));
}

function showImage({ file, answer }) {
  const image = $("image");
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  image.alt = file.name;
  $("map").setAttribute("aria-label", `Density map of ${file.name}: ${formatPeople(answer.count)} people`);
  image.hidden = $("mix").disabled = false;
}

// Shows the map alone, for an image that the browser cannot show.
function reportImage() {
  $("image").hidden = $("mix").disabled = true;
  setOpacity();
  showNotes([...state.row.answer.notes, "This browser cannot show images of this format: only the map is shown"]);
}

function showMap() {
  const map = downsample(state.density);
  const maximum = colorMaximum(map);
  drawMap($("map"), map, maximum);
  const shrunk = (state.density.width * state.density.height) / (state.size.width * state.size.height);
  const people = 1e4 * maximum * shrunk;
  $("maximum").textContent = `${Number(people.toPrecision(2))} people per 100×100 pixels`;
  $("colors").style.background = `linear-gradient(to right, ${INFERNO.map((c) => `rgb(${c})`)})`;
  setOpacity();
}

function setHeads() {
  $("heads").style.display = $("show").checked ? "" : "none";
}

function setOpacity() {
  $("map").style.opacity = $("mix").disabled ? 1 : $("mix").value / 100;
}
