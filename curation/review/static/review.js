// The review page. Clips come ahead of time, so an answer shows the next one at once; the answer itself travels behind.

import { get, pageVersion, post } from "./http.js";
import { Outbox } from "./outbox.js";
import { Player } from "./player.js";
import { Timeline } from "./timeline.js";

const AHEAD = 3; // the clip on the desk and two more
const HOLD_MS = 30000;
const UNSEEN_MS = 250; // a second tap that comes sooner was meant for the clip before
const NUDGE_US = 10000;
const HEAR_MS = 250; // a moved sound is cut anew once the keys rest
const REMEMBERED = 50;

const $ = (id) => document.getElementById(id);
const desk = $("desk");

let current = null;
let ahead = [];
let past = []; // what was answered here, so that undo needs no server while the answer has not left
let shownAt = -UNSEEN_MS;
let unseenMs = 0;
let hiddenAt = null;
let slow = false;
let filling = null;
let goOn = false;

const outbox = new Outbox({
  onChange: (count, offline, error) => {
    $("unsent").hidden = !(count && offline);
    if (!offline) return;
    $("unsent").textContent = `${count} ${count === 1 ? "answer waits" : "answers wait"} for the connection`;
    if (error?.status === 401) say(error.message, true);
  },
  onSent: (reply) => (showProgress(reply.progress), fill()),
  onRefused: (error) => (say(error.message, true), fill()),
});

const timeline = new Timeline($("timeline"), {
  onSeek: (at) => current && (current.player.seek(at), tick()),
  onTrim: (side, at) => current && trim(side, nearest(at)),
});

// ---- clips come and go

class Clip {
  constructor(told) {
    this.told = told;
    this.key = crypto.randomUUID();
    this.player = new Player(told, $("players"));
    this.curves = null;
    this.edits = { in: 0, out: Infinity, splits: [], lateUs: told.sound_late_us, label: told.label, caption: told.caption };
    this.loaded = get(`/api/clips/${encodeURIComponent(told.clip_id)}/curves`)
      .then((curves) => {
        this.curves = curves;
        this.player.frames = curves.frames_s;
        this.edits.out = Math.min(this.edits.out, curves.duration_s);
        this.#restore();
        if (this === current) (this.applySpan(), showTimeline());
      })
      .catch(() => {});
  }

  // Edits of an answer that was taken back come as times of the source.
  #restore() {
    const { edits, start_us } = this.told;
    const at = (us) => this.curves.frames_s.reduce((best, one) => (Math.abs(one - us) < Math.abs(best - us) ? one : best), 0);
    if (edits.label !== null) this.edits.label = edits.label;
    if (edits.caption !== null) this.edits.caption = edits.caption;
    if (edits.sound_late_us !== null) this.edits.lateUs = edits.sound_late_us;
    if (edits.parts) {
      const seconds = edits.parts.flat().map((us) => (us - start_us) / 1e6);
      const last = seconds.at(-1);
      this.edits.in = at(seconds[0]);
      this.edits.out = Math.abs(last - this.curves.duration_s) < 1e-3 ? this.curves.duration_s : at(last);
      this.edits.splits = edits.parts.slice(1).map(([us]) => at((us - start_us) / 1e6));
    }
    this.told.edits = { label: null, caption: null, parts: null, sound_late_us: null };
    if (this === current) showFacts();
  }

  get trimmed() {
    return Boolean(this.curves) && (this.edits.in > 0 || this.edits.out < this.curves.duration_s || this.edits.splits.length > 0);
  }

  applySpan() {
    this.player.span = [this.edits.in, this.edits.out];
  }

  // The edits as the ledger keeps them: what was not touched is left out.
  changes() {
    const { told, edits } = this;
    const changed = {};
    if (edits.label !== told.label) changed.label = edits.label;
    if (edits.caption !== told.caption) changed.caption = edits.caption;
    if (edits.lateUs !== told.sound_late_us) changed.sound_late_us = edits.lateUs;
    if (this.trimmed) {
      const us = (seconds) =>
        seconds >= this.curves.duration_s ? told.end_us : told.start_us + Math.round(seconds * 1e6);
      const edges = [edits.in, ...edits.splits, edits.out].map(us);
      changed.parts = edges.slice(1).map((end, number) => [edges[number], end]);
    }
    return changed;
  }
}

