// The frame over the picture where the sound was heard. It follows the picture, which rarely fills the screen.

import { $, desk, say } from "./page.js";

const OFF_KEY = "clapboard-where-off";
const frame = $("where");

let on = localStorage.getItem(OFF_KEY) === null;

// { x, y, side, sure } in shares of the picture, or null; what is not a region inside the picture is none.
function regionOf(told) {
  const { x, y, side } = told.where ?? {};
  const inside = [x, y, side].every(Number.isFinite) && x >= 0 && y >= 0 && side > 0 && Math.max(x, y) + side < 1.001;
  return inside ? { x, y, side, sure: told.where.sure === true } : null;
}

// Where the picture lies in its element: as large as fits, in the middle (`object-fit: contain`).
function pictureIn({ videoWidth, videoHeight, clientWidth, clientHeight }) {
  const scale = Math.min(clientWidth / videoWidth, clientHeight / videoHeight);
  const [width, height] = [videoWidth * scale, videoHeight * scale];
  return { left: (clientWidth - width) / 2, top: (clientHeight - height) / 2, width, height };
}

export function showWhere() {
  const clip = desk.current;
  const region = clip && regionOf(clip.told);
  const seen = clip?.player.video.videoWidth > 0 && !$("players").classList.contains("blind");
  frame.hidden = !(on && region && seen);
  $("where-button").setAttribute("aria-pressed", String(on));
  if (frame.hidden) return;
  frame.classList.toggle("guess", !region.sure);
  const picture = pictureIn(clip.player.video);
  // Properties set by a script are no inline style: the content security policy lets them be.
  Object.assign(frame.style, {
    left: `${picture.left + region.x * picture.width}px`,
    top: `${picture.top + region.y * picture.height}px`,
    width: `${region.side * picture.width}px`,
    height: `${region.side * picture.height}px`,
  });
}

function inWords(region) {
  if (!region) return "No frame on this clip: no place is likely enough.";
  return region.sure ? "The frame is where the sound was heard." : "The dashed frame is where the sound may come from: a guess.";
}

// On or off, for this and every later visit.
export function toggleWhere() {
  on = !on;
  if (on) localStorage.removeItem(OFF_KEY);
  else localStorage.setItem(OFF_KEY, "1");
  showWhere();
  say(on ? inWords(desk.current && regionOf(desk.current.told)) : "No frame.");
}

new ResizeObserver(showWhere).observe($("players"));
// Neither event bubbles; a moved sound is another file, and its picture is there a moment later.
for (const name of ["loadedmetadata", "resize"]) $("players").addEventListener(name, showWhere, true);
