// One clip's video: loops over what is kept of it, steps by frames, moves its sound, hides picture or sound.

const EARLY_S = 0.02;

export class Player {
  loop = true;
  slow = false;
  #frame = 0;

  constructor(clip, place, lateUs) {
    this.clip = clip;
    this.span = [0, Infinity];
    this.frames = [];
    this.video = document.createElement("video");
    Object.assign(this.video, { preload: "auto", playsInline: true, loop: false, className: "waiting" });
    this.video.setAttribute("aria-label", clip.caption || clip.label || clip.clip_id);
    this.video.src = mediaOf(clip.clip_id, lateUs === clip.sound_late_us ? undefined : lateUs);
    this.video.addEventListener("timeupdate", () => this.#turn());
    this.video.addEventListener("ended", () => this.loop && this.restart());
    place.append(this.video);
    this.#watch();
  }

  #watch() {
    if (!this.video.requestVideoFrameCallback) return;
    this.video.requestVideoFrameCallback((_, seen) => {
      this.#frame = seen.mediaTime;
      this.#turn();
      if (this.video.isConnected) this.#watch();
    });
  }

  // Where the picture is: the shown frame's own time, which is more exact than the clock.
  get now() {
    const { video } = this;
    return video.paused && video.requestVideoFrameCallback ? this.#frame : video.currentTime;
  }

  #turn() {
    if (this.video.paused || this.video.currentTime < this.span[1] - EARLY_S) return;
    if (this.loop) this.restart();
    else this.video.pause();
  }

  async play() {
    if (this.video.currentTime >= this.span[1] - EARLY_S || this.video.ended) this.video.currentTime = this.span[0] + 0.001;
    await this.video.play();
  }

  restart() {
    this.video.currentTime = this.span[0] + 0.001;
    this.video.play().catch(() => {});
  }

  pause() {
    this.video.pause();
  }

  seek(at) {
    this.video.currentTime = Math.min(Math.max(at, 0), this.video.duration || at);
  }

  // The number of the frame that is shown.
  get frame() {
    const at = this.now + 0.002;
    let low = 0;
    for (let high = this.frames.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.frames[middle] <= at) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  step(direction) {
    this.pause();
    const to = Math.min(Math.max(this.frame + direction, 0), this.frames.length - 1);
    this.show(to);
  }

  show(number) {
    const from = this.frames[number] ?? 0;
    const next = this.frames[number + 1] ?? this.video.duration;
    // The middle of the frame, where rounding cannot fall into a neighbour.
    this.#frame = from;
    this.seek((from + (next || from)) / 2);
  }

  setSpeed(slow) {
    this.slow = slow;
    this.video.playbackRate = slow ? 0.5 : 1;
  }

  // Another cut with the sound elsewhere, at the same place of the picture.
  load(lateUs) {
    const { video } = this;
    const [at, playing] = [video.currentTime, !video.paused];
    video.src = mediaOf(this.clip.clip_id, lateUs);
    video.addEventListener("loadedmetadata", () => ((video.currentTime = at), playing && video.play().catch(() => {})), { once: true });
    this.setSpeed(this.slow);
  }

  remove() {
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    this.video.remove();
  }
}

function mediaOf(clipId, lateUs) {
  const query = lateUs === undefined ? "" : `?late_us=${lateUs}`;
  return `/media/${encodeURIComponent(clipId)}${query}`;
}
