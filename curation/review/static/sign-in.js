// Sends name and password, and goes on to the queue when they fit.

import { sentence } from "./http.js";

const form = document.getElementById("sign-in");
const problem = document.getElementById("problem");

document.getElementById("in-the-open").hidden = isSecureContext;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = Object.fromEntries(new FormData(form));
  const response = await fetch("/sign-in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(given),
  }).catch(() => null);
  if (response?.ok) {
    location.assign("/");
    return;
  }
  const told = await response?.json().catch(() => null);
  problem.textContent = told ? `${sentence(told.error)} ${sentence(told.remedy)}` : "The server does not answer.";
  problem.hidden = false;
  form.elements.password.select();
});
