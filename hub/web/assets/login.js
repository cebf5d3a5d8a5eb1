// Lets whoever types a password look at it. It is hidden again when the form is sent, so that no browser keeps it as text.
"use strict";

const password = document.getElementById("password_input");
const toggle = document.getElementById("toggle_password_visibility");

function reveal(seen) {
  password.type = seen ? "text" : "password";
  toggle.setAttribute("aria-pressed", String(seen));
}

toggle.hidden = false;
toggle.addEventListener("click", () => reveal(password.type === "password"));
password.form.addEventListener("submit", () => reveal(false));
