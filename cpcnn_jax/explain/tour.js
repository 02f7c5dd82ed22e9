// The steps from the direct convolution to the transposed one; their words are in tour.html.

const chapters = [...document.querySelectorAll("#tour li")];
const TOUR = chapters.map((item) => item.dataset.link ?? "");

function goToChapter(number) {
  useSettings({ ...readLink(TOUR[number]), tour: number });
}

function showTour() {
  chapters.forEach((item, n) => item.classList.toggle("current", n === state.tour));
  document.querySelectorAll("#chapters button").forEach((button) => {
    const current = Number(button.dataset.chapter) === state.tour;
    if (current) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
  $("earlier").disabled = state.tour < 2;
  $("later").disabled = state.tour === TOUR.length - 1;
  $("later").textContent = state.tour ? "Next" : "Start";
}

// Sum of (C z) x, with the layer's input x and a ramp z; the adjoint gives the same.
function formatAdjoint(e) {
  const dot = (a, b) => a.flat().reduce((sum, v, n) => sum + v * b.flat()[n], 0);
  const direct = e.transposed ? transpose(e.matrix) : e.matrix;
  const [z, x] = e.transposed ? [e.original, e.x] : [e.original, ramp(e.shape)];
  const first = dot([times(direct, z.flat())], x);
  const second = dot([times(transpose(direct), x.flat())], z);
  return `${number(first)} and ${number(second)}`;
}

// A still picture of each step, for paper.
function drawChapters() {
  chapters.slice(1).forEach((item, n) => {
    const { x, kernel, layers } = readLink(TOUR[n + 1]);
    const e = explain(x, kernel, layers);
    const steps = e.output.flat().map((_, index) => [Math.floor(index / e.shape[1]), index % e.shape[1]]);
    const count = ([r, c]) => terms(e.inputShape, e.layers, r, c).length;
    const [r, c] = steps.reduce((best, cell) => (count(cell) > count(best) ? cell : best));
    if (item.querySelector("#ownadjoint")) $("ownadjoint").textContent = formatAdjoint(e);
    const figure = item.querySelector("figure");
    figure.innerHTML = `${drawStage(e, r, c)}<figcaption>${typeset(outputSum(e, r, c))}</figcaption>`;
  });
}

function buildTour() {
  const button = (n) => `<button type="button" data-chapter="${n}" aria-label="Step ${n}: ${
    chapters[n].querySelector("h2").textContent}">${n}</button>`;
  $("chapters").innerHTML = range(TOUR.length - 1).map((n) => button(n + 1)).join("");
  $("chapters").addEventListener("click", (event) => {
    if (event.target.dataset.chapter) goToChapter(Number(event.target.dataset.chapter));
  });
  $("earlier").addEventListener("click", () => goToChapter(state.tour - 1));
  $("later").addEventListener("click", () => goToChapter(state.tour + 1));
  $("tour").addEventListener("click", (event) => {
    const target = event.target.dataset.show;
    if (target) $(target).scrollIntoView({ behavior: "smooth" });
  });
  drawChapters();
  showTour();
}
