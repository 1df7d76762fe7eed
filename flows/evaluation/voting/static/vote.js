// The voting page: plays two films in turn and takes the answer. It knows ids and numbers, never whose film is whose.

import { get, newKey, post } from "./http.js";
import { $, say } from "./page.js";

const SIDES = ["left", "right"];
const UNSEEN_MS = 250; // a second tap that comes sooner was meant for the pair before
const LONGEST_S = 3600;

// What is shown: the server's state, the answer's key, which sides were played to their end, and whose turn it is.
const desk = { state: null, films: null, ahead: null, key: "", undoKey: "", seen: new Set(), turn: [], shownAt: 0, busy: false };

// ---- pairs come and go

class Pair {
  constructor({ number, left, right }) {
    this.number = number;
    this.broken = false;
    this.left = film("left", left, this);
    this.right = film("right", right, this);
  }

  remove() {
    for (const side of SIDES) {
      const video = this[side];
      video.pause();
      video.removeAttribute("src");
      video.load();
      video.remove();
    }
  }
}

function film(side, source, pair) {
  const video = document.createElement("video");
  Object.assign(video, { preload: "auto", playsInline: true, className: "waiting", src: source });
  video.setAttribute("aria-label", side === "left" ? "Left film" : "Right film");
  video.addEventListener("ended", () => pair === desk.films && ended(side));
  video.addEventListener("error", () => {
    // A film that was taken away has no source any more, which is no fault of it.
    if (!video.getAttribute("src")) return;
    pair.broken = true;
    if (pair === desk.films) showAnswers();
  });
  $(`${side}-place`).append(video);
  return video;
}

function show(state) {
  const { pair, following } = state;
  const kept = [desk.films, desk.ahead].filter(Boolean);
  const of = (wanted) => wanted && (kept.find((one) => one.number === wanted.number) ?? new Pair(wanted));
  const fresh = desk.films?.number !== pair?.number;
  Object.assign(desk, { state, films: of(pair), ahead: of(following) });
  for (const one of kept) if (one !== desk.films && one !== desk.ahead) one.remove();
  showProgress();
  if (!pair) return;
  for (const side of SIDES) {
    desk.films[side].classList.remove("waiting");
    desk.ahead?.[side].classList.add("waiting");
  }
  if (fresh) begin();
}

function begin() {
  Object.assign(desk, { key: newKey(), undoKey: newKey(), seen: new Set(), shownAt: performance.now() });
  stop();
  $("pair").focus({ preventScroll: true });
  showAnswers();
  // Browsers play no sound before the first key or click; then Space begins.
  if (navigator.userActivation?.hasBeenActive) play(...SIDES);
}

function showProgress() {
  const { done, total, pair } = desk.state;
  $("vote").dataset.state = pair ? "pair" : "empty";
  $("vote").dataset.number = pair?.number ?? "";
  $("pair").hidden = $("ask").hidden = !pair;
  $("empty").hidden = Boolean(pair);
  $("empty-back").hidden = !done;
  $("bar").max = total;
  $("bar").value = done;
  $("count").textContent = pair ? `${done + 1} of ${total}` : `${total} of ${total}`;
}

// ---- playing

function play(...sides) {
  stop();
  desk.turn = sides;
  next();
}

function next() {
  const [side] = desk.turn;
  showTurn(side);
  if (!side) return;
  const video = desk.films[side];
  video.currentTime = 0;
  // Refused before the first key, or not playable: the next key is to begin anew. What was stopped is no failure.
  video.play().catch(() => desk.turn[0] === side && video.paused && stop());
}

function ended(side) {
  desk.seen.add(side);
  desk.turn = desk.turn.filter((one) => one !== side);
  showAnswers();
  next();
}

function stop() {
  desk.turn = [];
  for (const side of SIDES) desk.films?.[side].pause();
  showTurn();
}

function showTurn(playing) {
  for (const side of SIDES) {
    $(side).classList.toggle("playing", side === playing);
    $(`${side}-now`).textContent = side === playing ? "playing" : desk.seen.has(side) ? "seen" : "";
  }
  $("play").firstChild.textContent = playing ? "Stop " : desk.seen.size ? "Play again " : "Play both ";
}

const ready = () => desk.films && (desk.films.broken || desk.seen.size === SIDES.length);

function showAnswers() {
  const broken = Boolean(desk.films?.broken);
  for (const id of ["vote-left", "vote-right"]) $(id).setAttribute("aria-disabled", String(!ready() || broken));
  $("vote-same").setAttribute("aria-disabled", String(!ready()));
  $("undo").setAttribute("aria-disabled", String(!desk.state.done));
  $("same-said").textContent = broken ? "Cannot be played: go on" : "No difference";
}

// ---- answers

// One at a time; whatever was not heard by the server is sent again under the same key, and counts once.
async function send(path, body) {
  if (desk.busy) return;
  desk.busy = true;
  try {
    show(await post(path, body));
  } catch (error) {
    say(error instanceof TypeError ? "The server does not answer. Press the key again when it does." : error.message, true);
  } finally {
    desk.busy = false;
  }
}

function vote(choice) {
  if (!desk.films || performance.now() - desk.shownAt < UNSEEN_MS) return undefined;
  if (!ready()) return say("Watch both to the end first: Space plays them.");
  if (desk.films.broken && choice !== "same") return say("One of them cannot be played: 0 goes on.");
  const seconds = Math.min((performance.now() - desk.shownAt) / 1000, LONGEST_S);
  return send("/api/votes", {
    key: desk.key,
    number: desk.films.number,
    choice: desk.films.broken ? "unseen" : choice,
    seconds: Math.round(seconds * 100) / 100,
  });
}

function undo() {
  const last = (desk.state?.pair?.number ?? desk.state?.total ?? 0) - 1;
  if (last < 0) return say("There is nothing to take back.");
  desk.undoKey ||= newKey();
  return send("/api/undo", { key: desk.undoKey, number: last }).then(() => (desk.undoKey = newKey()));
}

// ---- keys and buttons

const actions = {
  play: () => desk.films && (desk.turn.length ? stop() : play(...SIDES)),
  leftAlone: () => desk.films && play("left"),
  rightAlone: () => desk.films && play("right"),
  voteLeft: () => vote("left"),
  voteRight: () => vote("right"),
  voteSame: () => vote("same"),
  undo,
};
const keys = {
  " ": "play", ArrowLeft: "leftAlone", ArrowRight: "rightAlone", 1: "voteLeft", 2: "voteRight", 0: "voteSame", z: "undo",
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) actions[button.dataset.do]();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  // A focused button keeps its own Space.
  if (!(key in keys) || (key === " " && event.target.closest("button"))) return;
  event.preventDefault();
  actions[keys[key]]();
});

get("/api/state").then(show, (error) => say(error.message, true));
