// Comfort only: every page works without this.

// A second press of the same button sends nothing; the page that comes back has a new one.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 8000);
});

// The back button may show a page as it was when it was left.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
    button.textContent = button.dataset.copied;
  } catch {
    source.focus();
    source.select?.();
  }
});

// Say it before a large file is sent in vain; the service refuses it too.
document.addEventListener("change", ({ target }) => {
  if (!target.dataset?.maxBytes) return;
  const isTooLarge = target.files[0]?.size > Number(target.dataset.maxBytes);
  target.setCustomValidity(isTooLarge ? target.dataset.tooLarge : "");
  target.reportValidity();
});