function fill() {
  filling ??= refill().finally(() => (filling = null));
  return filling;
}

async function refill() {
  // What was answered but has not arrived would be handed out again.
  if (outbox.count) return;
  try {
    const { clips, progress } = await get(`/api/next?count=${AHEAD}`);
    showProgress(progress);
    if (outbox.count) return;
    const known = new Set([current, ...ahead].filter(Boolean).map((one) => one.told.clip_id));
    for (const told of clips) if (!known.has(told.clip_id)) ahead.push(new Clip(told));
    if (!current) advance();
  } catch (error) {
    if (!current) say(error instanceof TypeError ? "The server does not answer. Trying again." : error.message, true);
    setTimeout(fill, 2000);
  }
}

function advance() {
  current?.player.video.classList.add("waiting");
  current = ahead.shift() ?? null;
  show();
}

function show() {
  desk.dataset.state = current ? "clip" : outbox.count ? "waiting" : "empty";
  desk.dataset.clip = current?.told.clip_id ?? "";
  $("empty").hidden = Boolean(current);
  for (const id of ["screen", "facts"]) $(id).hidden = !current;
  document.querySelector(".time").hidden = document.querySelector(".answer").hidden = !current;
  if (!current) return showEmpty();
  shownAt = performance.now();
  unseenMs = 0;
  hiddenAt = document.hidden ? shownAt : null;
  showReasons(false, false);
  const { player } = current;
  const { video } = player;
  player.setSpeed(slow);
  current.applySpan();
  video.classList.remove("waiting");
  $("broken").hidden = !video.error;
  video.onerror = () => ($("broken").hidden = false);
  video.onplaying = () => {
    $("start").hidden = true;
    if (performance.getEntriesByName("answered", "mark").length) {
      performance.measure("answer to playing", "answered");
      performance.clearMarks("answered");
    }
  };
  start(player);
  showFacts();
  showTimeline();
  $("screen").focus({ preventScroll: true });
}

// Browsers refuse sound before the first click or key; a silent clip could not be judged, so ask for one.
function start(player) {
  player.play().catch((error) => {
    if (error.name === "NotAllowedError" && player === current?.player) $("start").hidden = false;
  });
}

// ---- answers

function answer(verdict, reason = null) {
  if (!current || performance.now() - shownAt < UNSEEN_MS) return;
  performance.clearMarks("answered");
  performance.mark("answered");
  readFields();
  const done = current;
  const seconds = Math.min((performance.now() - shownAt - unseenMs) / 1000, 3600);
  const body = {
    key: done.key, clip_id: done.told.clip_id, verdict, reason, seconds: Math.round(seconds * 100) / 100,
    page: pageVersion, ...(verdict === "accept" ? done.changes() : {}),
  };
  past.push(done);
  if (past.length > REMEMBERED) past.shift().player.remove();
  done.player.pause();
  outbox.put("/api/answers", body);
  advance();
  say(verdict === "accept" ? "Accepted." : verdict === "skip" ? "Skipped." : `Rejected: ${reasonText(reason)}.`);
}

async function undo() {
  const last = past.at(-1);
  if (last && outbox.takeBack(last.key)) {
    past.pop();
    return putBack(last);
  }
  try {
    await outbox.flush();
    const { clip, progress } = await post("/api/undo", { key: crypto.randomUUID(), page: pageVersion });
    showProgress(progress);
    if (!clip) return say("There is nothing to undo.");
    const kept = past.at(-1)?.told.clip_id === clip.clip_id ? past.pop() : null;
    if (kept) kept.told = { ...clip, edits: kept.told.edits };
    putBack(kept ?? new Clip(clip));
  } catch (error) {
    say(error instanceof TypeError ? "The server does not answer; nothing was undone." : error.message, true);
  }
}

