// Follows the start of a server by the API's event stream. At the end the page is loaded again: the hub then leads to the
// server, or says why there is none. Without this script the page loads itself again every few seconds.
"use strict";

const progress = document.getElementById("progress");
const bar = document.getElementById("progress-bar");
const message = document.getElementById("progress-message");
const log = document.getElementById("progress-log");

const stream = new EventSource(progress.dataset.progressUrl);

stream.onmessage = (e) => {
  const event = JSON.parse(e.data);
  bar.value = event.progress;
  message.textContent = event.message;
  const line = document.createElement("li");
  line.className = "progress-log-event";
  line.textContent = event.message;
  log.append(line);
  if (event.ready || event.failed) {
    stream.close();
    location.reload();
  }
};

// A stream that breaks while the hub restarts is opened again by the browser. One that is refused is not: then the page
// looks for itself.
stream.onerror = () => {
  if (stream.readyState === EventSource.CLOSED) {
    setTimeout(() => location.reload(), 2000);
  }
};
