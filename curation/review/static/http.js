// Requests of the review page: JSON in and out, with the page's token; failures carry what mends them.

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

export const reviewer = meta("reviewer");
export const pageVersion = meta("page-version");

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const get = (path) => ask(path, { method: "GET" });

export const post = (path, body = {}, more = {}) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Clapboard-Token": meta("form-token") },
    body: JSON.stringify(body),
    ...more,
  });

async function ask(path, options) {
  const response = await fetch(path, options);
  if (response.ok) return response.status === 204 ? null : response.json();
  throw new Refused(response.status, await why(response));
}

async function why(response) {
  if (response.status === 401) return "You are no longer signed in: open the page anew.";
  const told = await response.json().catch(() => null);
  return told?.error ? `${told.error}. ${told.remedy}` : `The server failed (${response.status}).`;
}
