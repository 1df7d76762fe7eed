// The review page. Clips come ahead of time, so an answer shows the next one at once; the answer itself travels behind.

import { Clip } from "./clip.js";
import { Refused, get, newKey, pageVersion, post } from "./http.js";
import { listen } from "./keys.js";
import { keepLeases } from "./leases.js";
import { Outbox } from "./outbox.js";
import { $, desk, say } from "./page.js";
import { goOnAnyway, showEmpty, showFacts, showProgress, showReasons, showTimeline } from "./shown.js";
import { showWhere, toggleWhere } from "./where.js";

const AHEAD = 3; // the clip on the desk and two more
const UNSEEN_MS = 250; // a second tap that comes sooner was meant for the clip before
const NUDGE_US = 10000;
const REMEMBERED = 50; // what was answered here, so that undo needs no server while the answer has not left
const UNDO_KEY = "clapboard-undo";

let shownAt = -UNSEEN_MS;
let unseenMs = 0;
let hiddenAt = null;
let filling = null;
let answers = 0; // how many were given on this page

const outbox = new Outbox({
  onChange: (count, offline, error) => {
    $("unsent").hidden = !(count && offline);
    if (!offline) return;
    $("unsent").textContent = `${count} ${count === 1 ? "answer waits" : "answers wait"} for the connection`;
    if (error?.status === 401) say(error.message, true);
  },
  onSent: (reply) => (showProgress(reply.progress, outbox.count), fill()),
  onRefused: (error, body) => {
    forget(body.key);
    say(error.message, error.kind !== "not_yours");
    fill();
  },
});

// ---- clips come and go

function fill() {
  filling ??= refill().finally(() => (filling = null));
  return filling;
}

async function refill() {
  // What was answered but has not arrived would be handed out again.
  if (outbox.count) return undefined;
  const before = answers;
  try {
    const { clips, progress } = await get(`/api/next?count=${AHEAD}`);
    // So would be what was answered since; once it has arrived, clips are asked for anew.
    if (answers !== before) return refill();
    showProgress(progress, outbox.count);
    const known = new Set(onDesk().map((one) => one.id));
    for (const told of clips) if (!known.has(told.clip_id)) desk.ahead.push(newClip(told));
    if (!desk.current) advance();
  } catch (error) {
    if (!desk.current) say(error instanceof TypeError ? "The server does not answer. Trying again." : error.message, true);
    setTimeout(fill, 2000);
  }
  return undefined;
}

const onDesk = () => [desk.current, ...desk.ahead].filter(Boolean);

const newClip = (told) =>
  new Clip(told, (clip) => {
    if (clip !== desk.current) return;
    clip.applySpan();
    showTimeline();
  });

function advance() {
  desk.current?.player.video.classList.add("waiting");
  desk.current = desk.ahead.shift() ?? null;
  show();
}

function show() {
  const { current } = desk;
  $("desk").dataset.state = current ? "clip" : outbox.count ? "waiting" : "empty";
  $("desk").dataset.clip = current?.id ?? "";
  $("empty").hidden = Boolean(current);
  for (const id of ["screen", "facts"]) $(id).hidden = !current;
  document.querySelector(".time").hidden = document.querySelector(".answer").hidden = !current;
  if (!current) {
    // Waiting for a clip says nothing about how fast one is shown.
    performance.clearMarks("answered");
    return showEmpty(outbox.count);
  }
  shownAt = performance.now();
  unseenMs = 0;
  hiddenAt = document.hidden ? shownAt : null;
  showReasons(false, false);
  current.player.setSpeed(desk.slow);
  current.applySpan();
  play(current.player);
  showFacts();
  showTimeline();
  $("screen").focus({ preventScroll: true });
}

function play(player) {
  const { video } = player;
  video.classList.remove("waiting");
  $("broken").hidden = !video.error;
  video.onerror = () => player === desk.current?.player && ($("broken").hidden = false);
  video.onplaying = () => {
    $("start").hidden = true;
    if (performance.getEntriesByName("answered", "mark").length) {
      performance.measure("answer to playing", "answered");
      performance.clearMarks("answered");
    }
  };
  start(player);
}

// Browsers refuse sound before the first click or key; a silent clip could not be judged, so ask for one.
function start(player) {
  player.play().catch((error) => {
    if (error.name === "NotAllowedError" && player === desk.current?.player) $("start").hidden = false;
  });
}

// What somebody else has now leaves the desk; nothing that was sent is touched.
function lose(clips) {
  const shown = clips.includes(desk.current);
  desk.ahead = desk.ahead.filter((one) => !clips.includes(one) || (one.player.remove(), false));
  if (shown) {
    desk.current.player.remove();
    advance();
    say("You were away for long: somebody else has that clip now. Here is another.");
  }
  fill();
}

// ---- answers

function answer(verdict, reason = null) {
  if (!desk.current || performance.now() - shownAt < UNSEEN_MS) return;
  performance.clearMarks("answered");
  performance.mark("answered");
  readFields();
  const done = desk.current;
  const seconds = Math.min((performance.now() - shownAt - unseenMs) / 1000, 3600);
  const body = {
    key: done.key, clip_id: done.id, verdict, reason, seconds: Math.round(seconds * 100) / 100,
    page: pageVersion, ...(verdict === "accept" ? done.changes() : {}),
  };
  answers += 1;
  desk.past.push(done);
  if (desk.past.length > REMEMBERED) desk.past.shift().player.remove();
  done.player.pause();
  // From here on undo means this answer.
  sessionStorage.removeItem(UNDO_KEY);
  outbox.put("/api/answers", body);
  advance();
  if (desk.current) performance.measure("answer to drawn", "answered");
  say(verdict === "accept" ? "Accepted." : verdict === "skip" ? "Skipped." : `Rejected: ${reasonText(reason)}.`);
}

