// Files counted one after the other, with their progress, until Cancel.

const batch = { rows: [], abort: null, shown: false, busy: false };
const progress = { text: "", start: 0, timer: null };

// `failed` is a row that a button offers to count again.
function showStatus(status, problem = "", failed = null) {
  $("status").textContent = status;
  state.failed = failed;
  $("again").hidden = !failed;
  $("problem").textContent = problem;
  $("problem").hidden = !problem;
}

// Adds files to the list and counts those that wait. Examples leave the list.
function addFiles(files, truth = "") {
  if (!files.length) return;
  dropExamples();
  const rows = [...files].map((file) => makeRow(file, truth));
  state.rows.push(...rows);
  batch.rows.push(...rows);
  showList();
  if (!batch.busy) countAll();
}

function dropExamples() {
  const isOwn = (row) => !row.truth;
  batch.rows.filter((row) => row.truth).forEach((row) => {
    if (row.state === "counting") batch.abort();
    row.state = "canceled";
  });
  batch.rows = batch.rows.filter(isOwn);
  state.rows = state.rows.filter(isOwn);
}

// Counts a file again that failed or was canceled.
function countAgain(row) {
  if (!batch.rows.includes(row)) batch.rows.push(row);
  row.problem = "";
  setState(row, "waiting");
  if (!batch.busy) countAll();
}

async function countAll() {
  Object.assign(batch, { busy: true, shown: false });
  document.body.classList.add("busy");
  $("now").hidden = false;
  $("now").scrollIntoView({ block: "nearest" });
  const findNext = () => batch.rows.find((row) => row.state === "waiting");
  for (let row = findNext(); row; row = findNext()) await countRow(row);
  if (batch.rows.length > 1) showStatus(describeBatch());
  if (document.activeElement === $("cancel")) $("file").focus();
  $("now").hidden = true;
  document.body.classList.remove("busy");
  Object.assign(batch, { busy: false, rows: [] });
}

async function countRow(row) {
  const controller = new AbortController(); // the server drops requests of disconnected clients
  batch.abort = () => controller.abort();
  setState(row, "counting");
  const [place, number] = [batch.rows.indexOf(row) + 1, batch.rows.length];
  showStatus(`Counting ${number > 1 ? `${place} of ${number}: ` : ""}${row.file.name} …`);
  reveal(row);
  drawThumbnail(row);
  startProgress();
  try {
    await countFile(row, controller.signal);
    controller.signal.throwIfAborted();
    setState(row, "counted");
    await showFirst(row);
    showStatus(describeRow(row));
  } catch (error) {
    reportFailure(row, controller.signal.aborted ? null : makeSentence(error.message));
  } finally {
    clearInterval(progress.timer);
  }
}

async function countFile(row, signal) {
  const { maxBody, maxVideo } = document.body.dataset;
  const video = isVideo(row.file);
  await checkFile(row.file, Number(video ? maxVideo : maxBody));
  if (video) await countVideo(row, signal, watchProgress());
  else keepAnswer(row, await countPhotograph(row.file, signal, watchProgress()));
}

function setState(row, name) {
  row.state = name;
  updateRow(row);
}

// Shows the first result of a batch; the others wait for a click, so that regions stay.
async function showFirst(row) {
  if (batch.shown || !batch.rows.includes(row)) return;
  batch.shown = true;
  await showRow(row);
}

// Keeps the reason in the row; null is a cancellation. Counted frames of a video hold.
function reportFailure(row, problem) {
  const { file, frames } = row;
  const end = frames?.length ? `canceled after ${formatNumber(frames.length, "frame")}` : "not counted, canceled";
  row.problem = problem ?? (frames?.length ? `${end}.` : "");
  setState(row, problem ? "failed" : "canceled");
  if (batch.rows.length > 1 || !batch.rows.includes(row)) return;
  showStatus(problem ? "" : `${file.name}: ${end}.`, problem ?? "", row);
}

function describeRow({ answer, frames }) {
  if (frames) {
    return `${answer.file}: ${formatPeople(answer.count)} people on average in ${formatNumber(frames.length, "frame")}, `
      + `counted in ${answer.seconds.toFixed(1)} s.`;
  }
  return `${answer.file}: ${formatPeople(answer.count)} people in `
    + `${answer.width}×${answer.height} pixels, counted in ${answer.seconds.toFixed(1)} s.`;
}

function describeBatch() {
  const having = (name) => batch.rows.filter((row) => row.state === name).length;
  const parts = [`${having("counted")} of ${batch.rows.length} files counted`];
  if (having("failed")) parts.push(`${having("failed")} failed, see the list`);
  if (having("canceled")) parts.push(`${having("canceled")} canceled`);
  return `${parts.join("; ")}.`;
}

function cancelAll() {
  batch.rows.filter((row) => row.state === "waiting").forEach((row) => setState(row, "canceled"));
  batch.abort?.();
}

// --- progress ---

function startProgress() {
  Object.assign(progress, { text: "", start: Date.now() });
  progress.timer = setInterval(showElapsed, 1000);
  setProgress(0, "uploading");
}

// Sets the bar to a share, or in motion for null, beside a text and the elapsed time.
function setProgress(share, text) {
  if (share === null) $("progress").removeAttribute("value");
  else $("progress").value = share;
  progress.text = text;
  showElapsed();
}

function showElapsed() {
  const seconds = Math.floor((Date.now() - progress.start) / 1000);
  $("elapsed").textContent = `${progress.text}, ${seconds} s`;
}

function watchProgress() {
  return {
    upload: (share) => (share < 1 ? setProgress(share, `uploading, ${Math.floor(100 * share)} %`)
      : setProgress(null, "waiting and counting")),
    busy: (pause) => showStatus(`The server is busy; next try in ${pause} s …`),
    text: () => {},
    frames: showFrames,
  };
}

// Shows the frames of a video so far.
function showFrames(row) {
  const { frames, header } = row;
  const [number, all] = [frames.length, header?.num_frames];
  setProgress(all ? Math.min(number / all, 1) : null, `${number}${all ? ` of ${all}` : ""} frames counted`);
  updateRow(row);
  if (row === state.row) showVideo(row);
  else showFirst(row);
}
