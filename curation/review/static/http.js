// Requests of the review page: JSON in and out, with the page's token; failures carry what mends them.

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

export const reviewer = meta("reviewer");
export const pageVersion = meta("page-version");

// `kind` is "not_yours" where a clip has gone to somebody else.
export class Refused extends Error {
  constructor(status, message, kind = "") {
    super(message);
    Object.assign(this, { status, kind });
  }

  // Whether asking again may help: after a restart, a new sign-in, a pause.
  get passes() {
    return this.status >= 500 || [401, 403, 429].includes(this.status);
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

// A random UUID. Browsers have one of their own only where the page came by https or from this machine.
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

async function ask(path, options) {
  const response = await fetch(path, options);
  if (response.ok) return response.status === 204 ? null : response.json();
  if (response.status === 401) throw new Refused(401, "You are no longer signed in: open the page anew.");
  const told = await response.json().catch(() => null);
  const words = told?.error ? `${sentence(told.error)} ${sentence(told.remedy)}` : `The server failed (${response.status}).`;
  throw new Refused(response.status, words, told?.kind);
}

// As one: capital letter, full stop.
export const sentence = (words) => `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;
