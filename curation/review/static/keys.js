// Keys and buttons: which of the page's actions each one means.

import { $ } from "./page.js";

const keys = {
  a: "accept", s: "skip", x: "reject", u: "undo", Backspace: "undo", " ": "play", i: "markIn", o: "markOut", k: "split",
  0: "reset", l: "loop", h: "speed", m: "mute", v: "blind", w: "where", e: "edit", "?": "help",
};
const heldKeys = {
  ",": "stepBack", ".": "stepOn", ArrowLeft: "soundEarlier", ArrowRight: "soundLater",
};
const trimKeys = { "[": ["in", 1], "{": ["in", -1], "]": ["out", -1], "}": ["out", 1] };

// `actions` by name get the button, or null, and the event; `trimByFrame(side, by)` moves an end.
export function listen(actions, trimByFrame) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button || button.disabled) return;
    event.preventDefault();
    actions[button.dataset.do](button, event);
  });

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea")) return leaveField(event);
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

  // Captured, or focused buttons would act too.
  document.addEventListener("keydown", onKey, true);
}

function leaveField(event) {
  const leave = event.key === "Escape" || (event.key === "Enter" && !event.shiftKey);
  if (leave) stop(event, () => $("screen").focus());
}

function stop(event, act) {
  event.preventDefault();
  event.stopPropagation();
  act();
}
