// A chip that is pressed brings its variant forward in every chart of learning curves.
const chips = [...document.querySelectorAll(".chip")];
for (const chip of chips) {
  chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", chip.getAttribute("aria-pressed") !== "true");
    const pressed = chips.filter((c) => c.getAttribute("aria-pressed") === "true").map((c) => c.dataset.variant);
    for (const drawn of document.querySelectorAll('svg.curves g[class^="variant-"]')) {
      drawn.classList.toggle("faded", pressed.length > 0 && !pressed.includes(drawn.classList[0]));
    }
  });
}
