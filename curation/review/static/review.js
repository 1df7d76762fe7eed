// The review page's keys and buttons. Everything shown is drawn by the server; this swaps it in and sends answers.

const desk = document.getElementById("desk");
const help = document.getElementById("help");
const said = document.getElementById("said");
const clip = () => document.getElementById("clip").dataset;
const video = () => desk.querySelector("video");
const reasons = () => document.getElementById("reasons");

const UNSEEN_MS = 400; // a second tap that comes sooner was meant for the clip before

let busy = false;
let shownAt = -UNSEEN_MS;
let slow = false;
let pending = null; // an answer that was sent but not confirmed keeps its key, so sending it again counts once
let frame = { at: 0, length: 1 / 25 };

const actions = {
  accept: () => answer("accept"),
  reject: () => showReasons(true),
  because: (button) => answer("reject", button.dataset.reason),
  cancel: () => showReasons(false),
  undo: () => clip().before && swap(() => fetch(`/desk/${encodeURIComponent(clip().before)}`), "Answer it anew."),
  onward: () => swap(() => fetch("/desk"), ""),
  play: playOrPause,
  help: () => (help.open ? help.close() : help.showModal()),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button || button.disabled) return;
  event.preventDefault();
  actions[button.dataset.do](button);
});

// Captured, or the player's own keys would act too.
document.addEventListener("keydown", onKey, true);

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select")) return;
  if (help.open) {
    if (event.key === "?") stop(event, actions.help);
    return;
  }
  const act = keyAction(event);
  if (act) stop(event, () => act());
}

function keyAction(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "," || key === ".") return video() && (() => step(key === "." ? 1 : -1));
  // A key that is held down must not answer the clips that follow.
  if (event.repeat) return null;
  if (key === "?") return actions.help;
  if (key === "u") return actions.undo;
  if (!clip().clip) return null;
  const choosing = !reasons().hidden;
  if (choosing && /^[1-8]$/.test(key)) return () => reasons().querySelectorAll("[data-reason]")[key - 1].click();
  if (key === "Escape") return choosing ? actions.cancel : clip().answered ? actions.onward : null;
  if (key === " " && event.target.closest("button, a")) return null;
  return { a: actions.accept, x: () => showReasons(!choosing), " ": playOrPause, l: toggleSpeed }[key] ?? null;
}

function stop(event, act) {
  event.preventDefault();
  event.stopPropagation();
  act();
}

function answer(verdict, reason = null) {
  if (performance.now() - shownAt < UNSEEN_MS) return;
  const body = { clip_id: clip().clip, verdict, reason };
  const same = pending && Object.keys(body).every((name) => pending[name] === body[name]);
  if (!same) pending = { ...body, key: crypto.randomUUID() };
  const words = verdict === "accept" ? "Accepted." : `Rejected: ${reasonText(reason)}.`;
  swap(
    () =>
      fetch("/verdict", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(pending),
      }),
    words,
  ).then((done) => done && (pending = null));
}

async function swap(request, words) {
  if (busy) return false;
  busy = true;
  desk.classList.add("busy");
  try {
    const response = await request();
    if (!response.ok) throw new Error(await why(response));
    desk.innerHTML = await response.text();
    shownAt = performance.now();
    settle();
    desk.focus({ preventScroll: true });
    say(words);
    return true;
  } catch (error) {
    say(error instanceof TypeError ? "The server does not answer; nothing was saved. Try again." : error.message, true);
    return false;
  } finally {
    busy = false;
    desk.classList.remove("busy");
  }
}

function reasonText(reason) {
  const button = reasons().querySelector(`[data-reason="${reason}"]`);
  return button.lastChild.textContent.trim().toLowerCase();
}

async function why(response) {
  if (response.status === 401) return "You are no longer signed in: open the link of a new `clapboard review serve`.";
  const told = await response.json().catch(() => null);
  return told ? `${told.error}. ${told.remedy}` : `The server failed (${response.status}); try again.`;
}

let silence = 0;
function say(words, problem = false) {
  said.textContent = words;
  said.classList.toggle("problem", problem);
  clearTimeout(silence);
  if (!problem) silence = setTimeout(() => (said.textContent = ""), 2500);
}

function settle() {
  const player = video();
  if (!player) return;
  applySpeed();
  frame = { at: 0, length: 1 / 25 };
  player.addEventListener("error", () => (desk.querySelector(".broken").hidden = false));
  player.addEventListener("playing", () => (desk.querySelector(".start").hidden = true));
  player.addEventListener("playing", warmNext, { once: true });
  if (player.requestVideoFrameCallback) player.requestVideoFrameCallback((_, seen) => watchFrames(player, seen));
  play(player);
}

// Browsers refuse sound before the first click or key; a silent clip could not be judged, so ask for one.
function play(player) {
  player.play().catch((error) => {
    if (error.name === "NotAllowedError") desk.querySelector(".start").hidden = false;
  });
}

function watchFrames(player, seen) {
  const gap = seen.mediaTime - frame.at;
  if (gap > 1 / 130 && gap < 1 / 8 && !player.paused) frame.length = gap;
  frame.at = seen.mediaTime;
  player.requestVideoFrameCallback((_, next) => watchFrames(player, next));
}

function step(direction) {
  const player = video();
  player.pause();
  // Aim at the middle of the frame, where rounding cannot fall into a neighbour.
  const at = (player.requestVideoFrameCallback ? frame.at : player.currentTime) + (direction + 0.5) * frame.length;
  player.currentTime = Math.min(Math.max(at, 0), player.duration || at);
}

function playOrPause() {
  const player = video();
  if (player.paused) play(player);
  else player.pause();
}

function toggleSpeed() {
  slow = !slow;
  applySpeed();
}

function applySpeed() {
  video().playbackRate = slow ? 0.5 : 1;
  desk.querySelector(".speed").hidden = !slow;
}

function showReasons(open) {
  if (!clip().clip) return;
  reasons().hidden = !open;
  desk.querySelector(".choice").hidden = open;
  desk.querySelector("[data-do=reject]").setAttribute("aria-expanded", String(open));
  // Not a button: the space bar shall go on playing the clip, never give a reason by surprise.
  (open ? reasons() : desk).focus({ preventScroll: true });
}

// The server cuts the next clip and the browser keeps it while this one is being judged.
function warmNext() {
  if (clip().after) fetch(`/media/${encodeURIComponent(clip().after)}`).then((response) => response.blob()).catch(() => {});
}

settle();
