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
  showCount(formatPeople(answer.count), describeRange(answer), row.truth && `(true count: ${row.truth})`);
  showNotes(answer.notes);
  $("film").hidden = true;
  $("work").hidden = false;
  setShape(state.size);
  drawHeads(answer.points, state.size);
  showImage(file);
  showMap();
  setDownload($("npy"), answer.density.npy, `${answer.file}.npy`);
  setDownload($("png"), answer.density.png, `${answer.file}.png`);
  const { offset, scale } = answer.density;
  $("meaning").textContent = `In the PNG, people per pixel = ${offset.toPrecision(5)} + `
    + `${scale.toPrecision(5)} × gray level (0 to 65,535).`;
  clearRegions();
}

const describeRange = ({ low, high }) => (low === null ? ""
  : `(${formatPeople(low)} to ${formatPeople(high)} in nine of ten such images)`);

function showCount(count, range, truth) {
  $("result").hidden = false;
  document.body.classList.add("with-result");
  $("count").textContent = count;
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

function showImage(file) {
  const image = $("image");
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  image.hidden = false;
}

function reportImage() {
  $("image").hidden = true;
  $("mix").value = 100;
  setOpacity();
  showStatus($("status").textContent, "This browser cannot show images of this format: only the map is shown.");
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
