// A clip on the desk: its player, its curves, and what the reviewer changes about it.

import { get, newKey, Refused } from "./http.js";
import { $ } from "./page.js";
import { Player } from "./player.js";

const HEAR_MS = 250; // a moved sound is cut anew once the keys rest
const NO_EDITS = Object.freeze({ label: null, caption: null, parts: null, sound_late_us: null });
const COMING = "The curves are being drawn.";
const [SOON_MS, LATER_MS] = [1000, 30000]; // between two times that curves are asked for

export class Clip {
  #hearing = 0;

  // `onCurves(clip)` is called when its curves are there, or when there is something else to say of them.
  constructor(told, onCurves) {
    this.told = told;
    this.key = newKey();
    this.curves = null;
    this.curvesSaid = COMING;
    this.edits = this.#untouched();
    this.#restore();
    this.player = new Player(told, $("players"), this.edits.lateUs);
    this.#askForCurves(onCurves);
  }

  async #askForCurves(onCurves, waitMs = SOON_MS) {
    try {
      const curves = await get(`/api/clips/${encodeURIComponent(this.id)}/curves`);
      this.#draw(curves);
    } catch (error) {
      const passes = !(error instanceof Refused) || error.passes;
      this.curvesSaid = passes ? COMING : `No curves, so this clip cannot be trimmed. ${error.message}`;
      const again = () => this.player.video.isConnected && this.#askForCurves(onCurves, Math.min(2 * waitMs, LATER_MS));
      if (passes) setTimeout(again, waitMs);
    }
    onCurves(this);
  }

  #draw(curves) {
    this.curves = curves;
    this.curvesSaid = "";
    this.player.frames = curves.frames_s;
    this.edits.out = Math.min(this.edits.out, curves.duration_s);
    this.#restoreParts();
  }

  get id() {
    return this.told.clip_id;
  }

  #untouched() {
    const { sound_late_us: lateUs, label, caption } = this.told;
    return { in: 0, out: this.curves?.duration_s ?? Infinity, splits: [], lateUs, label, caption };
  }

  // Edits of an answer that was taken back.
  #restore() {
    const { label, caption, sound_late_us: lateUs, parts } = this.told.edits;
    if (label !== null) this.edits.label = label;
    if (caption !== null) this.edits.caption = caption;
    if (lateUs !== null) this.edits.lateUs = lateUs;
    this.told.edits = { ...NO_EDITS, parts };
  }

  // Its parts come as times of the source, and lie on frames, which the curves tell.
  #restoreParts() {
    const { edits: { parts }, start_us } = this.told;
    if (!parts) return;
    const at = (us) => nearest(this.curves.frames_s, us);
    const seconds = parts.flat().map((us) => (us - start_us) / 1e6);
    const last = seconds.at(-1);
    this.edits.in = at(seconds[0]);
    this.edits.out = Math.abs(last - this.curves.duration_s) < 1e-3 ? this.curves.duration_s : at(last);
    this.edits.splits = parts.slice(1).map(([us]) => at((us - start_us) / 1e6));
    this.told.edits = NO_EDITS;
  }

  get trimmed() {
    return Boolean(this.curves) && (this.edits.in > 0 || this.edits.out < this.curves.duration_s || this.edits.splits.length > 0);
  }

  // Where it may be cut: the frames, and the end.
  get edges() {
    return [...this.player.frames, this.curves.duration_s];
  }

  applySpan() {
    this.player.span = [this.edits.in, this.edits.out];
  }

  trim(side, at) {
    if (!this.curves) return;
    const { edits, curves } = this;
    if (side === "in" && at < edits.out) edits.in = at;
    if (side === "out" && at > edits.in) edits.out = Math.min(at, curves.duration_s);
    edits.splits = edits.splits.filter((one) => one > edits.in && one < edits.out);
    this.applySpan();
  }

  trimNear(side, at) {
    if (this.curves) this.trim(side, nearest(this.edges, at));
  }

  trimByFrame(side, by) {
    if (!this.curves) return;
    const { edges } = this;
    const at = edges.indexOf(this.edits[side]);
    this.trim(side, edges[Math.min(Math.max(at + by, 0), edges.length - 1)]);
  }

  // The end mark keeps the frame that is shown.
  markHere(side) {
    if (this.curves) this.trim(side, this.edges[this.player.frame + (side === "out" ? 1 : 0)]);
  }

  // Splits at the frame that is shown, or joins again what was split there; returns what to say about it.
  split() {
    if (!this.curves) return "";
    const { edits, player } = this;
    const at = player.frames[player.frame];
    if (edits.splits.includes(at)) edits.splits = edits.splits.filter((one) => one !== at);
    else if (at > edits.in && at < edits.out) edits.splits = [...edits.splits, at].sort((one, other) => one - other);
    else return "Split between start and end.";
    return edits.splits.length ? `${edits.splits.length + 1} clips.` : "One clip again.";
  }

  moveSound(byUs) {
    this.edits.lateUs -= byUs;
    clearTimeout(this.#hearing);
    this.#hearing = setTimeout(() => this.player.load(this.edits.lateUs), HEAR_MS);
  }

  get frameUs() {
    const { frames } = this.player;
    return frames.length > 1 ? Math.round(((frames.at(-1) - frames[0]) / (frames.length - 1)) * 1e6) : 40000;
  }

  reset() {
    const moved = this.edits.lateUs !== this.told.sound_late_us;
    clearTimeout(this.#hearing);
    this.edits = this.#untouched();
    this.told.edits = NO_EDITS;
    this.applySpan();
    if (moved) this.player.load(this.told.sound_late_us);
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
    } else if (told.edits.parts) changed.parts = told.edits.parts; // which no curves have drawn yet
    return changed;
  }
}

function nearest(times, at) {
  return times.reduce((best, one) => (Math.abs(one - at) < Math.abs(best - at) ? one : best));
}
