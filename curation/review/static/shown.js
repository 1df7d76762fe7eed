// What the review page shows of the clip on the desk and of the queue.

import { $, desk, element } from "./page.js";
import { Timeline } from "./timeline.js";
import { showWhere } from "./where.js";

const timeline = new Timeline($("timeline"), {
  onSeek: (at) => desk.current && (desk.current.player.seek(at), tick()),
  onTrim: (side, at) => desk.current && (desk.current.trimNear(side, at), showTimeline()),
});

export function showFacts() {
  const { told, edits } = desk.current;
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
  showWhere();
}

function showSource(told) {
  const source = told.link ? element("a", told.title || told.source) : element("bdi", told.title || told.source);
  if (told.link) Object.assign(source, { href: told.link, target: "_blank", rel: "noopener noreferrer nofollow" });
  const by = told.uploader ? [" by ", element("bdi", told.uploader)] : [];
  $("source").replaceChildren(`${told.span} of `, source, ...by, document.createElement("br"), "Licence: ", element("bdi", told.licence || "not stated"));
}

export function showTimeline() {
  const clip = desk.current;
  if (!clip) return;
  const { curves, edits, told, player } = clip;
  const movedUs = told.sound_late_us - edits.lateUs;
  timeline.show({ curves, edits, soundMovedS: movedUs / 1e6, now: player.now });
  $("curves-said").textContent = clip.curvesSaid;
  if (!curves) $("clock").textContent = "";
  const moved = Math.round(movedUs / 1000);
  $("moved").textContent = moved ? `sound ${Math.abs(moved)} ms ${moved > 0 ? "later" : "earlier"}` : "sound as cut";
  $("moved").classList.toggle("changed", Boolean(moved));
  const kept = curves ? edits.out - edits.in : 0;
  const marks = [];
  if (desk.slow) marks.push("½ speed");
  if (!player.loop) marks.push("plays once");
  if (player.video.muted) marks.push("sound off");
  if ($("players").classList.contains("blind")) marks.push("picture hidden");
  if (clip.trimmed) marks.push(`${kept.toFixed(2)} s kept${edits.splits.length ? `, ${edits.splits.length + 1} clips` : ""}`);
  $("marks").textContent = marks.join(" · ");
}

// The playhead and the clock.
export function tick() {
  const clip = desk.current;
  if (!clip?.curves) return;
  timeline.shown.now = clip.player.now;
  timeline.draw();
  $("clock").textContent = `${clip.player.now.toFixed(2)} / ${clip.curves.duration_s.toFixed(2)} s`;
}

let progressNow = null;
let goOn = false;

// The queue. `unsent` answers are on their way, which is why nothing may come for a moment.
export function showProgress(progress, unsent) {
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
  showEmpty(unsent);
}

export function goOnAnyway() {
  goOn = true;
  $("enough").hidden = true;
}

export function showEmpty(unsent) {
  if (desk.current || !progressNow) return;
  const { accepted, rejected, waiting } = progressNow;
  const any = accepted + rejected;
  $("empty-title").textContent = unsent ? "One moment" : waiting ? "Others hold the rest" : any ? "All reviewed" : "The queue is empty";
  $("empty-text").textContent = unsent
    ? "The next clip comes as soon as the server has your answers."
    : waiting
      ? `${waiting === 1 ? "One clip waits" : `${waiting} clips wait`} for another reviewer, or for a second opinion on what you answered.`
      : any
        ? `Every flagged clip has an answer: ${accepted} accepted, ${rejected} rejected.`
        : "No clip was flagged yet.";
  $("empty-publish").hidden = !(accepted && !unsent);
  $("empty-curate").hidden = any > 0 || waiting > 0;
  $("empty-back").hidden = any === 0 && waiting === 0;
}

export function showReasons(open, focus = true) {
  $("reasons").hidden = !open;
  $("choice").hidden = open;
  document.querySelector("[data-do=reject]").setAttribute("aria-expanded", String(open));
  // Not a button: the space bar shall go on playing the clip, never give a reason by surprise.
  if (focus) (open ? $("reasons") : $("screen")).focus({ preventScroll: true });
}

(function frame() {
  if (!document.hidden) tick();
  requestAnimationFrame(frame);
})();
