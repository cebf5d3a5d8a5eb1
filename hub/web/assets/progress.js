// Follows the start of a server by the API's event stream. At the end the page is loaded again: the hub then leads to the
// server, or says why there is none. Without this script the page loads itself again every few seconds.
"use strict";

const progress = document.getElementById("progress");
const bar = document.getElementById("progress-bar");
const message = document.getElementById("progress-message");
const log = document.getElementById("progress-log");

const countdown = document.getElementById("progress-countdown");

// What is counted down to: the turn of a server in line, or the moment when a start is given up. The second is a moment of
// the hub's clock; both are shown as a span, so that a clock that is wrong here does little harm.
let target = 0;
let words = "";

const count = (until, text) => {
  target = until;
  words = text;
  tick();
};

const tick = () => {
  const left = Math.ceil((target - Date.now()) / 1000);
  countdown.textContent = target && left > 0 ? words.replace("%", left >= 120 ? Math.round(left / 60) + " minutes" : left + " s") : "";
};

setInterval(tick, 1000);

const stream = new EventSource(progress.dataset.progressUrl);

stream.onmessage = (e) => {
  const event = JSON.parse(e.data);
  bar.value = event.progress;
  message.textContent = event.message;
  if (event.position) {
    const wait = event.estimate_seconds;
    count(wait ? Date.now() + wait * 1000 : 0, "Place " + event.position + " in line; about % to go");
  } else if (event.deadline) {
    count(Date.parse(event.deadline), "% left until this start is given up");
  } else {
    count(0, "");
  }
  const line = document.createElement("li");
  line.className = "progress-log-event";
  line.textContent = event.message;
  log.append(line);
  if (event.ready || event.failed) {
    stream.close();
    location.reload();
  }
};

// Whoever cancels is led on by the form. The end of the start, told meanwhile, must not take that page away.
document.querySelector("main form").addEventListener("submit", () => stream.close());

// A stream that breaks while the hub restarts is opened again by the browser. One that is refused is not: then the page
// looks for itself.
stream.onerror = () => {
  if (stream.readyState === EventSource.CLOSED) {
    setTimeout(() => location.reload(), 2000);
  }
};
