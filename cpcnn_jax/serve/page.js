// The page: its state, and the events that lead to the other files.

const $ = (id) => document.getElementById(id);
const state = { rows: [], row: null, failed: null, film: null, size: null, density: null, regions: [], current: 0, cross: [0, 0] };
const formatPeople = (n) => Math.max(0, Math.round(n)).toLocaleString("en");
const formatNumber = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

async function countExample(button) {
  const address = button.querySelector("img").src;
  const truth = button.textContent.trim();
  const name = `example-${Number(button.dataset.example) + 1}.jpg`;
  try {
    const response = await fetch(address);
    if (!response.ok) throw new Error(describeStatus(response.status));
    const data = await response.blob();
    addFiles([new File([data], name, { type: data.type })], truth);
  } catch (error) {
    showStatus("", makeSentence(error instanceof TypeError ? DOWN : error.message));
  }
}

function handleDrop(event) {
  event.preventDefault();
  document.body.classList.remove("over");
  addFiles(event.dataTransfer.files);
}

// Counts pasted images; browsers give them all the same name.
function handlePaste({ clipboardData }) {
  addFiles([...clipboardData.files].map((file) => (file.name !== "image.png" ? file
    : new File([file], `pasted-${state.rows.length + 1}.png`, { type: file.type }))));
}

function listenToFiles() {
  [$("file"), $("camera")].forEach((input) => input.addEventListener("change", () => {
    addFiles(input.files);
    input.value = ""; // allows the same file again
  }));
  document.querySelectorAll("[data-example]").forEach((button) => {
    button.addEventListener("click", () => countExample(button));
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  document.addEventListener("dragleave", () => document.body.classList.remove("over"));
  document.addEventListener("drop", handleDrop);
  document.addEventListener("paste", handlePaste);
  $("cancel").addEventListener("click", cancelAll);
  $("again").addEventListener("click", () => countAgain(state.failed));
  $("clear").addEventListener("click", clearList);
  $("csv").addEventListener("click", () => downloadTable(makeTable(state.rows), "counts.csv"));
}

function listenToResult() {
  $("mix").addEventListener("input", setOpacity);
  $("show").addEventListener("change", setHeads);
  $("drawing").addEventListener("click", (event) => {
    state.cross = pointerPosition(event, state.size);
    addCorner(state.cross);
  });
  $("drawing").addEventListener("keydown", handleKey);
  $("undo").addEventListener("click", removeCorner);
  $("next").addEventListener("click", addRegion);
  $("image").addEventListener("error", reportImage);
  $("curve").addEventListener("click", seek);
  $("player").addEventListener("error", () => showPlayer(false)); // a format that the browser cannot show
  $("player").addEventListener("loadedmetadata", () => showPlayer($("player").videoWidth > 0));
  ["timeupdate", "seeking"].forEach((name) => $("player").addEventListener(name, redrawCurve));
  $("curve-csv").addEventListener("click", () => downloadTable(makeCurveTable(state.row), `${state.row.file.name}.csv`));
  window.addEventListener("resize", () => {
    redrawCurve();
    if (state.size) drawRegions(state);
  });
}

listenToFiles();
listenToResult();
