// The picture under the video: waveform with onset marks, motion curve, what is kept of the clip, and the playhead.

const EDGE_PX = 12;
const MOTION_SHARE = 0.42;

export class Timeline {
  #drag = null;

  // `onSeek(seconds)` and `onTrim(side, seconds)` are called while the pointer moves; side is "in" or "out".
  constructor(canvas, { onSeek, onTrim }) {
    Object.assign(this, { canvas, onSeek, onTrim });
    this.shown = null;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", () => (this.#drag = null));
    canvas.addEventListener("pointercancel", () => (this.#drag = null));
  }

  // `state`: { curves, edits: { in, out, splits } in seconds, soundMovedS, now }
  show(state) {
    this.shown = state;
    this.draw();
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.shown.curves.duration_s;
  }

  #down(event) {
    if (!this.shown?.curves) return;
    const { edits, curves } = this.shown;
    const at = this.#at(event);
    const near = (EDGE_PX / this.canvas.clientWidth) * curves.duration_s;
    this.#drag = Math.abs(at - edits.in) < near ? "in" : Math.abs(at - edits.out) < near ? "out" : "seek";
    this.canvas.setPointerCapture(event.pointerId);
    this.#act(at);
  }

  #move(event) {
    if (!this.shown?.curves) return;
    const at = this.#at(event);
    if (this.#drag) this.#act(at);
    const near = (EDGE_PX / this.canvas.clientWidth) * this.shown.curves.duration_s;
    const edge = [this.shown.edits.in, this.shown.edits.out].some((one) => Math.abs(at - one) < near);
    this.canvas.classList.toggle("edge", edge || this.#drag === "in" || this.#drag === "out");
  }

  #act(at) {
    if (this.#drag === "seek") this.onSeek(at);
    else this.onTrim(this.#drag, at);
  }

  draw() {
    const { canvas } = this;
    const [width, height, scale] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio];
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!this.shown?.curves) return;
    const ink = inks(canvas);
    const { curves, edits, soundMovedS, now } = this.shown;
    const x = (seconds) => (seconds / curves.duration_s) * width;
    const split = Math.round(height * (1 - MOTION_SHARE));
    this.#grid(pen, ink, x, curves.duration_s, height);
    this.#wave(pen, ink, x, split, curves, soundMovedS);
    this.#motion(pen, ink, x, split, height, curves);
    this.#kept(pen, ink, x, width, height, edits);
    pen.fillStyle = ink.head;
    pen.fillRect(Math.round(x(now)) - 1, 0, 2, height);
  }

  #grid(pen, ink, x, duration, height) {
    pen.fillStyle = ink.rule;
    for (let second = 0.5; second < duration; second += 0.5) pen.fillRect(Math.round(x(second)), 0, 1, height);
    pen.fillStyle = ink.muted;
    pen.font = "10px system-ui, sans-serif";
    for (let second = 1; second < duration; second += 1) pen.fillText(`${second} s`, x(second) + 3, 10);
  }

  #wave(pen, ink, x, split, curves, movedS) {
    const middle = split / 2 + 4;
    const most = Math.max(...curves.peaks, 0.05);
    const step = Math.max(1, x(1 / curves.peaks_hz));
    pen.fillStyle = ink.sound;
    curves.peaks.forEach((peak, number) => {
      const high = Math.max(1, (peak / most) * (split - 16));
      pen.fillRect(x(curves.sound_starts_s + movedS + number / curves.peaks_hz), middle - high / 2, step, high);
    });
    pen.fillStyle = ink.onset;
    for (const onset of curves.onsets_s) {
      const at = x(onset + movedS);
      pen.beginPath();
      pen.moveTo(at - 4, split - 1);
      pen.lineTo(at + 4, split - 1);
      pen.lineTo(at, split - 9);
      pen.fill();
    }
  }

  #motion(pen, ink, x, split, height, curves) {
    pen.beginPath();
    pen.moveTo(0, height);
    curves.motion.forEach((value, number) => pen.lineTo(x(number / curves.motion_hz), height - value * (height - split - 4)));
    pen.lineTo(x(curves.duration_s), height);
    pen.closePath();
    pen.globalAlpha = 0.35;
    pen.fillStyle = ink.motion;
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = ink.motion;
    pen.lineWidth = 1.5;
    pen.stroke();
  }

  #kept(pen, ink, x, width, height, edits) {
    const out = Math.min(edits.out, this.shown.curves.duration_s);
    pen.fillStyle = ink.shade;
    pen.fillRect(0, 0, x(edits.in), height);
    pen.fillRect(x(out), 0, width - x(out), height);
    pen.fillStyle = ink.edge;
    for (const [at, side] of [[edits.in, 1], [out, -1]]) {
      const left = Math.min(Math.max(x(at) - (side < 0 ? 4 : 0), 0), width - 4);
      pen.fillRect(left, 0, 4, height);
      pen.fillRect(side > 0 ? left : left - 6, height / 2 - 12, 10, 24);
    }
    pen.setLineDash([4, 3]);
    pen.strokeStyle = ink.edge;
    pen.lineWidth = 2;
    for (const at of edits.splits) {
      pen.beginPath();
      pen.moveTo(x(at), 0);
      pen.lineTo(x(at), height);
      pen.stroke();
    }
    pen.setLineDash([]);
  }
}

function inks(canvas) {
  const style = getComputedStyle(canvas);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    sound: of("sound"), onset: of("doubt"), motion: of("motion"), edge: of("yes"), head: of("no"), rule: of("rule"),
    muted: of("muted"), shade: of("shade"),
  };
}
