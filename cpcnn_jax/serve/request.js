// Requests to the server, and answers of others, such as proxies, in words.

const DOWN = "The server does not answer: check that it runs and is reachable, then try again";

const makeSentence = (text) => text.replace(/\.?$/, ".");

// Describes an answer that is not the counting server's, but for example a proxy's.
function describeStatus(status) {
  const meaning = {
    401: "The server wants a login: reload the page and sign in",
    403: "The server refused the request: reload the page and sign in, or ask who runs the server",
    404: "The server counts nothing at this address: reload the page",
    408: "The upload took too long: send a smaller file",
    413: "The file is too large for the server: send a smaller one",
    429: "The server has too many requests: try again later",
    502: "The counting server does not answer its proxy: try again later",
    503: "The server is not available: try again later",
    504: "The server took too long: send a smaller file or try again later",
  }[status];
  const general = status >= 500 ? "The server failed: try again later"
    : status >= 400 ? "The server refused the request: reload the page and try again"
      : "The answer is no count: reload the page and try again";
  return `${meaning ?? general} (status ${status})`;
}

// Parses the JSON of an answer; returns null for any other text.
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// Takes the server's own sentence from an answer, or describes its status.
function describeAnswer({ status, responseText }) {
  const error = parseJson(responseText.trim())?.error;
  return typeof error === "string" ? error : describeStatus(status);
}

// Sends a form and returns the finished request, until `signal` aborts.
// watch.upload gets the share that is sent; watch.text the text so far.
function send(address, form, signal, watch) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch reports no upload
    const abort = () => request.abort();
    signal.addEventListener("abort", abort, { once: true });
    request.addEventListener("loadend", () => signal.removeEventListener("abort", abort));
    request.addEventListener("load", () => resolve(request));
    request.addEventListener("error", () => reject(new Error(DOWN)));
    request.addEventListener("abort", () => reject(signal.reason));
    request.addEventListener("progress", () => watch.text(request));
    request.upload.addEventListener("progress", ({ loaded, total }) => watch.upload(loaded / total));
    request.open("POST", address);
    request.send(form);
  });
}

function pauseFor(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

// Sends a form; retries a busy server after its pause.
async function sendPatiently(address, form, signal, watch) {
  for (;;) {
    signal.throwIfAborted();
    const request = await send(address, form, signal, watch);
    const pause = Number(request.getResponseHeader("Retry-After"));
    if (request.status !== 503 || !(pause > 0)) return request;
    watch.busy(pause);
    await pauseFor(pause, signal);
  }
}

const formatSize = (bytes) => `${(bytes / 2 ** 20).toLocaleString("en", { maximumFractionDigits: 2 })} MiB`;

// Refuses a file that the browser cannot read or the server would not take.
async function checkFile(file, limit) {
  if (file.size > limit) {
    throw new Error(`${file.name} has ${formatSize(file.size)}, and the server takes `
      + `at most ${formatSize(limit)}: choose a smaller file`);
  }
  await file.slice(0, 1).arrayBuffer().catch(() => {
    throw new Error(`${file.name} cannot be read: choose the file again, and no folder`);
  });
}

// Counts a photograph; returns the server's answer.
async function countPhotograph(file, signal, watch) {
  const form = new FormData();
  form.append("photograph", file, file.name);
  form.append("density", "npy");
  form.append("density", "png");
  form.append("points", "true");
  const request = await sendPatiently("count", form, signal, watch);
  const answer = parseJson(request.responseText);
  if (request.status === 200 && answer?.density?.npy) return answer;
  throw new Error(describeAnswer(request));
}
