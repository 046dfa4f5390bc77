"use strict";
// Every page, no request: the theme, the view of maps, and what a printed page needs open.
{
  const root = document.documentElement;
  const storage = (use) => { try { return use(window.localStorage); } catch { return null; } }; // a file may have none
  const main = document.getElementById("content");

  const setTheme = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  const themes = [...document.querySelectorAll("input[name=theme]")];
  const kept = themes.find((choice) => choice.value === storage((s) => s.getItem("heatproof-theme")));
  if (kept) kept.checked = true;
  for (const choice of themes) {
    if (choice.checked) setTheme(choice.value);
    choice.addEventListener("change", () => {
      setTheme(choice.value);
      storage((s) => s.setItem("heatproof-theme", choice.value));
    });
  }

  const views = [...document.querySelectorAll("input[data-shows]")];
  const setView = (view) => {
    main.dataset.view = view;
    for (const other of views) other.checked = other.value === view;
  };
  for (const choice of views) {
    choice.addEventListener("change", () => setView(choice.value));
  }
  const chosen = views.find((choice) => choice.checked); // a browser may remember it over a reload
  if (chosen) setView(chosen.value);

  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not(.aside):not([open])")];
    for (const part of opened) part.open = true;
  });
  window.addEventListener("afterprint", () => { for (const part of opened) part.open = false; });
  root.classList.add("js");
}
