// what can be scrolled sideways can be reached by the keyboard
const reachable = () =>
  document.querySelectorAll(".md-typeset__scrollwrap, .highlight-ipynb").forEach(wrap => {
    wrap.tabIndex = wrap.scrollWidth > wrap.clientWidth ? 0 : -1
  })
addEventListener("load", reachable)
addEventListener("resize", reachable)
