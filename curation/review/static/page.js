// Small things that every part of the review page uses: its elements, and its voice.

export const $ = (id) => document.getElementById(id);

export function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

let silence = 0;
export function say(words, problem = false) {
  $("said").textContent = words;
  $("said").classList.toggle("problem", problem);
  clearTimeout(silence);
  silence = setTimeout(() => ($("said").textContent = ""), problem ? 8000 : Math.max(2000, words.length * 60));
}

// What is on the desk: the clip that is shown, those that come next, and what was answered here.
export const desk = { current: null, ahead: [], past: [], slow: false };
