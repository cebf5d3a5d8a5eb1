// Keeps what is used by, and the state of, the shown servers up to date. CPU is the share of one core since the last look. It rests while
// nobody looks at the page.
"use strict";

const table = document.getElementById("users");
const every = 5000; // milliseconds
let before = new Map();

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; bytes >= 1024 && i < units.length - 1; i++) {
    bytes /= 1024;
  }
  return bytes.toFixed(i ? 1 : 0) + " " + units[i];
}

// say shows a value, or a dash for none.
function say(cell, text) {
  cell.textContent = text ?? "–";
  cell.classList.toggle("none", text === undefined);
}

async function look() {
  const answer = await fetch(table.dataset.usageUrl, {
    headers: { Accept: "application/json", "X-XSRFToken": document.body.dataset.xsrfToken },
  });
  if (!answer.ok) {
    return;
  }
  const used = new Map(Object.entries(await answer.json()));
  const now = performance.now();
  for (const cell of table.querySelectorAll("[data-memory]")) {
    const unit = used.get(cell.dataset.memory);
    say(cell, unit?.memory_bytes === undefined ? undefined : size(unit.memory_bytes));
  }
  for (const cell of table.querySelectorAll("[data-tasks]")) {
    say(cell, used.get(cell.dataset.tasks)?.tasks);
  }
  for (const cell of table.querySelectorAll("[data-io]")) {
    const unit = used.get(cell.dataset.io);
    say(cell, unit?.io_read_bytes === undefined ? undefined : size(unit.io_read_bytes) + ", " + size(unit.io_written_bytes ?? 0));
  }
  const seen = new Map();
  for (const cell of table.querySelectorAll("[data-cpu]")) {
    const name = cell.dataset.cpu;
    const cpu = used.get(name)?.cpu_nanoseconds;
    const last = before.get(name);
    if (cpu === undefined) {
      say(cell, undefined);
      continue;
    }
    seen.set(name, { cpu, at: now });
    if (last && cpu >= last.cpu && now > last.at) {
      say(cell, ((cpu - last.cpu) / 1e4 / (now - last.at)).toFixed(0) + " %");
    }
  }
  before = seen;
}

// Servers that start or stop are looked at again, but never under the hands of somebody who is doing something.
function settling() {
  const idle = document.activeElement === document.body && !document.querySelector("details[open]");
  return idle && table.querySelector(".state:is(.queued, .starting, .stopping)");
}

async function watch() {
  if (!document.hidden) {
    await look().catch(() => {}); // the hub restarts: the next look will tell
    if (settling()) {
      location.reload();
      return;
    }
  }
  setTimeout(watch, every);
}

if (table?.dataset.usageUrl) {
  watch();
}
