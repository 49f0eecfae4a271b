// Runs before the first paint, so that a dark page never flashes white.
try {
  const theme = localStorage.getItem("glmkit.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  const language = localStorage.getItem("glmkit.language") ?? navigator.language;
  document.documentElement.lang = language.startsWith("zh") ? "zh-CN" : "en";
} catch {
  // Storage may be forbidden: then the page follows the system.
}
