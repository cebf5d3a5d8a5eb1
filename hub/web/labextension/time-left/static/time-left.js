// Says in JupyterLab (4 and later) and Notebook (7 and later) that the time of the server is nearly over, which only the hub knows. It is
// an extension as JupyterLab itself loads them (a container of webpack's module federation), written by hand: nothing is built.
//
// It asks the hub once when the page opens, and again when there is something to say. Where the page has another origin than the hub, as
// with hosts of users' own, no hub can be asked, and nothing is said.
"use strict";

(() => {
  const name = "jupyterhub-time-left";
  const warnAt = [15 * 60, 5 * 60, 60]; // seconds before the end
  const longest = 24 * 60 * 60; // that a browser's timer is trusted with
  const again = 60; // seconds after which a hub that was away is asked again

  let scope = {}; // what JupyterLab shares with extensions: module → version → how to get it

  const shared = async (module) => {
    const versions = Object.values(scope[module] || {});
    return versions.length > 0 ? (await versions[0].get())() : {};
  };

  // Where the hub tells it, of the server that the page is of; null on a page that no hub has opened.
  const address = () => {
    const data = document.getElementById("jupyter-config-data");
    const config = data ? JSON.parse(data.textContent) : {};
    const prefix = config.hubPrefix;
    const users = prefix ? prefix.replace(/hub\/$/, "user/") : "";
    if (!prefix || !config.baseUrl.startsWith(users)) {
      return null;
    }
    const server = config.baseUrl.slice(users.length).replace(/\/$/, "");
    const url = new URL((config.hubHost || "") + prefix + "time-left/" + server, location.href);
    return url.origin === location.origin ? url : null;
  };

  const spoken = (seconds) => {
    const minutes = Math.round(seconds / 60);
    return minutes > 1 ? minutes + " minutes" : minutes === 1 ? "a minute" : Math.round(seconds) + " seconds";
  };

  // One notification, which is brought up to date.
  const say = (Notification, shown, seconds) => {
    const ends = new Date(Date.now() + seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const message = "The time of this server is over in " + spoken(seconds) + ", at " + ends + ". Save your work: it is ended then, and you may start it again.";
    if (shown && Notification.update({ id: shown, message, type: "warning", autoClose: false })) {
      return shown;
    }
    return Notification.warning(message, { autoClose: false });
  };

  const watch = async () => {
    const url = address();
    const { Notification } = await shared("@jupyterlab/apputils");
    if (!url || !Notification) {
      return;
    }
    let shown = "";
    const ask = async () => {
      let left = 0;
      let next = again;
      try {
        const answer = await fetch(url, { redirect: "error", cache: "no-store" });
        left = answer.ok ? (await answer.json()).left_seconds || 0 : 0;
        if (answer.status < 500) {
          const step = warnAt.find((at) => at < left);
          next = step === undefined ? 0 : left - step;
        }
      } catch {
        // The hub is away, or the visitor has logged out.
      }
      if (left > 0 && left <= warnAt[0]) {
        shown = say(Notification, shown, left);
      }
      if (next > 0) {
        setTimeout(ask, Math.min(next, longest) * 1000);
      }
    };
    await ask();
  };

  const plugin = {
    id: name + ":plugin",
    description: "Says when the time of the server is nearly over.",
    autoStart: true,
    // What is said before the window is whole is counted, and not shown.
    activate: (app) => {
      app.restored.then(watch).catch((error) => console.warn(name, error));
    },
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[name] = {
    init: (sharing) => {
      scope = sharing;
    },
    get: async (module) => {
      if (module !== "./extension") {
        throw new Error(name + " has no " + module);
      }
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
