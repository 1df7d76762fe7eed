// Leases: the server keeps for us what lies on the desk, while we say that we are here. What it gave to somebody else
// in the meantime must leave the desk, or two people answer what one was asked.

import { post } from "./http.js";

const HOLD_MS = 30000;
const MOST = 64; // the server's own limit

// `clips()` are those on the desk; `onLost(clips)` is called with those that are not ours any more, `whenIdle()` instead
// of asking while there are none.
export function keepLeases({ clips, onLost, whenIdle }) {
  async function check() {
    if (document.hidden) return;
    // A clip that is answered or taken back meanwhile has another key: what we hear of it then is old.
    const asked = clips().slice(0, MOST).map((clip) => ({ clip, key: clip.key }));
    if (!asked.length) return whenIdle();
    const { held } = await post("/api/hold", { clip_ids: asked.map(({ clip }) => clip.id) });
    const lost = asked.filter(({ clip, key }) => clip.key === key && !held.includes(clip.id));
    if (lost.length) onLost(lost.map(({ clip }) => clip));
  }

  // Without a connection nothing is known; what is answered then is checked when it arrives.
  const checkQuietly = () => check().catch(() => {});
  setInterval(checkQuietly, HOLD_MS);
  // Hidden pages do not say that they are here, sleeping machines neither.
  document.addEventListener("visibilitychange", checkQuietly);
  addEventListener("online", checkQuietly);
  addEventListener("pageshow", (event) => event.persisted && checkQuietly());
  addEventListener("pagehide", () => post("/api/let-go", {}, { keepalive: true }).catch(() => {}));
}
