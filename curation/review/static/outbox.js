// Answers on their way: kept in the browser until the server has them, sent in order, each once (by its key).

import { Refused, post, reviewer } from "./http.js";

const PLACE = `clapboard-outbox-${reviewer}`;
const LONGEST_PAUSE_MS = 15000;

export class Outbox {
  #waiting = JSON.parse(localStorage.getItem(PLACE) ?? "[]");
  #sending = null;
  #wake = () => {};
  offline = false;

  // `onChange(count, offline)` tells how many answers wait; `onSent(reply)` what the server said; `onRefused(error, body)`
  // why it would not have one.
  constructor({ onChange, onSent, onRefused }) {
    Object.assign(this, { onChange, onSent, onRefused });
    addEventListener("online", () => this.#wake());
  }

  get count() {
    return this.#waiting.length;
  }

  put(path, body) {
    this.#waiting.push({ path, body });
    this.#keep();
    return this.flush();
  }

  // Takes back the newest answer if it was not sent yet; returns whether it could.
  takeBack(key) {
    const at = this.#waiting.findIndex((one) => one.body.key === key);
    if (at < 0 || (at === 0 && this.#sending)) return false;
    this.#waiting.splice(at, 1);
    this.#keep();
    return true;
  }

  flush() {
    this.#sending ??= this.#send().finally(() => (this.#sending = null));
    return this.#sending;
  }

  async #send() {
    let pause = 500;
    while (this.#waiting.length) {
      const { path, body } = this.#waiting[0];
      try {
        const reply = await post(path, body);
        this.#waiting.shift();
        this.#keep();
        pause = 500;
        this.offline = false;
        this.onSent(reply);
      } catch (error) {
        // A refusal stays a refusal; a lost connection, a restart or a lost session may pass.
        if (error instanceof Refused && !error.passes) {
          this.#waiting.shift();
          this.offline = false;
          this.#keep();
          this.onRefused(error, body);
          continue;
        }
        this.offline = true;
        this.onChange(this.count, true, error);
        await this.#rest(pause);
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  #rest(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }

  #keep() {
    localStorage.setItem(PLACE, JSON.stringify(this.#waiting));
    this.onChange(this.count, false);
  }
}