function putBack(clip) {
  clip.key = crypto.randomUUID();
  if (current) {
    current.player.pause();
    current.player.video.classList.add("waiting");
    ahead.unshift(current);
  }
  // It may have been handed out again already.
  ahead = ahead.filter((one) => one.told.clip_id !== clip.told.clip_id || (one.player.remove(), false));
  current = clip;
  show();
  say("Taken back. Answer it anew.");
}

// ---- edits

const nearest = (at) => {
  const frames = current.player.frames;
  const end = current.curves.duration_s;
  return [...frames, end].reduce((best, one) => (Math.abs(one - at) < Math.abs(best - at) ? one : best), end);
};

function trim(side, at) {
  if (!current?.curves) return;
  const { edits, curves } = current;
  if (side === "in" && at < edits.out) edits.in = at;
  if (side === "out" && at > edits.in) edits.out = Math.min(at, curves.duration_s);
  edits.splits = edits.splits.filter((one) => one > edits.in && one < edits.out);
  current.applySpan();
  showTimeline();
}

function trimByFrame(side, by) {
  if (!current?.curves) return;
  const edges = [...current.player.frames, current.curves.duration_s];
  const at = edges.indexOf(current.edits[side]);
  trim(side, edges[Math.min(Math.max(at + by, 0), edges.length - 1)]);
}

// The end mark keeps the frame that is shown.
function markHere(side) {
  if (!current?.curves) return;
  const { player, curves } = current;
  const edges = [...player.frames, curves.duration_s];
  trim(side, edges[player.frame + (side === "out" ? 1 : 0)]);
}

function split() {
  if (!current?.curves) return;
  const { edits, player } = current;
  const at = player.frames[player.frame];
  if (edits.splits.includes(at)) edits.splits = edits.splits.filter((one) => one !== at);
  else if (at > edits.in && at < edits.out) edits.splits = [...edits.splits, at].sort((one, other) => one - other);
  else return say("Split between start and end.");
  showTimeline();
  say(edits.splits.length ? `${edits.splits.length + 1} clips.` : "One clip again.");
}

let hearing = 0;
function moveSound(byUs) {
  if (!current) return;
  current.edits.lateUs -= byUs;
  showTimeline();
  clearTimeout(hearing);
  const clip = current;
  hearing = setTimeout(() => clip.player.load(clip.edits.lateUs), HEAR_MS);
}

const frameUs = () => {
  const frames = current?.player.frames ?? [];
  return frames.length > 1 ? Math.round(((frames.at(-1) - frames[0]) / (frames.length - 1)) * 1e6) : 40000;
};

function reset() {
  if (!current) return;
  const { told, edits, curves } = current;
  const moved = edits.lateUs !== told.sound_late_us;
  Object.assign(edits, { in: 0, out: curves?.duration_s ?? Infinity, splits: [], lateUs: told.sound_late_us, label: told.label, caption: told.caption });
  current.applySpan();
  if (moved) current.player.load(told.sound_late_us);
  showFacts();
  showTimeline();
}

function readFields() {
  current.edits.label = $("label").value.trim();
  current.edits.caption = $("caption").value.trim();
}

// ---- what is shown

function showFacts() {
  const { told, edits } = current;
  $("label").value = edits.label;
  $("caption").value = edits.caption;
  $("disputed").hidden = !told.disputed;
  $("why").replaceChildren(...told.why.map((text) => element("p", text)));
  $("timing").textContent = told.timing;
  $("p-good").value = told.p_good;
  $("p-good-said").textContent = `${Math.round(told.p_good * 100)} %`;
  $("scores").replaceChildren(
    ...told.measures.map(({ name, value }) => {
      const row = document.createElement("div");
      row.append(element("dt", name), element("dd", value));
      return row;
    }),
  );
  showSource(told);
}

