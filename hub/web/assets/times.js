// Shows every time in the reader's own zone and manner. Without it they are read in UTC.
"use strict";

for (const at of document.querySelectorAll("time[datetime]")) {
  const date = new Date(at.dateTime);
  at.title = at.textContent;
  at.textContent = date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
