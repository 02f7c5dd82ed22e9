// Videos: counted frame by frame, shown as a curve of people over time.

const CURVE_HEIGHT = 240; // pixels
const MARGIN = { left: 52, right: 14, top: 14, bottom: 26 };

function isVideo({ name, type }) {
  const suffixes = document.body.dataset.videos.split(" ");
  return type.startsWith("video/") || suffixes.includes(name.slice(name.lastIndexOf(".")).toLowerCase());
}

// Counts a video; row.frames and row.answer grow with each line of the server's answer.
async function countVideo(row, signal, watch) {
  if (document.body.dataset.videos === "") {
    throw new Error(`${row.file.name} is a video, and the server cannot read videos: `
      + "install 'cpcnn_jax[video]' there");
  }
  const form = new FormData();
  form.append("video", row.file, row.file.name);
  row.frames = [];
  let [read, error] = [0, null];
  const readLines = ({ status, responseText }) => {
    const end = status === 200 ? responseText.lastIndexOf("\n") + 1 : 0;
    const lines = responseText.slice(read, end).split("\n").map(parseJson).filter(Boolean);
    read = Math.max(read, end);
    lines.forEach((line) => takeLine(row, line));
    error = lines.find((line) => line.error)?.error ?? error;
    if (row.frames.length && lines.length) watch.frames(row);
  };
  const request = await sendPatiently("count_video", form, signal, { ...watch, text: readLines })
    .catch((failure) => { throw row.frames.length && !signal.aborted ? new Error(describeEnd(row)) : failure; });
  readLines(request);
  if (row.answer?.notes) return;
  throw new Error(error ?? (row.frames.length ? describeEnd(row) : describeAnswer(request)));
}

const describeEnd = ({ frames }) => `The answer ended after ${formatNumber(frames.length, "frame")}: try again`;

function takeLine(row, line) {
  if ("frame" in line) row.frames.push(line);
  else if ("peak" in line) row.answer = { ...line, low: null, high: null };
  else if ("num_frames" in line) row.header = line;
  if ("frame" in line) row.answer = summarize(row);
}

// Summarizes the frames so far.
function summarize({ file, frames }) {
  const best = frames.reduce((most, frame) => (frame.count > most.count ? frame : most));
  const mean = frames.reduce((sum, { count }) => sum + count, 0) / frames.length;
  return { file: file.name, count: mean, low: null, high: null, peak: best.count, peak_seconds: best.seconds };
}

function formatTime(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function showVideo(row) {
  const { answer } = row;
  const peak = `at most ${formatPeople(answer.peak)} after ${formatTime(answer.peak_seconds)}`;
  showCount(row, `on average, ${peak}`, "");
  showNotes(answer.notes ?? []);
  $("work").hidden = true;
  $("film").hidden = false;
  $("mean").textContent = `mean: ${formatPeople(answer.count)}`;
  $("peak").textContent = `peak: ${peak.replace("at most ", "")}`;
  $("curve").setAttribute("aria-label", `People over time: ${formatPeople(answer.count)} on average, ${peak}`);
  openFilm(row);
  drawCurve(row);
}

// Opens the video in the player, which stays hidden until the first frame is there.
function openFilm({ file }) {
  if (state.film === file) return;
  state.film = file;
  const player = $("player");
  if (player.src) URL.revokeObjectURL(player.src);
  showPlayer(false);
  player.src = URL.createObjectURL(file);
}

function showPlayer(visible) {
  $("player").hidden = $("here").hidden = !visible;
  redrawCurve();
}

const redrawCurve = () => state.row?.frames && drawCurve(state.row);

// Shows the frame of the time at the pointer.
function seek({ clientX }) {
  const { left, width } = $("curve").getBoundingClientRect();
  const { end } = scaleTime(state.row, width);
  const share = (clientX - left - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
  if (!$("player").hidden) $("player").currentTime = end * Math.min(Math.max(share, 0), 1);
}

// Computes the end of the curve in seconds, and the place of a time in pixels.
function scaleTime({ frames, header, answer }, width) {
  const length = Math.max(frames.at(-1).seconds, answer.notes ? 0 : header.num_frames / header.rate, 1);
  const end = 2 * Math.ceil(length / 2); // so that the middle is a whole second, too
  return { end, toX: (seconds) => MARGIN.left + (seconds / end) * (width - MARGIN.left - MARGIN.right) };
}

// Describes the last counted frame that the player has reached.
function describeShown(frames, seconds) {
  const last = frames.findLast((frame) => frame.seconds <= seconds + 1e-3) ?? frames[0];
  return `shown: ${formatPeople(last.count)} after ${formatTime(last.seconds)}`;
}

// Rounds up to 1, 2 or 5 times a power of ten.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return power * [1, 2, 5, 10].find((step) => step * power >= value);
}

function drawCurve(row) {
  const { frames, answer } = row;
  const width = $("curve").clientWidth || 720;
  const top = roundUp(answer.peak);
  const { end, toX } = scaleTime(row, width);
  const toY = (people) => CURVE_HEIGHT - MARGIN.bottom
    - (Math.max(people, 0) / top) * (CURVE_HEIGHT - MARGIN.top - MARGIN.bottom);
  const toPoints = (counts) => counts.map((count, i) => `${toX(frames[i].seconds)},${toY(count)}`).join(" ");
  const makeLine = (people, name) => makeElement("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: toY(people), y2: toY(people), class: name });
  const grid = [0, top / 2, top].flatMap((people) => [makeLine(people, "grid"),
    makeElement("text", { x: MARGIN.left - 8, y: toY(people) + 4, "text-anchor": "end" }, people.toLocaleString("en"))]);
  const times = [0, end / 2, end].map((seconds, i) => makeElement("text",
    { x: toX(seconds), y: CURVE_HEIGHT - 6, "text-anchor": ["start", "middle", "end"][i] }, formatTime(seconds)));
  const counts = makeElement("polyline", { points: toPoints(frames.map(({ count }) => count)), class: "counts" });
  const smoothed = makeElement("polyline", { points: toPoints(answer.smoothed ?? []), class: "smoothed" });
  const peak = makeElement("circle", { cx: toX(answer.peak_seconds), cy: toY(answer.peak), r: 5, class: "peak" });
  const now = toX(Math.min($("player").currentTime, end));
  const here = $("player").hidden ? []
    : [makeElement("line", { x1: now, x2: now, y1: MARGIN.top, y2: CURVE_HEIGHT - MARGIN.bottom, class: "here" })];
  $("instant").textContent = describeShown(frames, $("player").currentTime);
  $("curve").setAttribute("viewBox", `0 0 ${width} ${CURVE_HEIGHT}`);
  $("curve").replaceChildren(...grid, ...times, makeLine(answer.count, "mean"), counts, smoothed, peak, ...here);
}

// The columns of `cpcnn_jax count --count-curve`.
function makeCurveTable({ frames, answer }) {
  return formatTable([["frame", "seconds", "count", "smoothed"],
    ...frames.map(({ frame, seconds, count }, i) => [frame, seconds, count, answer.smoothed?.[i]])]);
}