function showSource(told) {
  const source = told.link ? element("a", told.title || told.source) : element("bdi", told.title || told.source);
  if (told.link) Object.assign(source, { href: told.link, target: "_blank", rel: "noopener noreferrer nofollow" });
  const by = told.uploader ? [" by ", element("bdi", told.uploader)] : [];
  $("source").replaceChildren(`${told.span} of `, source, ...by, document.createElement("br"), "Licence: ", element("bdi", told.licence || "not stated"));
}

function showTimeline() {
  if (!current) return;
  const { curves, edits, told, player } = current;
  const movedUs = told.sound_late_us - edits.lateUs;
  timeline.show({ curves, edits, soundMovedS: movedUs / 1e6, now: player.now });
  const moved = Math.round(movedUs / 1000);
  $("moved").textContent = moved ? `sound ${Math.abs(moved)} ms ${moved > 0 ? "later" : "earlier"}` : "sound as cut";
  $("moved").classList.toggle("changed", Boolean(moved));
  const kept = curves ? edits.out - edits.in : 0;
  const marks = [];
  if (slow) marks.push("½ speed");
  if (!player.loop) marks.push("plays once");
  if (player.video.muted) marks.push("sound off");
  if ($("players").classList.contains("blind")) marks.push("picture hidden");
  if (current.trimmed) marks.push(`${kept.toFixed(2)} s kept${edits.splits.length ? `, ${edits.splits.length + 1} clips` : ""}`);
  $("marks").textContent = marks.join(" · ");
}

function tick() {
  if (current?.curves) {
    timeline.shown.now = current.player.now;
    timeline.draw();
    $("clock").textContent = `${current.player.now.toFixed(2)} / ${current.curves.duration_s.toFixed(2)} s`;
  }
}

(function frame() {
  if (!document.hidden) tick();
  requestAnimationFrame(frame);
})();

let progressNow = null;
function showProgress(progress) {
  progressNow = progress;
  const done = progress.accepted + progress.rejected;
  $("bar").max = Math.max(done + progress.waiting, 1);
  $("bar").value = done;
  $("count").replaceChildren(element("b", progress.waiting), " to go · ", element("b", done), " done");
  const enough = progress.enough && progress.waiting && !goOn;
  $("enough").hidden = !enough;
  if (enough) {
    const saved = progress.saved ? ` About ${progress.saved} answers fewer than in a random order.` : "";
    const button = element("button", "Go on anyway");
    button.type = "button";
    button.dataset.do = "goOn";
    $("enough").replaceChildren(element("b", "You may stop here. "), progress.enough + saved, " ", button);
  }
  if (!current) showEmpty();
}

function showEmpty() {
  if (current || !progressNow) return;
  const { accepted, rejected, waiting } = progressNow;
  const any = accepted + rejected;
  $("empty-title").textContent = outbox.count ? "One moment" : waiting ? "Others hold the rest" : any ? "All reviewed" : "The queue is empty";
  $("empty-text").textContent = outbox.count
    ? "The next clip comes as soon as the server has your answers."
    : waiting
      ? `${waiting} clips wait for another reviewer, or for a second opinion on what you answered.`
      : any
        ? `Every flagged clip has an answer: ${accepted} accepted, ${rejected} rejected.`
        : "No clip was flagged yet.";
  $("empty-publish").hidden = !(accepted && !outbox.count);
  $("empty-curate").hidden = any > 0 || waiting > 0;
}

function showReasons(open, focus = true) {
  $("reasons").hidden = !open;
  $("choice").hidden = open;
  document.querySelector("[data-do=reject]").setAttribute("aria-expanded", String(open));
  // Not a button: the space bar shall go on playing the clip, never give a reason by surprise.
  if (focus) (open ? $("reasons") : $("screen")).focus({ preventScroll: true });
}

const reasonText = (reason) =>
  document.querySelector(`[data-reason="${reason}"]`).lastChild.textContent.trim().toLowerCase();

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

let silence = 0;
function say(words, problem = false) {
  $("said").textContent = words;
  $("said").classList.toggle("problem", problem);
  clearTimeout(silence);
  silence = setTimeout(() => ($("said").textContent = ""), problem ? 8000 : 2000);
}

// ---- keys and buttons

