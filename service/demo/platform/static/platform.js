// What the page shows follows what the back end knows, so after a proof the page is read anew.
document.addEventListener("qualified", () => location.reload());
