"use strict";
// One page, no requests: switches the film strips between magnitudes and signed values, and opens what a printed page needs.
document.documentElement.classList.add("js");
const strips = document.getElementById("strips");
for (const choice of document.querySelectorAll("input[name=view]")) {
  choice.addEventListener("change", () => { strips.dataset.view = choice.value; });
  if (choice.checked) strips.dataset.view = choice.value;
}
window.addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details.strip, details.more:not(.aside)")) part.open = true;
});