const reasonText = (reason) =>
  document.querySelector(`[data-reason="${reason}"]`).lastChild.textContent.trim().toLowerCase();

function forget(key) {
  desk.past = desk.past.filter((one) => one.key !== key || (one.player.remove(), false));
}

let undoing = Promise.resolve();
let undos = 0;

// One at a time, in the order of the keys; while nothing comes back, one is enough.
function undo() {
  if (undos && outbox.offline) return say("It is taken back as soon as the server answers.");
  undos += 1;
  undoing = undoing.then(takeBack).finally(() => (undos -= 1));
  return undefined;
}

async function takeBack() {
  const last = desk.past.at(-1);
  if (last && outbox.takeBack(last.key)) {
    desk.past.pop();
    return putBack(last);
  }
  try {
    if (outbox.offline) say("It is taken back as soon as the server answers.");
    await outbox.flush();
    // Who went on meanwhile has another newest answer, and did not mean that one.
    if (desk.past.at(-1) !== last) return undefined;
    const { clip, progress } = await post("/api/undo", { key: undoKey(), page: pageVersion });
    sessionStorage.removeItem(UNDO_KEY);
    showProgress(progress, outbox.count);
    if (!clip) return say("There is nothing to undo.");
    const kept = desk.past.at(-1)?.id === clip.clip_id ? desk.past.pop() : null;
    if (kept) kept.told = { ...clip, edits: kept.told.edits };
    putBack(kept ?? newClip(clip));
  } catch (error) {
    if (error instanceof Refused && !error.passes) sessionStorage.removeItem(UNDO_KEY);
    say(error instanceof TypeError ? "The server does not answer. Undo again when it does." : error.message, true);
  }
  return undefined;
}

// The same until the server has answered: it may have heard us though we did not hear it, and would undo one more.
function undoKey() {
  const key = sessionStorage.getItem(UNDO_KEY) ?? newKey();
  sessionStorage.setItem(UNDO_KEY, key);
  return key;
}

function putBack(clip) {
  clip.key = newKey();
  if (desk.current) {
    desk.current.player.pause();
    desk.current.player.video.classList.add("waiting");
    desk.ahead.unshift(desk.current);
  }
  // It may have been handed out again already.
  desk.ahead = desk.ahead.filter((one) => one.id !== clip.id || (one.player.remove(), false));
  desk.current = clip;
  show();
  say("Taken back. Answer it anew.");
}

function readFields() {
  desk.current.edits.label = $("label").value.trim();
  desk.current.edits.caption = $("caption").value.trim();
}

// ---- keys and buttons

// An action on the clip that is shown, if there is one.
const onClip = (act) => (button, event) => {
  if (!desk.current) return;
  act(desk.current, event);
  showTimeline();
};

const actions = {
  accept: () => answer("accept"),
  skip: () => answer("skip"),
  reject: () => showReasons($("reasons").hidden),
  because: (button) => answer("reject", button.dataset.reason),
  cancel: () => showReasons(false),
  undo,
  play: () => desk.current && (desk.current.player.video.paused ? start(desk.current.player) : desk.current.player.pause()),
  stepBack: () => desk.current?.player.step(-1),
  stepOn: () => desk.current?.player.step(1),
  markIn: onClip((clip) => clip.markHere("in")),
  markOut: onClip((clip) => clip.markHere("out")),
  split: onClip((clip) => say(clip.split())),
  soundEarlier: onClip((clip, event) => clip.moveSound(event?.shiftKey ? -clip.frameUs : -NUDGE_US)),
  soundLater: onClip((clip, event) => clip.moveSound(event?.shiftKey ? clip.frameUs : NUDGE_US)),
  reset: onClip((clip) => (clip.reset(), showFacts())),
  loop: onClip(({ player }) => (player.loop = !player.loop)),
  speed: onClip(({ player }) => player.setSpeed((desk.slow = !desk.slow))),
  mute: onClip(({ player }) => (player.video.muted = !player.video.muted)),
  blind: () => ($("players").classList.toggle("blind"), showTimeline(), showWhere()),
  where: toggleWhere,
  edit: () => $("caption").focus(),
  help: () => ($("help").open ? $("help").close() : $("help").showModal()),
  goOn: goOnAnyway,
  reload: fill,
};

listen(actions, (side, by) => onClip((clip) => clip.trimByFrame(side, by))());

// ---- time away

document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenAt = performance.now();
  else if (hiddenAt !== null) {
    unseenMs += performance.now() - Math.max(hiddenAt, shownAt);
    hiddenAt = null;
  }
});

keepLeases({ clips: onDesk, onLost: lose, whenIdle: fill });

get("/api/labels")
  .then((labels) => $("labels").replaceChildren(...labels.map((label) => Object.assign(document.createElement("option"), { value: label }))))
  .catch(() => {});

outbox.flush().then(fill);
