// Lets the proxy see that somebody is at a page of JupyterLab (4 and later) or Notebook (7 and later): whoever reads and scrolls asks the
// server for nothing, and what the page asks for by itself is nobody's doing. It is an extension as JupyterLab itself loads them (a
// container of webpack's module federation), written by hand: nothing is built.
//
// It asks the server for its version when a hand moves, and then for some seconds not again. A server that sleeps is awakened by that
// before its user has said what to do. What was asked, or that it was, is told to nobody.
"use strict";

(() => {
  const name = "jupyterhub-presence";
  const rarely = 10; // seconds between two signs of life, which is how often the page itself asks for something
  const pause = 60; // seconds without a hand, after which what the page shows may be old
  const hands = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];

  // What a page asks less and less often for while its server sleeps.
  const refresh = (app) => {
    const { kernels, sessions, terminals } = app.serviceManager;
    const asked = [kernels.refreshRunning(), sessions.refreshRunning()];
    if (terminals.isAvailable()) {
      asked.push(terminals.refreshRunning());
    }
    if (app.commands.hasCommand("filebrowser:refresh")) {
      asked.push(app.commands.execute("filebrowser:refresh"));
    }
    return Promise.all(asked);
  };

  const watch = (app) => {
    const url = app.serviceManager.serverSettings.baseUrl + "api";
    let told = 0;
    let seen = Date.now();
    const tell = async () => {
      const now = Date.now();
      const away = now - seen > pause * 1000;
      seen = now;
      if (now - told < rarely * 1000) {
        return;
      }
      told = now;
      try {
        await fetch(url, { cache: "no-store", redirect: "error" });
        if (away) {
          await refresh(app);
        }
      } catch {
        // The server is away, which JupyterLab itself says.
      }
    };
    // A browser moves the pointer by itself when the page below it changes.
    const moved = (event) => event.isTrusted && (event.type !== "pointermove" || event.movementX !== 0 || event.movementY !== 0);
    for (const kind of hands) {
      document.addEventListener(kind, (event) => moved(event) && tell(), { capture: true, passive: true });
    }
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && tell());
  };

  const plugin = {
    id: name + ":plugin",
    description: "Lets JupyterHub know that somebody is there.",
    autoStart: true,
    activate: watch,
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[name] = {
    init: () => {},
    get: async (module) => {
      if (module !== "./extension") {
        throw new Error(name + " has no " + module);
      }
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