const actions = {
  accept: () => answer("accept"),
  skip: () => answer("skip"),
  reject: () => showReasons($("reasons").hidden),
  because: (button) => answer("reject", button.dataset.reason),
  cancel: () => showReasons(false),
  undo,
  play: () => current && (current.player.video.paused ? start(current.player) : current.player.pause()),
  stepBack: () => current?.player.step(-1),
  stepOn: () => current?.player.step(1),
  markIn: () => markHere("in"),
  markOut: () => markHere("out"),
  split,
  soundEarlier: (_, event) => moveSound(event?.shiftKey ? -frameUs() : -NUDGE_US),
  soundLater: (_, event) => moveSound(event?.shiftKey ? frameUs() : NUDGE_US),
  reset,
  loop: () => current && ((current.player.loop = !current.player.loop), showTimeline()),
  speed: () => ((slow = !slow), current?.player.setSpeed(slow), showTimeline()),
  mute: () => current && ((current.player.video.muted = !current.player.video.muted), showTimeline()),
  blind: () => ($("players").classList.toggle("blind"), showTimeline()),
  edit: () => $("caption").focus(),
  help: () => ($("help").open ? $("help").close() : $("help").showModal()),
  goOn: () => ((goOn = true), showProgress(progressNow)),
  reload: fill,
};

const keys = {
  a: "accept", s: "skip", x: "reject", u: "undo", Backspace: "undo", " ": "play", i: "markIn", o: "markOut", k: "split",
  0: "reset", l: "loop", h: "speed", m: "mute", v: "blind", e: "edit", "?": "help",
};
const heldKeys = {
  ",": "stepBack", ".": "stepOn", ArrowLeft: "soundEarlier", ArrowRight: "soundLater",
};
const trimKeys = { "[": ["in", 1], "{": ["in", -1], "]": ["out", -1], "}": ["out", 1] };

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button || button.disabled) return;
  event.preventDefault();
  actions[button.dataset.do](button, event);
});

// Captured, or focused buttons would act too.
document.addEventListener("keydown", onKey, true);

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, textarea");
  if (field) {
    const leave = event.key === "Escape" || (event.key === "Enter" && !event.shiftKey);
    return leave ? stop(event, () => $("screen").focus()) : undefined;
  }
  if ($("help").open) return event.key === "?" ? stop(event, actions.help) : undefined;
  const key = event.key.length === 1 && !(event.key in trimKeys) ? event.key.toLowerCase() : event.key;
  const choosing = !$("reasons").hidden;
  if (choosing && /^[1-8]$/.test(key)) return stop(event, () => document.querySelectorAll("[data-reason]")[key - 1].click());
  if (choosing && key === "Escape") return stop(event, actions.cancel);
  if (key === " " && event.target.closest("button, a, summary")) return undefined;
  if (key in trimKeys) return stop(event, () => trimByFrame(...trimKeys[key]));
  if (key in heldKeys) return stop(event, () => actions[heldKeys[key]](null, event));
  // A key that is held down must not answer the clips that follow.
  if (key in keys && !event.repeat) return stop(event, () => actions[keys[key]](null, event));
  return undefined;
}

function stop(event, act) {
  event.preventDefault();
  event.stopPropagation();
  act();
}

// ---- time away, leases

document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenAt = performance.now();
  else if (hiddenAt !== null) {
    unseenMs += performance.now() - Math.max(hiddenAt, shownAt);
    hiddenAt = null;
  }
});

setInterval(() => {
  const clips = [current, ...ahead].filter(Boolean).map((one) => one.told.clip_id);
  if (!document.hidden && clips.length) post("/api/hold", { clip_ids: clips.slice(0, 8) }).catch(() => {});
  else if (!current) fill();
}, HOLD_MS);

addEventListener("pagehide", () => post("/api/let-go", {}, { keepalive: true }).catch(() => {}));

get("/api/labels")
  .then((labels) => $("labels").replaceChildren(...labels.map((label) => Object.assign(document.createElement("option"), { value: label }))))
  .catch(() => {});

outbox.flush().then(fill);
